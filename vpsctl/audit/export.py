"""The audit trail as JSON lines, oldest first, for keeping and checking elsewhere.

Each line has every column of a row, `previous` and `mac` in hex; the last one is {"head": …}. From the lines alone
anybody can see that `previous` of each row is `mac` of the row before, that ids have no gap, and that the last `mac` is
the head's. With the key "audit" of the installation (`vpsctl.inner_key.subkey`) each `mac` is recomputed as
`vpsctl.audit.record.row_mac` does, HMAC-SHA256 over

    binding("audit", the row's other columns but `previous`, as JSON with sorted keys and no spaces) + previous

and the head's `seal` as `head_mac` does, over binding("audit_head", last) + mac (binding: `vpsctl.vault.sealed`).
Rows up to the head's `earlier` are older than the chain and have neither: `vpsctl.db.audit_digest` holds them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Select, false, func, select
from sqlalchemy.orm import Session

from vpsctl import private_file
from vpsctl.app import App
from vpsctl.audit.list import audit_row
from vpsctl.audit.rows import ROWS, read_rows
from vpsctl.audit.verify import find_head
from vpsctl.db.models import Audit, AuditHead
from vpsctl.db.session import one_state
from vpsctl.encoding import to_json, to_plain
from vpsctl.errors import Conflict, Failed


@dataclass(frozen=True)
class Exported:
    rows: int
    file: Path | None
    last: int
    head_mac: str
    """Of the last row, in hex."""


def export_audit(app: App, write: Callable[[str], object], *, since: datetime | None = None) -> Exported:
    """Hand `write` one line at a time, from the first row of `since` or later on: a whole piece of the chain."""
    with app.database.transaction() as session:
        one_state(session)
        head = find_head(session)
        count = 0
        for row in read_rows(session, _from(session, since).order_by(Audit.id)):
            write(to_json(_document(row)))
            count += 1
        write(to_json({"head": _head_document(head)}))
    return Exported(count, None, head.last, head.mac.hex())


def export_to_file(app: App, path: Path, *, since: datetime | None = None) -> Exported:
    """The same into a new file (0600), which appears when it is whole.

    Raises Conflict when something stands there, NotFound without the directory, Failed when it cannot be written.
    """
    private_file.check_free(path)
    try:
        with private_file.new_file(path) as file:
            done = export_audit(app, lambda line: file.write(line.encode() + b"\n"), since=since)
    except FileExistsError as error:
        raise Conflict(f"{path} is there already", hint="give a file that is not there yet") from error
    except OSError as error:
        raise Failed(f"cannot write {path}: {error.strerror}", hint="give another place") from error
    return Exported(done.rows, path, done.last, done.head_mac)


def _from(session: Session, since: datetime | None) -> Select[Any]:
    if since is None:
        return ROWS
    first = session.scalar(select(func.min(Audit.id)).where(Audit.at >= since))
    return ROWS.where(false() if first is None else Audit.id >= first)


def _document(row: Audit) -> dict[str, Any]:
    codes = {"previous": row.previous, "mac": row.mac}
    return {**to_plain(audit_row(row)), **{name: code.hex() if code else None for name, code in codes.items()}}


def _head_document(head: AuditHead) -> dict[str, Any]:
    return {
        "earlier": head.earlier,
        "earlier_digest": head.earlier_digest.hex(),
        "last": head.last,
        "mac": head.mac.hex(),
        "seal": head.seal.hex() if head.seal else None,
    }
