"""Put every stored value under a new master key, while everything goes on; a kill is resumed by the next call."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select, tuple_, update
from sqlalchemy.orm import Session

from vpsctl.app import App
from vpsctl.audit.record import record
from vpsctl.db.models import MasterKey
from vpsctl.errors import Conflict, Failed, NotFound
from vpsctl.inner_key import subkey
from vpsctl.keys.places import PLACES, Place, count_values
from vpsctl.vault import bindings
from vpsctl.vault.key import key_id
from vpsctl.vault.sealed import pack

BATCH = 500
Report = Callable[[str], None]


@dataclass(frozen=True)
class Rotated:
    old: tuple[str, ...]
    """Ids of the keys that nothing is under any more. Each stands sealed under the new one, until `key remove`."""
    new: str
    provider: str
    values: int
    """Stored values that were put under the new key."""
    resumed: bool
    """An earlier rotation was finished; no other key was made."""


def rotate_key(app: App, *, to: str | None = None, report: Report = lambda line: None) -> Rotated:
    """A new master key, kept by provider `to` (default: the one in use), and every stored value under it.

    Any moment may be the last: the next key is staged beside the old one, then registered with the old one sealed under
    it, then takes its place by one rename; values follow in batches. Until the last has followed, either key opens all.
    Raises Conflict while another rotation goes on; Failed when the key file is not this installation's key, or at the
    end for values that do not open, which stay as they are under the old key.
    """
    holder = f"key rotate by {app.actor.name}"
    with app.database.lock("master-key", holder=holder) as lock:
        with app.database.transaction() as session:
            subkey(app, session, "rotate")  # the key in place opens what is stored: else nothing is begun
            states = {key: state for key, state in session.execute(select(MasterKey.key_id, MasterKey.state))}
        vault = app.vault
        staged = vault.key_file.staged()
        # the key in place is not the active one while the next is staged, or when that was lost: then another is made
        following = states.get(vault.key_id) == "active" and "retiring" in states.values()
        resumed = staged is not None or following
        if not resumed:
            staged = vault.key_file.stage(to or vault.key_file.provider())
            report(f"master key {key_id(staged)} is staged")
        if staged is not None:
            _register(app, key_id(staged))
            report(f"master key {key_id(staged)} is registered")
            vault.key_file.promote()
            report(f"master key {key_id(staged)} is in force")
        values, refused = _rewrap(app, lock.check, report)
        old = _retire(app)
        if refused:
            hint = "vpsctl key status counts them; set those credentials again, or restore the database from a backup"
            raise Failed(f"{len(refused)} stored values do not open and stay under the old key: {refused[0]}", hint=hint)
        return Rotated(old, vault.key_id, vault.key_file.provider(), values, resumed)


def _register(app: App, new: str) -> None:
    """The old key sealed under the new one: whoever has the new one opens everything. Again after a kill: nothing.

    The old one is the one in place, whatever the rows say: it is about to lose it.
    """
    with app.database.transaction() as session:
        rows = {row.key_id: row for row in session.scalars(select(MasterKey).with_for_update())}
        if new in rows:
            _check_staged(app, rows[new])
            return
        old = rows.get(app.vault.key_id)
        if old is None:
            raise NotFound("no master key is registered in the database", hint="vpsctl init")
        for row in rows.values():
            row.state = "retiring" if row.state == "active" or row is old else row.state
        sealed = app.vault.encrypt(app.vault.master_key(old.key_id), binding=bindings.master_key(old.key_id), under=new)
        old.sealed, old.retired_at = pack(sealed), None
        session.add(MasterKey(key_id=new, state="active"))
        record(app, session, "key.rotate", f"key:{new}", {"old": old.key_id})


def _check_staged(app: App, row: MasterKey) -> None:
    """Raises Conflict for a key that was replaced since: in the place of the one in force it would open nothing."""
    if row.state != "active":
        path = app.vault.key_file.next_path
        message = f"{path} holds master key {row.key_id}, which is {row.state} and not the next one"
        raise Conflict(message, hint=f"a copy of then? mv {path} elsewhere, then: vpsctl key rotate")


def _rewrap(app: App, check: Callable[[], None], report: Report) -> tuple[int, list[str]]:
    """(values put under the active key, those that do not open)."""
    total, refused = 0, []
    for place in PLACES:
        after: tuple[object, ...] | None = None
        while True:
            check()
            with app.database.transaction() as session:
                done, bad, after = _batch(app, session, place, after)
            total += done
            refused += bad
            if done:
                report(f"{total} values are under the new key")
            if after is None:
                break
    return total, refused


def _batch(
    app: App, session: Session, place: Place, after: tuple[object, ...] | None
) -> tuple[int, list[str], tuple[object, ...] | None]:
    """(how many, what does not open, the last row's primary key or None at the end)."""
    columns = place.model.__mapper__.primary_key
    query = place.rows.where(place.key_id != app.vault.key_id).order_by(*columns).limit(BATCH)
    for_update = query.with_for_update(of=place.model)
    rows = session.execute(for_update.where(_beyond(columns, after)) if after else for_update).all()
    changed, refused = [], []
    last: tuple[object, ...] | None = None
    for row in rows:
        last = tuple(getattr(row[0], column.name) for column in columns)
        try:
            sealed = app.vault.rewrap(place.read(row), binding=place.bound(row))
        except Failed as error:
            refused.append(f"{place.name} {'/'.join(map(str, last))}: {error.message}")
        else:
            keys = {column.name: value for column, value in zip(columns, last, strict=True)}
            changed.append(keys | place.columns(sealed))
    if changed:
        session.execute(update(place.model), changed)
    return len(changed), refused, last if len(rows) == BATCH else None


def _beyond(columns: tuple[Any, ...], after: tuple[object, ...]) -> Any:
    return tuple_(*columns) > after


def _retire(app: App) -> tuple[str, ...]:
    """Mark the keys that nothing is under any more."""
    with app.database.transaction() as session:
        needed = count_values(session)
        rows = session.scalars(select(MasterKey).where(MasterKey.state == "retiring").with_for_update()).all()
        idle = [row for row in rows if row.key_id not in needed]
        for row in idle:
            row.state, row.retired_at = "retired", datetime.now(UTC)
        return tuple(row.key_id for row in idle)
