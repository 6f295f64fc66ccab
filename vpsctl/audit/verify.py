"""Verifying the audit trail: every row, the chain, its end, and what was known of it before."""

from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from vpsctl.app import App
from vpsctl.audit.anchor import read_anchor, write_anchor
from vpsctl.audit.chain import Known, Problem, Walk
from vpsctl.audit.record import PURPOSE
from vpsctl.audit.rows import ROWS, read_rows
from vpsctl.db.audit_digest import EARLIER_DIGEST
from vpsctl.db.models import Audit, AuditHead, InnerKey
from vpsctl.db.session import one_state
from vpsctl.errors import Failed
from vpsctl.inner_key import subkey


@dataclass(frozen=True)
class Verified:
    rows: int
    """How many stand in the trail."""
    first: int
    """The chain's first one; what is older is held by one digest."""
    last: int
    head_mac: str
    """Of the last row, in hex: noted elsewhere, it proves later that the trail had come this far."""
    anchor: datetime | None
    """When the trail was last found whole, and so what it was compared with; None: never before."""
    problems: tuple[Problem, ...]
    more: int
    """Problems beyond those."""


def verify_audit(app: App) -> Verified:
    """Look at every row, in batches. A clean trail's end is noted in `{home}/audit-anchor`, and compared the next time:
    a database that was set back as a whole is whole in itself.

    Raises what `subkey` raises without the right master key, Invalid for a damaged anchor.
    """
    known = read_anchor(app.settings.home)  # before the rows: it may only be older than they are
    with app.database.transaction() as session:
        one_state(session)
        head = find_head(session)
        count, highest = session.execute(select(func.count(), func.coalesce(func.max(Audit.id), 0))).one()
        key = audit_key(app, session) if highest > head.earlier or head.seal else b""
        walk = Walk(key, head, earlier_digest(session, head), known)
        for row_id in session.scalars(select(Audit.id).where(Audit.id < 1)):
            walk.before_first(row_id)
        for row in read_rows(session, ROWS.where(Audit.id > max(0, head.earlier)).order_by(Audit.id)):
            walk.step(row)
        problems = tuple(walk.finish())
    if not problems:
        write_anchor(app.settings.home, Known(head.last, head.mac, datetime.now(UTC)))
    anchor = known.at if known else None
    return Verified(count, head.earlier + 1, walk.last, head.mac.hex(), anchor, problems, walk.untold)


def find_head(session: Session) -> AuditHead:
    """The chain's head; where it was removed, one without a seal that is made up from the rows."""
    head = session.get(AuditHead, 1)
    if head is not None:
        return head
    earlier = session.scalar(select(func.max(Audit.id)).where(Audit.mac.is_(None))) or 0
    last = session.scalar(select(func.max(Audit.id))) or 0
    head = AuditHead(id=1, earlier=earlier, last=last, mac=b"", seal=None)
    head.earlier_digest = earlier_digest(session, head)
    return head


def audit_key(app: App, session: Session) -> bytes:
    """The key of the chain, which must be there: one that is made now would fit no row."""
    if session.get(InnerKey, 1) is None:
        raise Failed(
            "the key of the audit trail is gone: its row in inner_key was removed", hint="restore the database from a backup"
        )
    return subkey(app, session, PURPOSE)


def earlier_digest(session: Session, head: AuditHead) -> bytes:
    """SHA-256 of the rows that are older than the chain, as they are now."""
    if head.earlier == 0:
        return sha256(b"").digest()  # whatever stands below 1
    return bytes(session.scalar(text(EARLIER_DIGEST), {"earlier": head.earlier}) or b"")
