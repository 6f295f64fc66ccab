"""Finding a user, and what they may as the rows have it now."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from vpsctl.db.models import Grant, Project, User
from vpsctl.errors import NotFound
from vpsctl.users.name import checked_user_name
from vpsctl.users.rights import Access


def find_user(session: Session, name: str, *, lock: bool = False) -> User:
    """The user called `name`, disabled or not.

    `lock`: until this transaction ends, nobody else changes the row. Raises NotFound, Invalid for what is no name.
    """
    found = look_up(session, checked_user_name(name), lock=lock)
    if found is None:
        raise NotFound(f"there is no user {name}", hint="vpsctl user list")
    return found


def look_up(session: Session, name: str, *, lock: bool = False) -> User | None:
    """As `find_user`, but None where there is none; doors that must not tell so use it."""
    query = select(User).where(User.name == name).execution_options(populate_existing=True)
    return session.scalar(query.with_for_update() if lock else query)


def grants_of(session: Session, user_id: int) -> dict[str, str]:
    """{project's slug: role}, by slug."""
    query = select(Project.slug, Grant.role).join(Project, Project.id == Grant.project_id)
    return {slug: role for slug, role in session.execute(query.where(Grant.user_id == user_id).order_by(Project.slug))}


def access_of(session: Session, user: User) -> Access:
    """What `user` may themselves, without a token's limits."""
    return Access(user.name, user.role, grants_of(session, user.id))
