"""A secret value that cannot be printed by accident, and the scrubbing of text that might hold one."""

import hmac
from collections.abc import Iterable
from typing import NoReturn

REDACTED = "[redacted]"


class Secret:
    """A string that prints, formats and encodes as `[redacted]`; `reveal()` is the one way to the value."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return REDACTED

    def __str__(self) -> str:
        return REDACTED

    def __format__(self, spec: str) -> str:
        return REDACTED

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(_bytes(self), _bytes(other))

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled")


def _bytes(secret: Secret) -> bytes:
    return secret.reveal().encode("utf-8", "surrogatepass")  # a terminal's bytes that are no UTF-8 come so


def redact(text: str, secrets: Iterable[Secret]) -> str:
    """`text` with every known secret replaced, longest first so that one inside another leaves no rest.

    Values under 4 characters are left: replacing each "a" in a log hides nothing and destroys it.
    """
    for value in sorted({secret.reveal() for secret in secrets}, key=len, reverse=True):
        if len(value) >= 4:
            text = text.replace(value, REDACTED)
    return text
