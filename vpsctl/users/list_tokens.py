"""The tokens there are, without their secrets."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from vpsctl.app import App
from vpsctl.db.models import Project, Token, User
from vpsctl.users.find import find_user


@dataclass(frozen=True)
class TokenInfo:
    id: str
    user: str
    name: str
    state: str
    """valid, expired, revoked or disabled (its user is)."""
    scopes: tuple[str, ...]
    project: str | None
    addresses: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    """To the minute."""
    last_used_from: str | None
    revoked_at: datetime | None


def list_tokens(app: App, *, user: str | None = None) -> list[TokenInfo]:
    """Every token, or those of `user`, the newest first. Raises NotFound for the user."""
    with app.database.transaction() as session:
        return list(tokens_of(session, user and find_user(session, user).name))


def tokens_of(session: Session, user: str | None) -> tuple[TokenInfo, ...]:
    query = select(Token, User, Project.slug).join(User, User.id == Token.user_id)
    query = query.outerjoin(Project, Project.id == Token.project_id).order_by(Token.id.desc())
    found = session.execute(query if user is None else query.where(User.name == user))
    now = datetime.now(UTC)
    return tuple(token_info(token, owner, slug, now) for token, owner, slug in found)


def token_info(token: Token, owner: User, project: str | None, now: datetime) -> TokenInfo:
    return TokenInfo(
        id=token.public_id,
        user=owner.name,
        name=token.name,
        state=token_state(token, owner, now),
        scopes=tuple(token.scopes),
        project=project,
        addresses=tuple(token.addresses),
        created_at=token.created_at,
        expires_at=token.expires_at,
        last_used_at=token.last_used_at,
        last_used_from=token.last_used_from,
        revoked_at=token.revoked_at,
    )


def token_state(token: Token, owner: User, now: datetime) -> str:
    """Whether it is accepted at all, wherever it comes from."""
    if token.revoked_at is not None:
        return "revoked"
    if token.expires_at <= now:
        return "expired"
    return "valid" if owner.disabled_at is None else "disabled"
