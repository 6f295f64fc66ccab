"""Revoke a token: it is refused from this moment on."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select

from vpsctl.app import App
from vpsctl.audit.record import record
from vpsctl.db.models import Token, User
from vpsctl.errors import NotFound


@dataclass(frozen=True)
class TokenRevoked:
    id: str
    user: str
    name: str
    revoked_at: datetime
    changed: bool
    """False: it was revoked before, at that time."""


def revoke_token(app: App, public_id: str) -> TokenRevoked:
    """Refuse the token from now on; its row stays, for whoever looks at the audit trail. Raises NotFound."""
    with app.database.transaction() as session:
        query = select(Token, User.name).join(User, User.id == Token.user_id).where(Token.public_id == public_id)
        found = session.execute(query.with_for_update(of=Token)).one_or_none()
        if found is None:
            raise NotFound(f"there is no token {public_id}", hint="vpsctl token list")
        token, user = found
        at, changed = token.revoked_at or datetime.now(UTC), token.revoked_at is None
        if changed:
            token.revoked_at, token.mac = at, b""  # without its MAC nothing that is written into the row brings it back
            record(app, session, "token.revoke", f"token:{public_id}", {"user": user, "name": token.name})
        return TokenRevoked(public_id, user, token.name, at, changed)
