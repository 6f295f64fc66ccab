"""Projects: the brands or clients that group sites and credentials; one exists from its first use on."""

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from vpsctl import audit
from vpsctl.app import Actor, App
from vpsctl.db.models import Project, Site
from vpsctl.errors import Invalid

SLUG = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")


@dataclass(frozen=True)
class ProjectInfo:
    slug: str
    name: str
    sites: int
    created_at: datetime


def ensure_project(session: Session, actor: Actor, slug: str) -> int:
    """The id of project `slug`, which is made when there is none. Raises Invalid for what is no slug."""
    if not SLUG.fullmatch(slug):
        hint = "use 1 to 40 lower-case letters, digits and inner hyphens, such as acme"
        raise Invalid(f"{slug!r} is not a project's name", hint=hint)
    new = insert(Project).values(slug=slug, name=slug).on_conflict_do_nothing().returning(Project.id)
    made = session.scalar(new)
    if made is None:
        return session.scalars(select(Project.id).where(Project.slug == slug)).one()
    audit.record(session, actor, "project.create", slug, {})
    return made


def list_projects(app: App) -> list[ProjectInfo]:
    """Every project with the number of its sites, by slug."""
    query = select(Project, func.count(Site.id)).outerjoin(Site, Site.project_id == Project.id).group_by(Project.id)
    with app.database.transaction() as session:
        rows = session.execute(query.order_by(Project.slug)).all()
        return [ProjectInfo(project.slug, project.name, sites, project.created_at) for project, sites in rows]
