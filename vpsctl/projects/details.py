"""What is said of a project, and a change of it. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from vpsctl.errors import Invalid

TAG = re.compile(r"[a-z0-9][a-z0-9-]{0,29}")
SYSTEM = re.compile(r"[a-z][a-z0-9_.-]{0,39}")
MOST_TAGS = 20
LONGEST_NAME = 80
LONGEST_DESCRIPTION = 500
LONGEST_ID = 200


@dataclass(frozen=True)
class Details:
    name: str
    """For people: "Acme Ltd"."""
    description: str = ""
    tags: tuple[str, ...] = ()
    """Sorted."""
    external_ids: Mapping[str, str] = field(default_factory=dict)
    """{system: id}: what others call it, such as {"yespo": "123"}."""
    owner: str | None = None
    """A user's name."""


@dataclass(frozen=True)
class Change:
    """None and empty leave things as they are."""

    name: str | None = None
    description: str | None = None
    tags: tuple[str, ...] = ()
    untags: tuple[str, ...] = ()
    external_ids: Mapping[str, str] = field(default_factory=dict)
    dropped_ids: tuple[str, ...] = ()
    owner: str | None = None
    ownerless: bool = False


def changed(details: Details, change: Change) -> Details:
    """`details` after `change`. Raises Invalid for what cannot be kept, or is to be set and to be dropped at once."""
    _check_sides(change)
    name = details.name if change.name is None else _line("name", change.name, LONGEST_NAME)
    if not name:
        raise Invalid("a project's name for people cannot be empty", hint='give one: --name "Acme Ltd"')
    told = details.description
    return Details(
        name,
        told if change.description is None else _line("description", change.description, LONGEST_DESCRIPTION),
        _tags(details.tags, change),
        _external_ids(details.external_ids, change),
        None if change.ownerless else change.owner or details.owner,
    )


def differences(before: Details, after: Details) -> dict[str, dict[str, Any]]:
    """{field: {"old": …, "new": …}} of what is not the same."""
    names = [item.name for item in fields(Details) if getattr(before, item.name) != getattr(after, item.name)]
    return {name: {"old": getattr(before, name), "new": getattr(after, name)} for name in names}


def _check_sides(change: Change) -> None:
    both = sorted({*change.tags} & {*change.untags}) + sorted(change.external_ids.keys() & {*change.dropped_ids})
    if change.owner is not None and change.ownerless:
        both.append(change.owner)
    if both:
        raise Invalid(f"{both[0]} cannot be set and dropped at once", hint="leave one of the two out")


def _line(what: str, value: str, longest: int) -> str:
    value = value.strip()
    if len(value) > longest or not value.isprintable():
        raise Invalid(f"the project's {what} is not one printable line", hint=f"give at most {longest} characters")
    return value


def _tags(present: tuple[str, ...], change: Change) -> tuple[str, ...]:
    for tag in change.tags:
        if not TAG.fullmatch(tag):
            hint = "use 1 to 30 lower-case letters, digits and hyphens, such as --tag retail"
            raise Invalid(f"{tag!r} is not a tag", hint=hint)
    tags = tuple(sorted(({*present} | {*change.tags}) - {*change.untags}))
    if len(tags) > MOST_TAGS:
        raise Invalid(f"{len(tags)} tags are more than the {MOST_TAGS} a project may have", hint="drop some with --untag")
    return tags


def _external_ids(present: Mapping[str, str], change: Change) -> dict[str, str]:
    for system, value in change.external_ids.items():
        if not SYSTEM.fullmatch(system):
            hint = "use a letter, then letters, digits, '.', '_' and '-', all lower-case: --id yespo=123"
            raise Invalid(f"{system!r} is not the name of a system", hint=hint)
        if not value or len(value) > LONGEST_ID or not value.isprintable():
            raise Invalid(f"the id in {system} is not printable text", hint=f"give 1 to {LONGEST_ID} characters")
    kept = {**present, **change.external_ids}
    return {system: kept[system] for system in sorted(kept) if system not in change.dropped_ids}
