"""Give a user a role, or take it away: on the whole machine or in one project."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from vpsctl.app import App
from vpsctl.audit.record import record
from vpsctl.db.models import Grant, User
from vpsctl.projects.find import find_project
from vpsctl.users.find import find_user
from vpsctl.users.name import checked_role


@dataclass(frozen=True)
class RoleSet:
    name: str
    project: str | None
    """None: the whole machine."""
    role: str | None
    before: str | None


def set_role(app: App, name: str, role: str | None, *, project: str | None = None) -> RoleSet:
    """From now on `name` has `role` (None: no role) there; their tokens at once do no more than that.

    Raises Invalid for what is no role, NotFound for the user or the project. The role they have already changes nothing.
    """
    role = role and checked_role(role)
    with app.database.transaction() as session:
        user = find_user(session, name, lock=True)
        before = _set_grant(session, user, project, role) if project else user.role
        if project is None:
            user.role = role
        if before != role:
            record(app, session, "user.role", f"user:{name}", {"project": project, "role": role, "before": before})
        return RoleSet(name, project, role, before)


def _set_grant(session: Session, user: User, slug: str, role: str | None) -> str | None:
    """The role before."""
    project = find_project(session, slug, lock="share")
    grant = session.get(Grant, (user.id, project.id))
    before = None if grant is None else grant.role
    if grant is None and role is not None:
        session.add(Grant(user_id=user.id, project_id=project.id, role=role))
    elif grant is not None and role is None:
        session.delete(grant)
    elif grant is not None and role is not None:
        grant.role = role
    return before
