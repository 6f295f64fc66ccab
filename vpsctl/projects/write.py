"""Adding a project, changing what is said of it, archiving it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from vpsctl.app import App
from vpsctl.audit.record import record
from vpsctl.db.models import Project, User
from vpsctl.errors import Conflict, NotFound
from vpsctl.projects.details import Change, Details, changed, differences
from vpsctl.projects.find import checked_slug, find_project

NOTHING = Change()


@dataclass(frozen=True)
class ProjectChanged:
    slug: str
    changed: tuple[str, ...]
    """The fields that are not as before; none: nothing was written."""


def add_project(app: App, slug: str, change: Change = NOTHING) -> ProjectChanged:
    """Make project `slug`; without a name in `change` it is called by its slug.

    Raises Conflict when there is one, archived or not; NotFound for an owner that is no user; Invalid.
    """
    bare = Details(name=checked_slug(slug))
    wanted = changed(bare, change)
    with app.database.transaction() as session:
        _check_owner(session, wanted.owner)
        new = insert(Project).values(slug=slug, **_columns(wanted)).on_conflict_do_nothing().returning(Project.id)
        if session.scalar(new) is None:
            raise Conflict(f"there is a project {slug} already", hint=f"vpsctl project show {slug}")
        fields = differences(bare, wanted)
        record(app, session, "project.add", f"project:{slug}", fields)
    return ProjectChanged(slug, tuple(fields))


def update_project(app: App, slug: str, change: Change) -> ProjectChanged:
    """Raises NotFound for the project or the owner, Invalid."""
    with app.database.transaction() as session:
        row = find_project(session, slug, lock="update")
        before = read_details(row)
        after = changed(before, change)
        fields = differences(before, after)
        if fields:
            if "owner" in fields:
                _check_owner(session, after.owner)
            for name, value in _columns(after).items():
                setattr(row, name, value)
            record(app, session, "project.update", f"project:{slug}", fields)
    return ProjectChanged(slug, tuple(fields))


def archive_project(app: App, slug: str, *, undo: bool = False) -> ProjectChanged:
    """From now on it gets no new site or credential, and what it has goes on; `undo` takes that back. Raises NotFound."""
    with app.database.transaction() as session:
        row = find_project(session, slug, lock="update")
        if (row.archived_at is None) == undo:
            return ProjectChanged(slug, ())
        row.archived_at = None if undo else datetime.now(UTC)
        record(app, session, "project.archive", f"project:{slug}", {"archived": {"old": undo, "new": not undo}})
    return ProjectChanged(slug, ("archived",))


def read_details(row: Project) -> Details:
    return Details(row.name, row.description, tuple(row.tags), dict(sorted(row.external_ids.items())), row.owner)


def _columns(details: Details) -> dict[str, Any]:
    return {
        "name": details.name,
        "description": details.description,
        "tags": list(details.tags),
        "external_ids": dict(details.external_ids),
        "owner": details.owner,
    }


def _check_owner(session: Session, owner: str | None) -> None:
    if owner is not None and session.scalar(select(User.id).where(User.name == owner)) is None:
        raise NotFound(f"there is no user {owner}", hint="vpsctl user list")
