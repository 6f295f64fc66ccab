"""Tell whose a token is, and what they may: what every door does first that programs come to."""

import hmac
import os
from datetime import UTC, datetime, timedelta

from sqlalchemy import or_, update
from sqlalchemy.orm import Session

from vpsctl.app import App
from vpsctl.db.models import Token
from vpsctl.errors import Invalid
from vpsctl.secret import Secret
from vpsctl.users.addresses import allowed_from, normal_address
from vpsctl.users.find import grants_of
from vpsctl.users.list_tokens import token_state
from vpsctl.users.rights import Access
from vpsctl.users.token_format import KIND, TokenParts, looks_like_token, split_token
from vpsctl.users.token_row import find_token, token_mac

NOTED_EVERY = timedelta(minutes=1)
"""A busy token does not write a row for each request."""


def authenticate(app: App, token: Secret, *, address: str | None) -> Access:
    """What the bearer of `token`, who comes from `address`, may at this moment.

    Raises Invalid, with one sentence and after the same work, for a token that is unknown, revoked, expired, changed, of
    a disabled user, or used from outside its networks: whoever guesses learns nothing.
    """
    if not looks_like_token(token.reveal()):
        raise _refused()
    parts = split_token(token)
    with app.database.transaction() as session:
        now = datetime.now(UTC)
        found = find_token(session, parts.public_id)
        row = found.token if found else _nobodys(parts, now)
        right = hmac.compare_digest(row.mac, token_mac(app, session, row, found.project if found else None, parts.secret))
        grants = grants_of(session, row.user_id)
        near = allowed_from(row.addresses, address)
        if found is None or parts.kind != KIND or not right or not near or token_state(row, found.user, now) != "valid":
            raise _refused()
        _note_use(session, row, address, now)
        return Access(found.user.name, found.user.role, grants, frozenset(row.scopes), found.project, row.public_id)


def _nobodys(parts: TokenParts, now: datetime) -> Token:
    """Of no session: only there to be compared with, at the same cost."""
    return Token(public_id=parts.public_id, user_id=0, scopes=[], addresses=[], expires_at=now, mac=os.urandom(32))


def _note_use(session: Session, row: Token, address: str | None, now: datetime) -> None:
    """Decided by the statement itself, so that of many requests at once one writes."""
    due = or_(Token.last_used_at.is_(None), Token.last_used_at <= now - NOTED_EVERY)
    used = {"last_used_at": now, "last_used_from": address and (normal_address(address) or None)}
    if row.last_used_at is None or row.last_used_at <= now - NOTED_EVERY:
        statement = update(Token).where(Token.id == row.id, due).values(used)
        session.execute(statement.execution_options(synchronize_session=False))


def _refused() -> Invalid:
    return Invalid("this token is not accepted", hint="vpsctl token check says why, on the machine itself")
