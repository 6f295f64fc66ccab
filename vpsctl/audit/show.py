"""One row of the audit trail: all of it, whether its place in the chain is intact, and the run it belongs to."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from vpsctl.app import App
from vpsctl.audit.chain import is_genuine
from vpsctl.audit.list import AuditRow, audit_row
from vpsctl.audit.record import is_sealed
from vpsctl.audit.rows import find_row
from vpsctl.audit.verify import audit_key, earlier_digest, find_head
from vpsctl.db.models import Audit, AuditHead, Run
from vpsctl.db.session import one_state
from vpsctl.errors import NotFound


@dataclass(frozen=True)
class AuditRun:
    id: int
    kind: str
    subject: str


@dataclass(frozen=True)
class AuditShown:
    row: AuditRow
    previous: str | None
    """`mac` of the row before, in hex; None in rows older than the chain."""
    mac: str | None
    intact: bool
    told: str
    """What is wrong with its place, or what holds it."""
    run: AuditRun | None
    """None also when that run was deleted since."""


def show_audit(app: App, row_id: int) -> AuditShown:
    """Raises NotFound, and what `subkey` raises without the right master key."""
    with app.database.transaction() as session:
        one_state(session)
        row = find_row(session, row_id)
        if row is None:
            raise NotFound(f"there is no audit row {row_id}", hint="vpsctl audit list")
        head = find_head(session)
        wrong = _older(session, head) if row.id <= head.earlier else _wrong(app, session, head, row)
        run = session.get(Run, row.run_id) if row.run_id is not None else None
        return AuditShown(
            row=audit_row(row),
            previous=row.previous.hex() if row.previous else None,
            mac=row.mac.hex() if row.mac else None,
            intact=not wrong,
            told=wrong or (HELD if row.id <= head.earlier else LINKED),
            run=AuditRun(run.id, run.kind, run.subject) if run else None,
        )


HELD = "older than the chain, and held by its digest"
LINKED = "as it was written, between the rows it was written between"


def _older(session: Session, head: AuditHead) -> str:
    same = earlier_digest(session, head) == head.earlier_digest
    return "" if same else f"the rows up to {head.earlier}, older than the chain, are not as they were"


def _wrong(app: App, session: Session, head: AuditHead, row: Audit) -> str:
    key = audit_key(app, session)
    if not is_genuine(key, row):
        return "it is not as vpsctl wrote it at this place"
    return _before(session, head, row) or _after(session, head, row, sealed=is_sealed(key, head))


def _before(session: Session, head: AuditHead, row: Audit) -> str:
    if row.id == head.earlier + 1:
        return "" if row.previous == earlier_digest(session, head) else "the rows older than the chain are not as they were"
    before = find_row(session, row.id - 1)
    if before is None:
        return f"row {row.id - 1} before it is missing"
    return "" if before.mac == row.previous else f"row {before.id} is not the one that it was written after"


def _after(session: Session, head: AuditHead, row: Audit, *, sealed: bool) -> str:
    after = find_row(session, row.id + 1)
    if after is not None:
        return "" if after.previous == row.mac else f"row {after.id} was not written after it"
    if row.id < head.last:
        return f"row {row.id + 1} after it is missing"
    same = sealed and row.id == head.last and row.mac == head.mac
    return "" if same else "the end of the trail (audit_head) does not name it"
