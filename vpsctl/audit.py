"""The audit trail: one row for each change, written in the transaction that makes the change."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from vpsctl.app import Actor
from vpsctl.db.models import Audit
from vpsctl.encoding import to_plain


def record(
    session: Session, actor: Actor, action: str, target: str, fields: Mapping[str, Any], run_id: int | None = None
) -> None:
    """Add one audit row: `action` as "credential.set", `target` as its name, `fields` without secret values."""
    row = Audit(actor=actor.name, door=actor.door, action=action, target=target, fields=to_plain(fields), run_id=run_id)
    session.add(row)
