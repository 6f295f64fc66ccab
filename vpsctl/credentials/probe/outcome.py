"""What came of trying a credential, and the words for what went wrong."""

from collections.abc import Mapping
from dataclasses import dataclass

from vpsctl.errors import Invalid

LONGEST = 200
"""Characters of somebody else's message that are told."""


@dataclass(frozen=True)
class Outcome:
    """`ok` is None where nothing could be proved: there is nothing to connect to, or what answers asks for no proof."""

    ok: bool | None
    told: str
    reached: bool = True
    """False: no answer came, which tells nothing of the credential."""


def needed(details: Mapping[str, str], key: str, hint: str) -> str:
    """Raises Invalid naming the option when the detail is not there."""
    if not details.get(key):
        raise Invalid(f"there is no --{key} to test it with", hint=hint)
    return details[key]


def sentence(error: BaseException | str) -> str:
    """The first line that says something of a foreign error, in one piece and not too long."""
    lines = [" ".join(line.split()) for line in str(error).splitlines()]
    line = next((line for line in lines if line), "") or type(error).__name__
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def silent(where: str, seconds: float) -> Outcome:
    return Outcome(False, f"{where} did not answer within {seconds:g} s", reached=False)


def unreachable(where: str, error: BaseException | str) -> Outcome:
    return Outcome(False, f"{where} cannot be reached: {sentence(error)}", reached=False)
