"""What credentials there are: names and versions, never a value."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from vpsctl.app import App
from vpsctl.credentials.usage import sites_using
from vpsctl.db.models import Credential, CredentialVersion, Project


@dataclass(frozen=True)
class CredentialInfo:
    name: str
    project: str | None
    """None: for every project that has none of its own."""
    version: int
    """The newest."""
    versions: tuple[int, ...]
    created_at: datetime
    changed_at: datetime
    used_by: tuple[str, ...]
    """Sites whose current release has it."""
    outdated: tuple[str, ...]
    """Those of them that run with an older version until their next deploy."""


def list_credentials(app: App) -> list[CredentialInfo]:
    """Every credential, by name, those for every project first. No encrypted column is read."""
    query = select(Credential, Project.slug).outerjoin(Project, Project.id == Credential.project_id)
    query = query.where(Credential.removed_at.is_(None)).order_by(Credential.name, Project.slug.nulls_first())
    with app.database.transaction() as session:
        versions, used = _versions(session), sites_using(session)
        return [_info(row, slug, versions[row.id], used) for row, slug in session.execute(query)]


def _versions(session: Session) -> dict[int, dict[int, datetime]]:
    columns = (CredentialVersion.credential_id, CredentialVersion.version, CredentialVersion.created_at)
    found: dict[int, dict[int, datetime]] = {}
    for credential, version, created in session.execute(select(*columns).order_by(CredentialVersion.version)):
        found.setdefault(credential, {})[version] = created
    return found


def _info(
    row: Credential, slug: str | None, versions: dict[int, datetime], used: dict[tuple[str, int], list[str]]
) -> CredentialInfo:
    newest = row.last_version
    users = {version: used.get((row.name, version), []) for version in versions}
    outdated = sorted(site for version, sites in users.items() if version != newest for site in sites)
    return CredentialInfo(
        row.name,
        slug,
        newest,
        tuple(versions),
        row.created_at,
        versions[newest],
        tuple(sorted([*outdated, *users[newest]])),
        tuple(outdated),
    )
