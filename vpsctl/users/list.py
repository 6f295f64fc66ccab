"""Every user at a glance."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from vpsctl.app import App
from vpsctl.db.models import Grant, Project, Token, User


@dataclass(frozen=True)
class UserInfo:
    name: str
    email: str | None
    role: str | None
    """On the whole machine."""
    grants: dict[str, str]
    """{project: role}."""
    mfa: bool
    """Whether a second factor was confirmed."""
    tokens: int
    """That were not revoked and did not run out."""
    last_used_at: datetime | None
    """When a token of theirs was used, to the minute."""
    created_at: datetime
    disabled_at: datetime | None


def list_users(app: App) -> list[UserInfo]:
    """By name. No sealed column is read."""
    columns = (User.id, User.name, User.email, User.role, User.totp.is_not(None), User.created_at, User.disabled_at)
    with app.database.transaction() as session:
        grants, tokens = _grants(session), _tokens(session)
        return [_info(row, grants, tokens) for row in session.execute(select(*columns).order_by(User.name))]


def _grants(session: Session) -> dict[int, dict[str, str]]:
    found: dict[int, dict[str, str]] = {}
    query = select(Grant.user_id, Project.slug, Grant.role).join(Project, Project.id == Grant.project_id)
    for user_id, slug, role in session.execute(query.order_by(Project.slug)):
        found.setdefault(user_id, {})[slug] = role
    return found


def _tokens(session: Session) -> dict[int, tuple[int, datetime | None]]:
    good = func.count().filter(Token.revoked_at.is_(None), Token.expires_at > func.now())
    query = select(Token.user_id, good, func.max(Token.last_used_at)).group_by(Token.user_id)
    return {user_id: (count, used) for user_id, count, used in session.execute(query)}


def _info(row: Any, grants: dict[int, dict[str, str]], tokens: dict[int, tuple[int, datetime | None]]) -> UserInfo:
    user_id, name, email, role, mfa, created_at, disabled_at = row
    count, used = tokens.get(user_id, (0, None))
    return UserInfo(name, email, role, grants.get(user_id, {}), mfa, count, used, created_at, disabled_at)
