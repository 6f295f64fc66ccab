"""Export credentials: their values into one age file, and who did it and why on record before it is written."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import and_, select, update
from sqlalchemy.orm import Session

from vpsctl import age, private_file
from vpsctl.app import App
from vpsctl.audit.record import record
from vpsctl.credentials.exchange.formats import OUR_VERSION, OURS
from vpsctl.credentials.head import NEWEST, PURPOSE, check_head
from vpsctl.credentials.name import full_name
from vpsctl.credentials.read import audited_refusal, open_version
from vpsctl.db.models import Credential, CredentialVersion, Project
from vpsctl.errors import Failed, Invalid, NotFound
from vpsctl.inner_key import subkey
from vpsctl.projects.find import find_project
from vpsctl.secret import Secret


@dataclass(frozen=True)
class Exported:
    path: Path
    credentials: tuple[str, ...]
    """Names, those of a project as "acme/DB_PASSWORD"."""
    recipients: tuple[str, ...]
    """Who can open it; none: whoever has the passphrase."""
    size: int
    """Bytes."""


def export_credentials(
    app: App,
    *,
    to: Path,
    reason: str,
    project: str | None = None,
    recipients: Sequence[str] = (),
    passphrase: Secret | None = None,
) -> Exported:
    """The newest value of every credential of `project`, or of all projects and the whole machine, to `to` (0600).

    Encrypted to `recipients` or with `passphrase` (see `age.encrypt_to`); `vpsctl cred import` reads it again. It counts
    as a reveal of each. Raises Invalid without a reason or for a recipient that is none; Conflict when `to` exists;
    NotFound when there is nothing to export; Failed when a stored value was altered, or `to` cannot be written.
    """
    if not reason.strip():
        raise Invalid("an export needs a reason, which the audit trail keeps", hint='--reason "move to the new server"')
    private_file.check_free(to)
    with app.database.transaction() as session:
        items = _items(app, session, project)
    names = tuple(full_name(item["name"], item["project"]) for item in items)
    now = datetime.now(UTC)
    document = {"format": OURS, "version": OUR_VERSION, "exported_at": now.isoformat(), "instance": app.settings.instance}
    text = json.dumps({**document, "credentials": items}, ensure_ascii=False, indent=1)
    data = age.encrypt_to(text.encode(), recipients=recipients, passphrase=passphrase)
    with app.database.transaction() as session:
        fields = {
            "credentials": {name: item["version"] for name, item in zip(names, items, strict=True)},
            "reason": reason.strip(),
            "to": to,
            "recipients": list(recipients),
            "passphrase": passphrase is not None,
        }
        record(app, session, "credential.export", f"project:{project}" if project else "credentials", fields)
        _note_revealed(session, items, now)
    private_file.write_free(to, data)
    return Exported(to, names, tuple(recipients), len(data))


def _items(app: App, session: Session, project: str | None) -> list[dict[str, Any]]:
    query = (
        select(Credential, CredentialVersion, Project.slug, NEWEST)
        .outerjoin(Project, Project.id == Credential.project_id)
        .outerjoin(
            CredentialVersion,
            and_(CredentialVersion.credential_id == Credential.id, CredentialVersion.version == Credential.last_version),
        )
        .where(Credential.removed_at.is_(None))
        .order_by(Project.slug.nulls_first(), Credential.name)
    )
    if project is not None:
        query = query.where(Credential.project_id == find_project(session, project).id)
    key = subkey(app, session, PURPOSE)
    rows = session.execute(query).all()
    if not rows:
        where = f" of project {project}" if project else ""
        raise NotFound(f"there are no credentials{where}", hint="vpsctl cred list")
    return [_item(app, key, row) for row in rows]


def _note_revealed(session: Session, items: Sequence[dict[str, Any]], now: datetime) -> None:
    names = {item["name"] for item in items}
    exported = {(item["name"], item["project"]) for item in items}
    query = select(Credential.id, Credential.name, Project.slug).outerjoin(Project, Project.id == Credential.project_id)
    rows = session.execute(query.where(Credential.name.in_(names)))
    ids = [number for number, name, slug in rows if (name, slug) in exported]
    session.execute(update(Credential).where(Credential.id.in_(ids)).values(last_revealed_at=now))


def _item(app: App, key: bytes, row: Any) -> dict[str, Any]:
    head, version, slug, newest = row
    with audited_refusal(app, head.name, slug, head.last_version):
        check_head(key, head, slug, newest)
        if version is None or version.destroyed_at is not None:
            hint = f"vpsctl cred versions {head.name}"
            raise Failed(f"credential {full_name(head.name, slug)}: its newest value is not there any more", hint=hint)
        value = open_version(app, head, version)
    return {
        "name": head.name,
        "project": slug,
        "kind": head.kind,
        "description": head.description,
        "details": head.details,
        "version": head.last_version,
        "value": value.reveal(),
        "expires_at": head.expires_at and head.expires_at.astimezone(UTC).isoformat(),
        "rotate_every": head.rotate_every,
    }
