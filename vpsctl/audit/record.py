"""The audit trail: one row for each change, written in the transaction that makes the change, chained to the row before."""

import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from vpsctl.app import App
from vpsctl.audit.late import late_rows
from vpsctl.db.models import Audit, AuditHead
from vpsctl.db.session import before_commit
from vpsctl.encoding import to_plain
from vpsctl.errors import Failed
from vpsctl.inner_key import subkey
from vpsctl.scrub import Scrubber
from vpsctl.vault.sealed import binding

PURPOSE = "audit"


def record(
    app: App, session: Session, action: str, target: str, fields: Mapping[str, Any], run_id: int | None = None
) -> None:
    """Add one audit row: `action` as "credential.set", `target` as "site:shop", `fields` without secret values.

    It is written as the last thing of the transaction, since the chain lets one writer through at a time.
    Raises Failed when the master key is not this installation's: what cannot be audited is not done.
    """
    key = subkey(app, session, PURPOSE)
    plain = Scrubber().value(to_plain(fields))  # for what Postgres cannot store; no secret comes this way
    row = Audit(
        at=datetime.now(UTC),
        actor=app.actor.name,
        door=app.actor.door,
        origin=app.actor.origin,
        action=action,
        target=target,
        fields=plain,
        run_id=run_id,
    )
    before_commit(session, lambda session: _append_all(app, session, key, row))


def check_trail(app: App, session: Session) -> int:
    """The number of the newest row; before a change that no transaction can take back.

    Raises Failed when no row could be written now: what cannot be audited is not begun.
    """
    subkey(app, session, PURPOSE)
    last: int | None = session.scalar(select(AuditHead.last))
    if last is None:
        raise _headless()
    return last


def recorded_since(session: Session, last: int, run_id: int) -> bool:
    """Whether a row of that run is newer than row `last`."""
    return session.scalar(select(Audit.id).where(Audit.id > last, Audit.run_id == run_id).limit(1)) is not None


def _append_all(app: App, session: Session, key: bytes, row: Audit) -> None:
    for late in late_rows(app, session):
        _append(session, key, late)
    _append(session, key, row)


def _append(session: Session, key: bytes, row: Audit) -> None:
    head = session.scalar(select(AuditHead).with_for_update())
    if head is None:
        raise _headless()
    sealed = is_sealed(key, head)
    row.id, row.previous = head.last + 1, head.mac
    row.mac = row_mac(key, row)
    head.last, head.mac = row.id, row.mac
    if sealed:  # a broken seal stays broken: a new one would hide from `audit verify` that the head was set back
        head.seal = head_mac(key, head.last, head.mac)
    session.add(row)


def _headless() -> Failed:
    return Failed("the head of the audit trail is gone: its row was removed", hint="restore the database from a backup")


def row_mac(key: bytes, row: Audit) -> bytes:
    """32 bytes over all of a row but its own `mac`; `previous` among it, which makes the chain."""
    told = {
        "id": row.id,
        "at": row.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "actor": row.actor,
        "door": row.door,
        "origin": row.origin,
        "action": row.action,
        "target": row.target,
        "fields": _canonical(row.fields),
        "run_id": row.run_id,
    }
    document = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hmac.digest(key, binding("audit", document) + (row.previous or b""), sha256)


def head_mac(key: bytes, last: int, mac: bytes) -> bytes:
    """32 bytes over where the chain ends: nobody without the key can say that it ended earlier."""
    return hmac.digest(key, binding("audit_head", last) + mac, sha256)


def is_sealed(key: bytes, head: AuditHead) -> bool:
    """Whether vpsctl itself wrote where the chain ends; a chain without a row has no seal yet."""
    if head.seal is None:
        return head.last == head.earlier and head.mac == head.earlier_digest
    return hmac.compare_digest(head.seal, head_mac(key, head.last, head.mac))


def _canonical(value: Any) -> Any:
    """JSONB gives 1e23 back as an integer of its 24 digits, and 1.0 as it came: both are the same number here."""
    if isinstance(value, float) and value.is_integer():
        return int(Decimal(repr(value)))
    if isinstance(value, dict):
        return {key: _canonical(item) for key, item in value.items()}
    return [_canonical(item) for item in value] if isinstance(value, list) else value
