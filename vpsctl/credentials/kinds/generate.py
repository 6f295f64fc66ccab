"""Make a new value, of the kinds that can be made here."""

from vpsctl.credentials.kinds.catalogue import find_kind
from vpsctl.errors import Invalid
from vpsctl.secret import Secret


def generate(kind: str, old: Secret | None) -> Secret:
    """A new random value in canonical form; `basic` keeps the username of `old`.

    Raises Invalid for a kind whose values somebody else makes, with what to do instead.
    """
    wanted = find_kind(kind)
    if wanted.make is None:
        raise Invalid(f"a value of kind {kind} cannot be made here", hint=wanted.instead)
    return Secret(wanted.make(None if old is None else old.reveal()))
