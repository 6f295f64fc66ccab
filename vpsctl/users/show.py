"""One user in full: roles, what they allow in words, the second factor, tokens."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from vpsctl.app import App
from vpsctl.db.models import RecoveryCode, User
from vpsctl.users.find import access_of, find_user
from vpsctl.users.list_tokens import TokenInfo, tokens_of
from vpsctl.users.rights import in_words


@dataclass(frozen=True)
class UserShown:
    name: str
    email: str | None
    role: str | None
    grants: dict[str, str]
    may: tuple[str, ...]
    """On the whole machine, in words."""
    may_in: dict[str, tuple[str, ...]]
    """{project: …} for those in which a role was granted."""
    mfa: str
    """off, pending (shown, not confirmed yet) or on."""
    recovery_codes: int
    """That are left."""
    tokens: tuple[TokenInfo, ...]
    last_used_at: datetime | None
    created_at: datetime
    disabled_at: datetime | None


def show_user(app: App, name: str) -> UserShown:
    """What there is to know of `name`. Raises NotFound."""
    with app.database.transaction() as session:
        user = find_user(session, name)
        access = access_of(session, user)
        tokens = tokens_of(session, user.name)
        return UserShown(
            name=user.name,
            email=user.email,
            role=user.role,
            grants=dict(access.grants),
            may=in_words(access),
            may_in={slug: in_words(access, slug) for slug in access.grants},
            mfa="on" if user.totp else "pending" if user.totp_pending else "off",
            recovery_codes=_codes_left(session, user),
            tokens=tokens,
            last_used_at=max((token.last_used_at for token in tokens if token.last_used_at), default=None),
            created_at=user.created_at,
            disabled_at=user.disabled_at,
        )


def _codes_left(session: Session, user: User) -> int:
    mine = (RecoveryCode.user_id == user.id, RecoveryCode.used_at.is_(None))
    return session.scalar(select(func.count()).select_from(RecoveryCode).where(*mine)) or 0
