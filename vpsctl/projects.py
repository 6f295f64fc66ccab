"""Projects: the brands or clients that group sites and credentials; one exists from its first use on."""

import re

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from vpsctl import audit
from vpsctl.app import Actor
from vpsctl.db.models import Project
from vpsctl.errors import Invalid

SLUG = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")


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
