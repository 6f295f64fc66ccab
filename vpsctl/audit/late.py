"""Audit rows of what was done while Postgres did not answer: kept in {home}/audit-late until the next row is written.

Whoever mends the ledger needs to restart a container or look into one without it. What they did must not be lost.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Any

from sqlalchemy import event, select
from sqlalchemy.orm import Session

from vpsctl import private_file
from vpsctl.app import App
from vpsctl.db.models import Audit
from vpsctl.encoding import to_plain
from vpsctl.errors import Failed, NotFound
from vpsctl.scrub import Scrubber

WHAT = "audit row that waits for Postgres"


def keep_late(app: App, action: str, target: str, fields: Mapping[str, Any]) -> None:
    """Keep a row for later; nothing on a machine without a state directory, which has no audit trail yet. Raises Failed."""
    if not app.settings.home.is_dir():
        return
    now = datetime.now(UTC)
    row = {
        "actor": app.actor.name,
        "door": app.actor.door,
        "origin": app.actor.origin,
        "action": action,
        "target": target,
        "fields": {**Scrubber().value(to_plain(fields)), "happened": now.isoformat()},
    }
    path = _directory(app) / f"{now:%Y%m%dT%H%M%S.%f}-{token_hex(4)}"
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        private_file.write(path, json.dumps(row).encode() + b"\n")
    except OSError as error:
        raise Failed(f"cannot write {path}: {error.strerror or error}", hint="vpsctl doctor") from error


def late_rows(app: App, session: Session) -> Iterator[Audit]:
    """Those that wait, oldest first, for this transaction to write; their files go once it is committed.

    Each has its file's name among its fields ("late"): after a kill between the two it is not written again.
    Called with the trail's head locked, which lets one writer through at a time.
    """
    directory = _directory(app)
    for path in sorted(directory.iterdir()) if directory.is_dir() else ():
        row = _read(path)
        if row is None:
            continue
        happened = datetime.fromisoformat(row.fields["happened"])
        written = select(Audit.id).where(Audit.at >= happened, Audit.fields["late"].astext == path.name)
        event.listen(session, "after_commit", lambda _, path=path: path.unlink(missing_ok=True), once=True)
        if session.scalar(written.limit(1)) is None:
            yield row


def _read(path: Path) -> Audit | None:
    """None for a draft that a kill left, or a file that another process has written down meanwhile."""
    if path.name.startswith("."):
        return None
    try:
        row: dict[str, Any] = json.loads(private_file.read(path, WHAT))
        row["fields"]["late"] = path.name
        return Audit(at=datetime.now(UTC), run_id=None, **row)
    except NotFound:
        return None
    except (ValueError, TypeError, KeyError) as error:
        raise Failed(f"the {WHAT} at {path} is damaged", hint=f"look into {path}, then remove it") from error


def _directory(app: App) -> Path:
    return app.settings.home / "audit-late"
