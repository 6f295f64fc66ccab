"""Finding a project, and making the one that a site names first."""

import re
from typing import Literal

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from vpsctl.db.models import Project
from vpsctl.errors import Conflict, Invalid, NotFound

SLUG = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
Lock = Literal["share", "update"]


def checked_slug(slug: str) -> str:
    """`slug` when it can be a project's. Raises Invalid."""
    if not SLUG.fullmatch(slug):
        hint = "use 1 to 40 lower-case letters, digits and inner hyphens, such as acme"
        raise Invalid(f"{slug!r} is not a project's name", hint=hint)
    return slug


def find_project(session: Session, slug: str, *, lock: Lock | None = None) -> Project:
    """The project called `slug`, archived or not.

    `lock`: until this transaction ends nobody else changes or removes it; "update": nor holds it with "share".
    Raises NotFound, Invalid for what is no slug.
    """
    found = _look(session, checked_slug(slug), lock)
    if found is None:
        hint = f"vpsctl project list, or vpsctl project add {slug}"
        raise NotFound(f"there is no project {slug}", hint=hint)
    return found


def check_active(project: Project) -> None:
    """Before something new is put into it; what it has goes on. Raises Conflict for an archived one."""
    if project.archived_at is not None:
        hint = f"vpsctl project archive {project.slug} --undo"
        raise Conflict(f"project {project.slug} is archived and gets nothing new", hint=hint)


def check_open(session: Session, slug: str) -> None:
    """Before work for something new in it, whether or not it is there. Raises as `ensure_project` does, and makes none."""
    found = _look(session, checked_slug(slug), None)
    if found is not None:
        check_active(found)


def ensure_project(session: Session, slug: str) -> tuple[int, bool]:
    """(its id, whether it was made now) of the project that gets something new; it stays until this transaction ends.

    There is no audit row for it: whoever needed it says so in their own ({"project": …, "project_made": …}).
    Raises Invalid for what is no slug, Conflict when it is archived.
    """
    checked_slug(slug)
    while True:
        found = _look(session, slug, "share")
        if found is not None:
            check_active(found)
            return found.id, False
        new = insert(Project).values(slug=slug, name=slug)
        made = session.scalar(new.on_conflict_do_nothing().returning(Project.id))
        if made is not None:
            return made, True
        # somebody else made it between the two; and may have removed it before the next


def _look(session: Session, slug: str, lock: Lock | None) -> Project | None:
    query = select(Project).where(Project.slug == slug).execution_options(populate_existing=True)
    return session.scalar(query.with_for_update(read=lock == "share") if lock else query)
