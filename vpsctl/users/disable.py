"""Shut a user out, and let them in again."""

from dataclasses import dataclass
from datetime import UTC, datetime

from vpsctl.app import App
from vpsctl.audit.record import record
from vpsctl.users.find import find_user


@dataclass(frozen=True)
class UserSwitched:
    name: str
    disabled_at: datetime | None
    """None: enabled."""
    changed: bool
    """False: they were so already."""


def disable_user(app: App, name: str) -> UserSwitched:
    """No token, code or login link of theirs is accepted any more, from this moment on. Raises NotFound."""
    return _switch(app, name, datetime.now(UTC))


def enable_user(app: App, name: str) -> UserSwitched:
    """Their tokens that were neither revoked nor ran out are accepted again. Raises NotFound."""
    return _switch(app, name, None)


def _switch(app: App, name: str, disabled_at: datetime | None) -> UserSwitched:
    with app.database.transaction() as session:
        user = find_user(session, name, lock=True)
        changed = (user.disabled_at is None) != (disabled_at is None)
        if changed:
            user.disabled_at = disabled_at
            record(app, session, "user.disable" if disabled_at else "user.enable", f"user:{name}", {})
        return UserSwitched(name, user.disabled_at, changed)
