"""Show a value to a person: for a reason, seldom, and not before the audit trail has it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from vpsctl.app import App
from vpsctl.audit.record import record
from vpsctl.credentials.head import find_head
from vpsctl.credentials.kinds.catalogue import find_kind
from vpsctl.credentials.kinds.fields import fields
from vpsctl.credentials.name import audited_name, full_name
from vpsctl.credentials.read import Opened, open_credential
from vpsctl.db.models import Audit
from vpsctl.errors import Conflict, Invalid, NotFound
from vpsctl.secret import Secret

ACTION = "credential.reveal"
MOST = 10
"""Reveals of one person within `WINDOW`: enough for a bad day, too few to copy a vault by hand or by script."""
WINDOW = timedelta(hours=1)
ALONE = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")


@dataclass(frozen=True)
class Revealed:
    name: str
    project: str | None
    """None: of the whole machine."""
    kind: str
    version: int
    field: str | None
    """The part of it that `value` is; None: all of it."""
    value: Secret


def reveal_credential(
    app: App, name: str, *, project: str | None = None, version: int | None = None, field: str | None = None, reason: str
) -> Revealed:
    """The value of a credential as `project` sees it, or one field of it, for a person to read.

    Its audit row, with the reason, is committed before this returns; where it cannot be, nothing is revealed.
    Raises Invalid for a reason that is none; NotFound for the credential, its version or field; Conflict for the one
    over `MOST` of this actor within `WINDOW`; Failed when the stored row was altered.
    """
    told = {"reason": checked_reason(reason)}
    opened = open_credential(app, name, project=project, version=version)
    value = opened.value if field is None else _part(opened, field)
    with app.database.transaction() as session:
        session.execute(ALONE, {"name": f"{ACTION}:{app.actor.name}"})
        now = datetime.now(UTC)
        _check_rate(session, app.actor.name, now)
        find_head(app, session, name, opened.project).last_revealed_at = now
        record(app, session, ACTION, audited_name(name, opened.project), {**told, "version": opened.version, "field": field})
    return Revealed(name, opened.project, opened.kind, opened.version, field, value)


def checked_reason(reason: str) -> str:
    """`reason` without the space around it. Raises Invalid."""
    plain = reason.strip()
    if not 3 <= len(plain) <= 200 or not plain.isprintable():
        hint = 'say it in 3 to 200 characters on one line: --reason "moving the shop to another host"'
        raise Invalid("a reveal needs a reason that others can read later", hint=hint)
    return plain


def _part(opened: Opened, field: str) -> Secret:
    found = fields(opened.kind, opened.value)
    if field not in found:
        kind = find_kind(opened.kind)
        # The keys of a key-value set stand in its value, which nobody is shown here.
        known = ", ".join(known.name for known in kind.fields if known.name in found)
        hint = f"its fields are {known}" if known else f"leave --field out: vpsctl cred reveal {opened.name}"
        raise NotFound(f"credential {full_name(opened.name, opened.project)} has no field {field}", hint=hint)
    return found[field]


def _check_rate(session: Session, actor: str, now: datetime) -> None:
    mine = (Audit.actor == actor, Audit.action == ACTION, Audit.at > now - WINDOW)
    recent = session.scalars(select(Audit.at).where(*mine).order_by(Audit.at.desc()).limit(MOST)).all()
    if len(recent) == MOST:
        message = f"{actor} has revealed {MOST} credentials within an hour; the next is possible at "
        hint = "to run something with it, nobody needs to see it: vpsctl cred use NAME -- COMMAND"
        raise Conflict(f"{message}{recent[-1] + WINDOW:%H:%M:%S} UTC", hint=hint)
