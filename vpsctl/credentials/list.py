"""What credentials there are: names and versions, never a value."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, func, select

from vpsctl.app import App
from vpsctl.credentials.usage import sites_using, sites_waiting
from vpsctl.db.models import Credential, CredentialVersion, Project
from vpsctl.projects.find import find_project

Sites = Mapping[tuple[str, int], Sequence[str]]
"""{(name, version): sites}."""


@dataclass(frozen=True)
class CredentialInfo:
    name: str
    project: str | None
    """None: for every project that has none of its own."""
    kind: str
    version: int
    """The newest."""
    versions: tuple[int, ...]
    created_at: datetime
    changed_at: datetime
    expires_at: datetime | None
    due_at: datetime | None
    """When it should be rotated, or expires; whichever comes first."""
    used_by: tuple[str, ...]
    """Sites whose current release has it."""
    outdated: tuple[str, ...]
    """Sites that their next deploy takes off one of its versions, or brings to one."""


def list_credentials(app: App, *, project: str | None = None) -> list[CredentialInfo]:
    """Every credential, or those of one project; by name, those for every project first. No encrypted column is read.

    Raises NotFound for a project that there is not.
    """
    with app.database.transaction() as session:
        query = _query()
        if project is not None:
            query = query.where(Credential.project_id == find_project(session, project).id)
        users, waiting = sites_using(session), sites_waiting(session)
        return [_info(row, users, waiting) for row in session.execute(query)]


def due_at(changed_at: datetime, expires_at: datetime | None, rotate_every: int | None) -> datetime | None:
    """When a value that stands since `changed_at` ends or should be replaced; None for never."""
    rotation = None if rotate_every is None else changed_at + timedelta(days=rotate_every)
    return min((moment for moment in (expires_at, rotation) if moment is not None), default=None)


def of_versions(sites: Sites, name: str, versions: Sequence[int]) -> tuple[str, ...]:
    """The sites of any of these versions."""
    return tuple(sorted({site for version in versions for site in sites.get((name, version), ())}))


def _query() -> Any:
    version, stored = CredentialVersion.version, CredentialVersion.destroyed_at.is_(None)
    return (
        select(
            Credential.name,
            Project.slug,
            Credential.kind,
            Credential.last_version,
            func.array_remove(func.array_agg(version), None).label("versions"),
            Credential.created_at,
            func.coalesce(func.max(CredentialVersion.created_at), Credential.created_at).label("changed_at"),
            Credential.expires_at,
            Credential.rotate_every,
        )
        .outerjoin(CredentialVersion, and_(CredentialVersion.credential_id == Credential.id, stored))
        .outerjoin(Project, Project.id == Credential.project_id)
        .where(Credential.removed_at.is_(None))
        .group_by(Credential.id, Project.slug)
        .order_by(Credential.name, Project.slug.nulls_first())
    )


def _info(row: Any, users: Sites, waiting: Sites) -> CredentialInfo:
    name, slug, kind, newest, numbers, created, changed, expires, every = row
    versions = tuple(sorted(numbers))
    due = due_at(changed, expires, every)
    sites, late = of_versions(users, name, versions), of_versions(waiting, name, versions)
    return CredentialInfo(name, slug, kind, newest, versions, created, changed, expires, due, sites, late)
