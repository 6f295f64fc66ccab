"""Audit rows of what is changed outside of Postgres and without a run: containers, commands in them, Caddy's routes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from vpsctl.app import App
from vpsctl.audit.late import keep_late
from vpsctl.audit.record import check_trail, record
from vpsctl.errors import Conflict, Failed, Invalid, NotFound, Unavailable, VpsctlError

REFUSED = (Invalid, NotFound, Conflict)


@dataclass
class Act:
    """What the row will say of it."""

    fields: dict[str, Any] = field(default_factory=dict)
    changed: bool = True
    """False: nothing was changed, so far at least, and there is nothing to record."""


@contextmanager
def acting(app: App, action: str, target: str, **fields: Any) -> Iterator[Act]:
    """One audit row for what the block changes: none when it is refused, and one with the outcome when it fails half way.

    Without Postgres the row is kept until it is back: these commands mend it. Raises Failed, before anything changes,
    when no row could ever be written.
    """
    _check(app)
    act = Act(dict(fields))
    try:
        yield act
    except REFUSED:
        raise
    except BaseException as error:
        code = error.code if isinstance(error, VpsctlError) else "failed"
        if act.changed:
            with keeping(error):
                record_outside(app, action, target, {"outcome": "failed", "error": code, **act.fields})
        raise
    if act.changed:
        record_outside(app, action, target, act.fields)


@contextmanager
def keeping(error: BaseException) -> Iterator[None]:
    """While `error` is on its way, a row that cannot be written is only noted: the first error is the one to tell."""
    try:
        yield
    except VpsctlError as second:
        error.add_note(f"and it could not be recorded: {second.message}")


def record_outside(app: App, action: str, target: str, fields: Mapping[str, Any]) -> None:
    """Write one audit row now; without Postgres or its schema, keep it for later. Raises Failed."""
    try:
        with app.database.transaction() as session:
            record(app, session, action, target, fields)
    except Unavailable:
        keep_late(app, action, target, fields)
    except Failed:
        if _has_schema(app):
            raise
        keep_late(app, action, target, fields)


def record_or_keep(app: App, action: str, target: str, fields: Mapping[str, Any]) -> None:
    """Write one audit row of what is done already, or keep it until one can be written. Raises Failed."""
    try:
        record_outside(app, action, target, fields)
    except VpsctlError:
        keep_late(app, action, target, fields)


def _check(app: App) -> None:
    try:
        with app.database.transaction() as session:
            check_trail(app, session)
    except Unavailable:
        return
    except Failed:
        if _has_schema(app):
            raise


def _has_schema(app: App) -> bool:
    """Whether init has come so far that there is a trail; an init that failed may need a container stopped."""
    from vpsctl.db.migrate import head_version, schema_version

    return schema_version(app.owner_database) == head_version()
