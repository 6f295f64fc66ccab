"""The versions of a credential: listed, put back into force, and destroyed."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from vpsctl.app import App
from vpsctl.audit.record import record
from vpsctl.credentials.head import find_head
from vpsctl.credentials.name import audited_name, full_name, one_at_a_time
from vpsctl.credentials.read import open_credential
from vpsctl.credentials.set import CredentialVersionInfo, add_version
from vpsctl.credentials.usage import sites_using
from vpsctl.db.models import Credential, CredentialVersion
from vpsctl.errors import Conflict, NotFound


@dataclass(frozen=True)
class VersionInfo:
    version: int
    created_at: datetime
    created_by: str
    destroyed_at: datetime | None
    """Its value is gone for good since then."""
    current: bool
    key_id: str
    """The master key it is under; empty for a destroyed one."""


@dataclass(frozen=True)
class VersionDestroyed:
    name: str
    project: str | None
    version: int
    used_by: tuple[str, ...]
    """Sites that run with it still, and cannot be rolled back to or scaled with it."""


def list_versions(app: App, name: str, *, project: str | None = None) -> list[VersionInfo]:
    """The newest first. Raises NotFound."""
    with app.database.transaction() as session:
        head = find_head(app, session, name, project)
        row = CredentialVersion
        query = select(row.version, row.created_at, row.created_by, row.destroyed_at, row.key_id)
        found = session.execute(query.where(row.credential_id == head.id).order_by(row.version.desc()))
        return [
            VersionInfo(number, created, by, destroyed, number == head.last_version, key_id)
            for number, created, by, destroyed, key_id in found
        ]


def rollback_credential(app: App, name: str, to: int, *, project: str | None = None) -> CredentialVersionInfo:
    """A new version with the value that version `to` has; the ones between stay.

    Raises NotFound for a version that there is not or that was destroyed, Conflict for the newest.
    """
    with app.database.transaction() as session:
        head = find_head(app, session, name, project)
        if to == head.last_version:
            raise Conflict(f"version {to} of {full_name(name, project)} is the newest", hint=f"vpsctl cred versions {name}")
        _find(session, head, to, project)
    value = open_credential(app, name, project=project, version=to).value
    with app.database.transaction() as session:
        one_at_a_time(session, name)
        head = find_head(app, session, name, project)
        row, version = add_version(app, session, name, value, project_id=head.project_id)
        record(app, session, "credential.rollback", audited_name(name, project), {"to": to, "version": version.version})
        return CredentialVersionInfo(name, project, row.kind, version.version, version.created_at)


def destroy_version(
    app: App, name: str, version: int, *, project: str | None = None, force: bool = False
) -> VersionDestroyed:
    """Throw away the data key and the ciphertext of one version; that it was there stays known.

    Backups of the database made before still hold it, under the master key of then.
    Raises NotFound, Conflict for the newest one and, without `force`, for one that a site runs with.
    """
    with app.database.transaction() as session:
        one_at_a_time(session, name)
        row, sites = _destroyable(session, find_head(app, session, name, project), version, project, force)
        row.key_id, row.key_nonce, row.wrapped_key, row.nonce, row.ciphertext = "", b"", b"", b"", b""
        row.destroyed_at = datetime.now(UTC)
        record(app, session, "credential.destroy", audited_name(name, project), {"version": version, "used_by": sites})
        return VersionDestroyed(name, project, version, sites)


def check_destruction(app: App, name: str, version: int, *, project: str | None = None, force: bool = False) -> None:
    """Raises what `destroy_version` would raise now; changes nothing."""
    with app.database.transaction() as session:
        _destroyable(session, find_head(app, session, name, project), version, project, force)


def _destroyable(
    session: Session, head: Credential, version: int, project: str | None, force: bool
) -> tuple[CredentialVersion, tuple[str, ...]]:
    """The version, and the sites that run with it."""
    told = full_name(head.name, project)
    if version == head.last_version:
        hint = f"set or roll back to another value first, or: vpsctl cred remove {head.name}"
        raise Conflict(f"version {version} of {told} is the newest, and is what sites get", hint=hint)
    row = _find(session, head, version, project)
    sites = tuple(sites_using(session).get((head.name, version), ()))
    if sites and not force:
        hint = f"deploy them first (vpsctl deploy {sites[0]}), or add --force"
        raise Conflict(f"version {version} of {told} is what {', '.join(sites)} runs with", hint=hint)
    return row, sites


def _find(session: Session, head: Credential, version: int, project: str | None) -> CredentialVersion:
    row = session.get(CredentialVersion, (head.id, version))
    if row is None or row.destroyed_at is not None:
        told = f"version {version} of credential {full_name(head.name, project)}"
        message = f"there is no {told}" if row is None else f"{told} was destroyed"
        raise NotFound(message, hint=f"vpsctl cred versions {head.name}")
    return row
