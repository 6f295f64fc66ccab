"""Make an API token for a user: shown this once, kept as a MAC."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from vpsctl.app import App
from vpsctl.audit.record import record
from vpsctl.db.models import Token, User
from vpsctl.errors import Conflict, Invalid
from vpsctl.projects.find import find_project
from vpsctl.secret import Secret
from vpsctl.users.addresses import checked_network
from vpsctl.users.find import find_user, grants_of
from vpsctl.users.name import checked_scope, checked_token_name
from vpsctl.users.rights import Access, beyond
from vpsctl.users.token_format import join_token, new_parts
from vpsctl.users.token_row import token_mac

LONGEST = timedelta(days=365)
USUAL = timedelta(days=90)


@dataclass(frozen=True)
class TokenWanted:
    name: str
    """What it is for, in words."""
    scopes: Sequence[str]
    project: str | None = None
    """The only one it is good for; None: wherever its user may."""
    lifetime: timedelta = USUAL
    networks: Sequence[str] = ()
    """From where it may be used; none: from anywhere."""


@dataclass(frozen=True)
class TokenCreated:
    id: str
    """The public part, which names it."""
    user: str
    name: str
    scopes: tuple[str, ...]
    project: str | None
    addresses: tuple[str, ...]
    expires_at: datetime
    token: Secret


def create_token(app: App, user: str, wanted: TokenWanted) -> TokenCreated:
    """A token with which a program does what `wanted.scopes` name, as `user` and as far as they may at that time.

    Raises Invalid for a scope that goes beyond what `user` may, for a wrong network, name or lifetime; NotFound for the
    user or project; Conflict for a disabled user.
    """
    wanted = _checked(wanted)
    parts = new_parts()
    with app.database.transaction() as session:
        owner = find_user(session, user, lock=True)
        if owner.disabled_at is not None:
            raise Conflict(f"user {user} is disabled", hint=f"vpsctl user enable {user}")
        project = find_project(session, wanted.project, lock="share") if wanted.project else None
        _check_scopes(session, owner, wanted)
        row = Token(
            public_id=parts.public_id,
            user_id=owner.id,
            project_id=project and project.id,
            name=wanted.name,
            scopes=list(wanted.scopes),
            addresses=list(wanted.networks),
            expires_at=(datetime.now(UTC) + wanted.lifetime).replace(microsecond=0),
        )
        row.mac = token_mac(app, session, row, wanted.project, parts.secret)
        session.add(row)
        told: dict[str, Any] = {"user": user, "name": row.name, "project": wanted.project, "expires_at": row.expires_at}
        told |= {"scopes": row.scopes, "addresses": row.addresses}
        record(app, session, "token.create", f"token:{row.public_id}", told)
        shown = (row.public_id, user, row.name, tuple(row.scopes), wanted.project, tuple(row.addresses), row.expires_at)
        return TokenCreated(*shown, join_token(parts))


def _checked(wanted: TokenWanted) -> TokenWanted:
    if not wanted.scopes:
        raise Invalid(
            "a token without a scope may do nothing", hint="add --scope read, or another: vpsctl token create --help"
        )
    if not timedelta() < wanted.lifetime <= LONGEST:
        raise Invalid("a token lives at most a year, and not less than no time", hint="write --expires like 90d or 12h")
    scopes = tuple(sorted({checked_scope(scope) for scope in wanted.scopes}))
    networks = tuple(sorted({checked_network(network) for network in wanted.networks}))
    return TokenWanted(checked_token_name(wanted.name), scopes, wanted.project, wanted.lifetime, networks)


def _check_scopes(session: Session, owner: User, wanted: TokenWanted) -> None:
    access = Access(owner.name, owner.role, grants_of(session, owner.id), project=wanted.project)
    for scope in wanted.scopes:
        lacking = beyond(access, scope)
        if lacking:
            where = f" in {wanted.project}" if wanted.project else ""
            message = f"scope {scope} is beyond user {owner.name}, who has no right to {', '.join(lacking)}{where}"
            raise Invalid(message, hint=f"vpsctl user show {owner.name} says what they may")
