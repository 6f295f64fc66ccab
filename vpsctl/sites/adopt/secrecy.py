"""Which values of a container are secrets, and what their credentials are called. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from vpsctl.secret import Secret

_NAME = re.compile(r"PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|KEY|CREDENTIAL|(?:^|_)(?:PASS|PWD)$", re.IGNORECASE)
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/\s:@]*:[^/\s@]+@")
_ASSIGNED = re.compile(r"(?:password|passwd|pwd)\s*=\s*[^;\s]", re.IGNORECASE)
_OPTION = re.compile(r"--?[a-z-]*(?:pass|secret|token)", re.IGNORECASE)
_SHELL_OWN = ("PWD", "OLDPWD")
LONGEST = 64
NUMBERED = 50


@dataclass(frozen=True)
class Wanted:
    """A value that belongs into the vault."""

    service: str
    variable: str
    value: Secret


def is_secret(variable: str, value: str) -> bool:
    """By its name (PASSWORD, SECRET, TOKEN, KEY and the like), or since it is an address with a password in it."""
    if not value or variable in _SHELL_OWN or (variable.upper().endswith("_FILE") and value.startswith("/")):
        return False
    return bool(_NAME.search(variable) or _URL.search(value) or _ASSIGNED.search(value))


def argument_is_secret(word: str) -> bool:
    return bool(_URL.search(word) or _OPTION.match(word))


def candidates(site: str, wanted: Wanted) -> Iterator[str]:
    """Names for its credential, the plainest first; all of them are ones the vault takes."""
    plain = _name(wanted.variable)
    yield plain
    yield _name(f"{site}_{plain}")
    longest = _name(f"{site}_{wanted.service}_{plain}")
    yield longest
    yield from (f"{longest[: LONGEST - 3]}_{number}" for number in range(2, NUMBERED))


def _name(text: str) -> str:
    plain = re.sub(r"[^A-Z0-9]+", "_", text.upper()).lstrip("_0123456789")[:LONGEST]
    return plain or "CREDENTIAL"


def name_credentials(site: str, wanted: Sequence[Wanted], known: Mapping[str, Secret]) -> dict[tuple[str, str], str]:
    """(service, variable) to the credential that holds its value.

    `known` is what the vault has under any of the `candidates`. A name that is there with another value belongs to
    another site and is left alone; one with the same value is used as it is, so that doing it twice changes nothing.
    """
    taken = dict(known)
    names = {}
    for item in wanted:
        name = next(one for one in candidates(site, item) if taken.get(one, item.value) == item.value)
        taken[name] = item.value
        names[item.service, item.variable] = name
    return names
