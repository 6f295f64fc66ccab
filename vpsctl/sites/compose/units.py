"""Text to durations, sizes, CPUs and whole numbers; each raises ValueError with half a sentence about the text."""

import re
from datetime import timedelta

_DURATION = re.compile(r"(?:[0-9]{1,9}(?:\.[0-9]{1,9})?(?:us|ms|s|m|h))+")
_DURATION_PART = re.compile(r"([0-9.]+)(us|ms|s|m|h)")
_MICROSECONDS = {"us": 1, "ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000}
_SIZE = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?) ?(?:([kmgt])i?)?b?", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_CPUS = re.compile(r"[0-9]{1,4}(\.[0-9]{1,9})?")
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")
LONGEST = timedelta(days=366)


def parse_duration(text: str) -> timedelta:
    """As the Compose Specification writes them: `30s`, `1m30s`, `1.5h`, `500ms`, `100us`; at most a year."""
    if not _DURATION.fullmatch(text) and text != "0":
        raise ValueError("is not a duration: write it like 30s, 1m30s or 500ms")
    parts = _DURATION_PART.findall(text)
    duration = timedelta(microseconds=sum(float(number) * _MICROSECONDS[unit] for number, unit in parts))
    if duration > LONGEST:
        raise ValueError("is longer than a year")
    return duration


def parse_size(text: str) -> int:
    """Bytes from `512M`, `1.5g`, `64kb`, `1GiB` or a plain number; k, m, g and t are powers of 1024, as Docker has them."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError("is not a size: write it like 512M or 1.5G")
    size = int(float(match.group(1)) * 1024 ** _POWERS[(match.group(2) or "").lower()])
    if size >= 2**53:
        raise ValueError("is larger than any machine")
    return size


def parse_memory(text: str) -> int:
    """A memory limit in bytes. The Engine refuses fewer than 6 MB."""
    size = parse_size(text)
    if size < 6 * 1024**2:
        raise ValueError("is below the 6M that the Docker Engine asks for at least")
    return size


def parse_cpus(text: str) -> float:
    """Cores: `0.5`, `2`."""
    if not _CPUS.fullmatch(text) or not 0.01 <= float(text) <= 1024:
        raise ValueError("is not a number of CPUs: write it like 0.5 or 2")
    return float(text)


def parse_integer(text: str) -> int:
    """A whole number as everyone reads it: `012` is 10 to YAML 1.1 and 12 to YAML 1.2, so it is refused."""
    if not _INTEGER.fullmatch(text):
        raise ValueError("is not a plain whole number (no leading zero, no _, no 0x)")
    return int(text)


def parse_port(text: str) -> int:
    """1 to 65535."""
    port = parse_integer(text)
    if not 1 <= port <= 65535:
        raise ValueError("is not a port: those go from 1 to 65535")
    return port
