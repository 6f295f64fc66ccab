"""The fields of a value: put together, taken apart, and as the variables that a process or a site gets."""

from collections.abc import Mapping

from vpsctl.credentials.kinds.catalogue import find_kind
from vpsctl.credentials.kinds.check import check_value
from vpsctl.errors import Invalid
from vpsctl.secret import Secret


def from_fields(kind: str, fields: Mapping[str, str | Secret]) -> Secret:
    """The canonical text of a value given in parts.

    Raises Invalid for a kind without fields, a field missing or unknown, and for what `check_value` refuses.
    """
    wanted = find_kind(kind)
    if wanted.join is None:
        raise Invalid(f"kind {kind} has no fields", hint="give its value as one text")
    known = {field.name for field in wanted.fields}
    missing = [field.name for field in wanted.fields if not field.optional and field.name not in fields]
    if missing:
        raise Invalid(
            f"{wanted.title}: {' and '.join(missing)} missing", hint=f"the fields are {', '.join(known_order(kind))}"
        )
    unknown = sorted(fields.keys() - known)
    if unknown and not wanted.any_fields:
        hint = f"the fields are {', '.join(known_order(kind))}"
        raise Invalid(f"{wanted.title}: there is no such field ({len(unknown)} given)", hint=hint)
    plain = {name: value.reveal() if isinstance(value, Secret) else value for name, value in fields.items()}
    return check_value(kind, Secret(wanted.join(plain)))


def known_order(kind: str) -> list[str]:
    """The names of a kind's fields in the order in which they are asked for."""
    return [field.name for field in find_kind(kind).fields]


def fields(kind: str, value: Secret) -> dict[str, Secret]:
    """The fields of a checked value; none for kinds that are a single text."""
    split = find_kind(kind).split
    return {} if split is None else {name: Secret(part) for name, part in split(value.reveal()).items()}


def variables(name: str, kind: str, value: Secret) -> dict[str, Secret]:
    """What a process or a site gets of a checked value: NAME is its text, and NAME_USERNAME and so on its fields.

    The keys of a key-value set stand for themselves: they are the variables that a program wants.
    """
    own = find_kind(kind).any_fields
    parts = {key if own else f"{name}_{key.upper()}": part for key, part in fields(kind, value).items()}
    return {name: value, **parts}
