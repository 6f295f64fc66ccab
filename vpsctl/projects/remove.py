"""Removing a project that nothing belongs to any more."""

from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from vpsctl.app import App
from vpsctl.audit.record import record
from vpsctl.db.models import Credential, Grant, Project, Site, Token, User
from vpsctl.errors import Conflict
from vpsctl.projects.find import find_project


@dataclass(frozen=True)
class ProjectRemoved:
    slug: str
    grants: tuple[str, ...]
    """Users who had a role in it."""
    tokens: tuple[str, ...]
    """Public ids of those that were good for it alone; none of them is good for anything now."""


def remove_project(app: App, slug: str) -> ProjectRemoved:
    """Raises NotFound; Conflict naming the sites and credentials that it has.

    The numbers of its removed credentials are forgotten with it: only releases of its own sites could pin one, and
    they went with the sites.
    """
    with app.database.transaction() as session:
        row = find_project(session, slug, lock="update")
        _check_empty(session, row)
        grants = tuple(session.scalars(select(User.name).join(Grant).where(Grant.project_id == row.id).order_by(User.name)))
        tokens = tuple(session.scalars(select(Token.public_id).where(Token.project_id == row.id).order_by(Token.public_id)))
        session.execute(delete(Credential).where(Credential.project_id == row.id))
        session.execute(delete(Project).where(Project.id == row.id))  # grants and tokens go with it
        record(app, session, "project.remove", f"project:{slug}", {"grants": grants, "tokens": tokens})
    return ProjectRemoved(slug, grants, tokens)


def check_project_removal(app: App, slug: str) -> None:
    """Raises what `remove_project` would raise now; changes nothing."""
    with app.database.transaction() as session:
        _check_empty(session, find_project(session, slug))


def _check_empty(session: Session, row: Project) -> None:
    sites = session.scalars(select(Site.name).where(Site.project_id == row.id).order_by(Site.name)).all()
    theirs = (Credential.project_id == row.id, Credential.removed_at.is_(None))
    credentials = session.scalars(select(Credential.name).where(*theirs).order_by(Credential.name)).all()
    told = [f"{what} {', '.join(names)}" for what, names in (("site", sites), ("credential", credentials)) if names]
    if not told:
        return
    first = f"vpsctl site remove {sites[0]}" if sites else f"vpsctl cred remove {credentials[0]} --project {row.slug}"
    hint = f"{first}, or keep it all and archive it: vpsctl project archive {row.slug}"
    raise Conflict(f"project {row.slug} still has {' and '.join(told)}", hint=hint)
