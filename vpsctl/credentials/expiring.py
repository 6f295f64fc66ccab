"""Which credentials end soon, or should have a new value."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from vpsctl.app import App
from vpsctl.credentials.list import CredentialInfo, list_credentials

DAYS = (1, 7, 14, 30)
"""The steps in which an end comes nearer."""
LAST = timedelta(days=DAYS[-1])


@dataclass(frozen=True)
class Expiring:
    name: str
    project: str | None
    """None: of the whole machine."""
    kind: str
    why: str
    """expires, or rotation: it is only due for a new value."""
    at: datetime
    bucket: str
    """expired, or the days within which it will be: 1, 7, 14, 30; later."""


def expiring_credentials(app: App, *, within: timedelta = LAST, project: str | None = None) -> list[Expiring]:
    """Those whose value ends, or should be replaced, within that time or has already; the most urgent first.

    Raises NotFound for a project that there is not.
    """
    return choose_expiring(list_credentials(app, project=project), datetime.now(UTC), within)


def choose_expiring(found: Iterable[CredentialInfo], now: datetime, within: timedelta) -> list[Expiring]:
    """Pure. One entry a credential: of its end and its rotation the one that comes first."""
    due = [(item, item.due_at) for item in found if item.due_at is not None and item.due_at <= now + within]
    entries = [Expiring(item.name, item.project, item.kind, _why(item), moment, bucket(moment, now)) for item, moment in due]
    return sorted(entries, key=lambda entry: (entry.at, entry.name, entry.project or ""))


def soon(found: Iterable[CredentialInfo], now: datetime, within: timedelta = LAST) -> list[CredentialInfo]:
    """Pure. Those of them that end or are due within that time, or have already, in the order in which they come."""
    return [item for item in found if item.due_at is not None and item.due_at - now <= within]


def bucket(at: datetime, now: datetime) -> str:
    """`Expiring.bucket` of a moment."""
    if at <= now:
        return "expired"
    return next((str(days) for days in DAYS if at <= now + timedelta(days=days)), "later")


def _why(item: CredentialInfo) -> str:
    return "expires" if item.due_at == item.expires_at else "rotation"
