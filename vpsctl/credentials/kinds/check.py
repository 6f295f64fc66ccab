"""Check a value on entry: what its kind allows, in the one form that is stored."""

from vpsctl.credentials.kinds.catalogue import find_kind
from vpsctl.credentials.kinds.text import check_text
from vpsctl.secret import Secret


def check_value(kind: str, value: Secret) -> Secret:
    """The canonical text of `value`, which checked again stays as it is.

    Raises Invalid with the reason, which never quotes any part of the value.
    """
    return Secret(check_text(find_kind(kind).check(check_text(value.reveal()))))
