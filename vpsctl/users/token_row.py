"""A token's row: found by its public id, and the MAC that ties its secret to all that the row promises."""

import hmac
from dataclasses import dataclass
from datetime import UTC
from hashlib import sha256

from sqlalchemy import select
from sqlalchemy.orm import Session

from vpsctl.app import App
from vpsctl.db.models import Project, Token, User
from vpsctl.encoding import to_json
from vpsctl.inner_key import subkey
from vpsctl.secret import Secret
from vpsctl.vault.sealed import binding


@dataclass(frozen=True)
class TokenRow:
    token: Token
    user: User
    project: str | None
    """Its slug, for a token that is good for one project only."""


def find_token(session: Session, public_id: str) -> TokenRow | None:
    query = select(Token, User, Project.slug).join(User, User.id == Token.user_id)
    query = query.outerjoin(Project, Project.id == Token.project_id).where(Token.public_id == public_id)
    found = session.execute(query).one_or_none()
    row = None if found is None else TokenRow(*found)
    # one whose project is gone without it is good for nothing, and not for everything
    return None if row is None or (row.token.project_id is not None and row.project is None) else row


def token_mac(app: App, session: Session, token: Token, project: str | None, secret: Secret) -> bytes:
    """32 bytes that only the secret gives, and only while user, project, scopes, networks and expiry are as they were.

    `project`: the slug of its project. So whoever can write to the database cannot widen a token's own limits, nor copy
    theirs over to another user; what a user may, on the other hand, stands in rows that nothing seals.
    """
    promised = binding(
        "tokens",
        token.public_id,
        token.user_id,
        "" if token.project_id is None else token.project_id,
        project or "",
        to_json(token.scopes),
        to_json(token.addresses),
        token.expires_at.astimezone(UTC).isoformat(timespec="microseconds"),
        secret.reveal(),
    )
    return hmac.digest(subkey(app, session, "token"), promised, sha256)
