"""What stands in the audit trail, newest first."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select

from vpsctl.app import App
from vpsctl.audit.rows import ROWS, read_rows
from vpsctl.db.models import Audit

GLOB = {"\\": "\\\\", "%": "\\%", "_": "\\_", "*": "%", "?": "_"}
"""What a shell's pattern means in SQL's LIKE."""


@dataclass(frozen=True)
class AuditRow:
    id: int
    at: datetime
    actor: str
    door: str
    """cli, api, worker or schedule."""
    origin: str
    """From where; empty for this machine itself."""
    action: str
    target: str
    fields: dict[str, Any]
    run_id: int | None


@dataclass(frozen=True)
class Wanted:
    """Which rows; None: all of them."""

    actor: str | None = None
    door: str | None = None
    action: str | None = None
    """What it begins with: "credential" finds credential.set."""
    target: str | None = None
    """A part of it, or with `*` or `?` in it a pattern of the whole: "credential:acme/*"."""
    since: datetime | None = None
    until: datetime | None = None
    """Not this moment itself any more."""


ANY = Wanted()


def list_audit(app: App, wanted: Wanted = ANY, *, limit: int = 50, before: int | None = None) -> list[AuditRow]:
    """The newest first; `before` goes on below that row."""
    query = _matching(wanted).order_by(Audit.id.desc()).limit(limit)
    query = query if before is None else query.where(Audit.id < before)
    with app.database.transaction() as session:
        return [audit_row(row) for row in read_rows(session, query)]


def audit_row(row: Audit) -> AuditRow:
    return AuditRow(
        id=row.id,
        at=row.at,
        actor=row.actor,
        door=row.door,
        origin=row.origin,
        action=row.action,
        target=row.target,
        fields=row.fields,
        run_id=row.run_id,
    )


def _matching(wanted: Wanted) -> Select[Any]:
    conditions = [
        wanted.actor is not None and Audit.actor == wanted.actor,
        wanted.door is not None and Audit.door == wanted.door,
        wanted.action is not None and Audit.action.startswith(wanted.action, autoescape=True),
        wanted.target is not None and Audit.target.like(_pattern(wanted.target), escape="\\"),
        wanted.since is not None and Audit.at >= wanted.since,
        wanted.until is not None and Audit.at < wanted.until,
    ]
    return ROWS.where(*(condition for condition in conditions if condition is not False))


def _pattern(target: str) -> str:
    escaped = "".join(GLOB.get(character, character) for character in target)
    return escaped if "*" in target or "?" in target else f"%{escaped}%"
