"""The projects of this installation, and what belongs to each."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from vpsctl.app import App
from vpsctl.db.models import Credential, Grant, Project, Site, User
from vpsctl.projects.find import find_project
from vpsctl.projects.write import read_details

SOON = timedelta(days=30)
"""How long before its end a credential counts as expiring."""


@dataclass(frozen=True)
class ProjectInfo:
    slug: str
    name: str
    tags: tuple[str, ...]
    owner: str | None
    sites: int
    credentials: int
    archived_at: datetime | None


@dataclass(frozen=True)
class ProjectCredential:
    name: str
    kind: str
    version: int
    expires_at: datetime | None
    expiring: bool
    """In 30 days, or already over."""


@dataclass(frozen=True)
class ProjectDetail:
    slug: str
    name: str
    description: str
    tags: tuple[str, ...]
    external_ids: Mapping[str, str]
    owner: str | None
    created_at: datetime
    archived_at: datetime | None
    sites: tuple[str, ...]
    credentials: tuple[ProjectCredential, ...]
    """Its own; its sites see those of the whole machine as well."""
    grants: Mapping[str, str]
    """{user: role} of those who have one in it."""


def list_projects(app: App, *, archived: bool = False, tag: str | None = None) -> tuple[ProjectInfo, ...]:
    """By slug; with `archived` those as well. One query."""
    sites = select(func.count()).select_from(Site).where(Site.project_id == Project.id).scalar_subquery()
    theirs = (Credential.project_id == Project.id, Credential.removed_at.is_(None))
    credentials = select(func.count()).select_from(Credential).where(*theirs).scalar_subquery()
    query = select(Project, sites, credentials).order_by(Project.slug)
    if not archived:
        query = query.where(Project.archived_at.is_(None))
    if tag is not None:
        query = query.where(Project.tags.contains([tag]))
    with app.database.transaction() as session:
        return tuple(
            ProjectInfo(row.slug, row.name, tuple(row.tags), row.owner, has_sites, has_credentials, row.archived_at)
            for row, has_sites, has_credentials in session.execute(query)
        )


def describe_project(app: App, slug: str, *, now: datetime) -> ProjectDetail:
    """Raises NotFound."""
    with app.database.transaction() as session:
        row = find_project(session, slug)
        details = read_details(row)
        return ProjectDetail(
            slug=slug,
            name=details.name,
            description=details.description,
            tags=details.tags,
            external_ids=details.external_ids,
            owner=details.owner,
            created_at=row.created_at,
            archived_at=row.archived_at,
            sites=tuple(session.scalars(select(Site.name).where(Site.project_id == row.id).order_by(Site.name))),
            credentials=_credentials(session, row.id, now),
            grants=_grants(session, row.id),
        )


def _credentials(session: Session, project_id: int, now: datetime) -> tuple[ProjectCredential, ...]:
    query = select(Credential).where(Credential.project_id == project_id, Credential.removed_at.is_(None))
    return tuple(
        ProjectCredential(
            row.name,
            row.kind,
            row.last_version,
            row.expires_at,
            row.expires_at is not None and row.expires_at <= now + SOON,
        )
        for row in session.scalars(query.order_by(Credential.name))
    )


def _grants(session: Session, project_id: int) -> dict[str, str]:
    query = select(User.name, Grant.role).join(Grant, Grant.user_id == User.id).where(Grant.project_id == project_id)
    return {name: role for name, role in session.execute(query.order_by(User.name))}
