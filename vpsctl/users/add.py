"""Add a user, with a role on the whole machine or in some projects."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from vpsctl.app import App
from vpsctl.audit.record import record
from vpsctl.db.models import Grant, User
from vpsctl.errors import Conflict, Invalid
from vpsctl.projects.find import find_project
from vpsctl.users.name import checked_email, checked_role, checked_user_name


@dataclass(frozen=True)
class UserAdded:
    name: str
    email: str | None
    role: str | None
    projects: tuple[str, ...]
    """Where the role was granted; none: on the whole machine."""


def add_user(
    app: App, name: str, *, email: str | None = None, role: str | None = None, projects: Sequence[str] = ()
) -> UserAdded:
    """A new user, who may nothing at all without a role.

    Raises Invalid for what cannot be a name, an address or a role, NotFound for a project, Conflict when the user exists.
    """
    checked_user_name(name)
    email, role = email and checked_email(email), role and checked_role(role)
    slugs = tuple(sorted(set(projects)))
    if slugs and role is None:
        raise Invalid(f"no role to give {name} in {', '.join(slugs)}", hint="add --role viewer, operator or admin")
    with app.database.transaction() as session:
        user_id = insert_user(session, name, email=email, role=None if slugs else role)
        if user_id is None:
            raise Conflict(f"there is a user {name} already", hint=f"vpsctl user show {name}")
        for slug in slugs:
            session.add(Grant(user_id=user_id, project_id=find_project(session, slug, lock="share").id, role=role))
        record(app, session, "user.add", f"user:{name}", {"email": email, "role": role, "projects": slugs})
    return UserAdded(name, email, role, slugs)


def insert_user(session: Session, name: str, *, email: str | None, role: str | None) -> int | None:
    """The new row's id; None when there is one of that name, also one that somebody adds at this moment."""
    values = {"name": name, "email": email, "role": role, "totp_step": 0}
    return session.scalar(insert(User).values(values).on_conflict_do_nothing().returning(User.id))
