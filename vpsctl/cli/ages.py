"""How long: in words, and out of the words that operators write."""

import re
from datetime import UTC, datetime, timedelta

from vpsctl.errors import Invalid

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_PERIOD = re.compile(r"([0-9]{1,9})([smhdw])")


def age(seconds: float) -> str:
    """The two largest units: "45s", "12m", "3h 20m", "5d 4h"."""
    whole = max(0, int(seconds))
    days, hours, minutes = whole // 86400, whole // 3600 % 24, whole // 60 % 60
    if days:
        return f"{days}d {hours}h"
    if hours:
        return f"{hours}h {minutes}m"
    return f"{minutes}m" if minutes else f"{whole}s"


def read_period(text: str) -> timedelta | None:
    """`45s`, `10m`, `2h`, `90d`, `2w`; None for what is not written so, or is longer than anything lasts."""
    match = _PERIOD.fullmatch(text)
    try:
        return timedelta(**{UNITS[match[2]]: int(match[1])}) if match else None
    except OverflowError:
        return None


def period(text: str, option: str) -> timedelta:
    """As `read_period`. Raises Invalid naming the option."""
    found = read_period(text)
    if found is None:
        raise Invalid(f"{option} {text!r} is not a duration", hint="write it like 12h, 30d or 2w")
    return found


def future(text: str, option: str) -> datetime:
    """`90d` from now, or an ISO 8601 date or time (local unless it names a zone). Raises Invalid when it is past."""
    ahead, now = read_period(text), datetime.now(UTC)
    hint = "write it like 90d, 2027-01-31 or 2027-01-31T18:00"
    try:
        moment = datetime.fromisoformat(text).astimezone(UTC) if ahead is None else now + ahead
    except (ValueError, OverflowError) as error:
        raise Invalid(f"{option} {text!r} is neither a duration nor a date", hint=hint) from error
    if moment <= now:
        raise Invalid(f"{option} {text!r} is not in the future", hint=hint)
    return moment
