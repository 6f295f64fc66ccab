"""How long ago, in words."""


def age(seconds: float) -> str:
    """The two largest units: "45s", "12m", "3h 20m", "5d 4h"."""
    whole = max(0, int(seconds))
    days, hours, minutes = whole // 86400, whole // 3600 % 24, whole // 60 % 60
    if days:
        return f"{days}d {hours}h"
    if hours:
        return f"{hours}h {minutes}m"
    return f"{minutes}m" if minutes else f"{whole}s"
