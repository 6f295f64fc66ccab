"""Remove an older master key for good: what is still under it anywhere can never be opened again."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from vpsctl.app import App
from vpsctl.audit.record import record
from vpsctl.db.models import MasterKey
from vpsctl.errors import Conflict, NotFound
from vpsctl.keys.places import PLACES, count_values

GRACE = timedelta(days=7)
"""Backups from before the rotation are under the old key; by then there are newer ones."""

WRITERS_DONE = text(f"LOCK TABLE {', '.join(sorted({place.model.__tablename__ for place in PLACES}))} IN SHARE MODE")
"""Waits for transactions that began under the key and are about to store what it sealed: none is left uncounted."""


@dataclass(frozen=True)
class KeyRemoved:
    key_id: str
    retired_at: datetime


def remove_key(app: App, key_id: str, *, force: bool = False) -> KeyRemoved:
    """Remove the sealed copy of retired master key `key_id`, and what systemd's store or a keyring hold of it.

    `force`: also within GRACE of its retirement. Raises NotFound for a key that there is none of (any more), Conflict
    for the one in force, while a stored value needs it, within GRACE, and while a rotation goes on.
    """
    with app.database.lock("master-key", holder=f"key remove by {app.actor.name}"), app.database.transaction() as session:
        session.execute(WRITERS_DONE)
        row, retired_at = _removable(app, session, key_id, force)
        row.sealed = None
        record(app, session, "key.remove", f"key:{key_id}", {"retired_at": retired_at, "force": force})
        app.vault.key_file.forget(key_id)  # before the commit: when it cannot be done, nothing is
        return KeyRemoved(key_id, retired_at)


def check_key_removal(app: App, key_id: str, *, force: bool = False) -> None:
    """Raises what `remove_key` would raise now, but for a rotation that goes on; changes nothing."""
    with app.database.transaction() as session:
        _removable(app, session, key_id, force)


def _removable(app: App, session: Session, key_id: str, force: bool) -> tuple[MasterKey, datetime]:
    """The row, locked, and when the key was retired."""
    row = session.get(MasterKey, key_id, with_for_update=True)
    if row is None:
        raise NotFound(f"there is no master key {key_id}", hint="vpsctl key status lists them")
    if row.state == "active" or app.vault.key_file.kept().key_id == key_id:
        raise Conflict(f"master key {key_id} is the one in force", hint="vpsctl key rotate makes another one")
    _check_idle(key_id, sum(count_values(session).get(key_id, {}).values()))
    if row.retired_at is None:
        raise Conflict(f"the rotation away from master key {key_id} goes on", hint="vpsctl key rotate ends it")
    if row.sealed is None:
        raise NotFound(f"master key {key_id} was removed before", hint="vpsctl key status lists them")
    _check_age(key_id, datetime.now(UTC) - row.retired_at, force)
    return row, row.retired_at


def _check_idle(key_id: str, values: int) -> None:
    if values:
        needed = "1 stored value needs" if values == 1 else f"{values} stored values need"
        raise Conflict(f"{needed} master key {key_id}", hint="vpsctl key rotate puts them under the new key")


def _check_age(key_id: str, age: timedelta, force: bool) -> None:
    if age < GRACE and not force:
        raise Conflict(
            f"master key {key_id} was retired {age.days} days ago, and backups from before need it for {GRACE.days}",
            hint="make a new backup and wait, or add --force",
        )
