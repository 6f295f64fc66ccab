"""How long ago, in words and back: "3d 4h", `--since 10m`."""

from datetime import UTC, datetime, timedelta

from vpsctl.errors import Invalid


def age(seconds: float) -> str:
    """The two largest units: "45s", "12m", "3h 20m", "5d 4h"."""
    whole = max(0, int(seconds))
    days, hours, minutes = whole // 86400, whole // 3600 % 24, whole // 60 % 60
    if days:
        return f"{days}d {hours}h"
    if hours:
        return f"{hours}h {minutes}m"
    return f"{minutes}m" if minutes else f"{whole}s"


def parse_since(text: str, now: datetime) -> datetime:
    """The moment that `--since` means: `10m` or `1h30m` before `now`, or a date and time (UTC unless it says otherwise).

    Raises Invalid.
    """
    from vpsctl.sites.compose.units import parse_duration

    try:
        if text.endswith("d") and text[:-1].isdigit():
            return now - timedelta(days=int(text[:-1]))
        if not text[:4].isdigit() or "-" not in text:
            return now - parse_duration(text)
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError) as error:
        hint = "write it as 10m, 2h, 3d, or 2026-11-20T14:00"
        raise Invalid(f"--since {text!r} is neither a duration nor a time", hint=hint) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
