"""The error tree: each class is one meaning, one exit code, one HTTP status (DESIGN §13)."""

from typing import ClassVar


class VpsctlError(Exception):
    """What the operator is told: one sentence that names the thing, and the next command to type.

    Anything raised that is not a `VpsctlError` is a bug and shown as `internal`.
    """

    code: ClassVar[str] = "internal"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message


class Invalid(VpsctlError):
    """The input is wrong: the key, the value, the line."""

    code = "invalid"


class NotFound(VpsctlError):
    """No such thing; the hint names the command that lists them."""

    code = "not_found"


class Conflict(VpsctlError):
    """Someone holds it, or it exists already."""

    code = "conflict"


class Unavailable(VpsctlError):
    """Docker, Postgres, Redis, Caddy or a source cannot be reached: the only retryable one."""

    code = "unavailable"


class Failed(VpsctlError):
    """It was tried and did not work; the message says what still stands."""

    code = "failed"
