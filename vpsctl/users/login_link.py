"""Login links: one use, ten minutes; how the first administrator of a machine gets in."""

import hmac
import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from sqlalchemy import delete, select, text, update
from sqlalchemy.orm import Session

from vpsctl.app import App
from vpsctl.audit.record import record
from vpsctl.db.models import LoginLink, User
from vpsctl.errors import Conflict, Invalid, NotFound
from vpsctl.inner_key import subkey
from vpsctl.secret import Secret
from vpsctl.settings import checked_public_url
from vpsctl.users.add import insert_user
from vpsctl.users.find import look_up
from vpsctl.users.name import checked_user_name
from vpsctl.vault.sealed import binding

PURPOSE = "login-link"
LIFETIME = timedelta(minutes=10)
FIRST = text("SELECT pg_advisory_xact_lock(hashtextextended('first-user', 0))")


@dataclass(frozen=True)
class LoginLinkCreated:
    name: str
    made_administrator: bool
    """There was no user at all, so this one was added."""
    expires_at: datetime
    url: Secret


@dataclass(frozen=True)
class LoginLinkRedeemed:
    name: str
    mfa: bool
    """Whether they have a second factor, which the door asks for as well."""


def create_login_link(app: App, name: str | None = None, *, base: str | None = None) -> LoginLinkCreated:
    """A new link for user `name`, which voids their older ones; where there is no user, `name` becomes administrator.

    None: whoever asks, or where they are no user the only administrator.

    `base`: the dashboard's address; None: the setting `public_url`. What is secret stands behind a `#`, which browsers
    send to no server, so that no log keeps it.
    Raises NotFound, Conflict for a disabled user, Invalid for a base that is no URL.
    """
    base = app.settings.public_url if base is None else checked_public_url(base, "--url")
    secret = Secret(secrets.token_urlsafe(32))
    expires_at = (datetime.now(UTC) + LIFETIME).replace(microsecond=0)
    with app.database.transaction() as session:
        name = name or _default(session, app.actor.name)
        first = _add_first(session, checked_user_name(name))
        user = _find(session, name)
        if user.disabled_at is not None:
            raise Conflict(f"user {name} is disabled", hint=f"vpsctl user enable {name}")
        session.execute(delete(LoginLink).where(LoginLink.user_id == user.id, LoginLink.used_at.is_(None)))
        row = LoginLink(user_id=user.id, expires_at=expires_at)
        row.mac = _mac(subkey(app, session, PURPOSE), row, secret)
        session.add(row)
        told = {"expires_at": expires_at, "made_administrator": first}
        record(app, session, "login-link.create", f"user:{name}", told)
    return LoginLinkCreated(name, first, expires_at, Secret(f"{base.rstrip('/')}/login#link={secret.reveal()}"))


def redeem_login_link(app: App, link: Secret) -> LoginLinkRedeemed:
    """Let in whoever has what stands behind `#link=`; of two who come at once, one.

    Raises Invalid, with one sentence, for a link that was used or replaced, that ran out, that never was, or whose user is
    disabled.
    """
    now = datetime.now(UTC)
    with app.database.transaction() as session:
        enabled = select(User.id).where(User.disabled_at.is_(None))
        good = (LoginLink.used_at.is_(None), LoginLink.expires_at > now, LoginLink.user_id.in_(enabled))
        key = subkey(app, session, PURPOSE)
        waiting = session.scalars(select(LoginLink).where(*good)).all()
        fitting = [row.id for row in waiting if hmac.compare_digest(row.mac, _mac(key, row, link))]
        # without its MAC it is no link any more, also for somebody who can write that it was not used
        use = update(LoginLink).where(LoginLink.id.in_(fitting), *good).values(used_at=now, mac=os.urandom(32))
        user_id = session.scalar(use.returning(LoginLink.user_id).execution_options(synchronize_session=False))
        if user_id is None:
            raise Invalid("this login link is not accepted", hint="vpsctl login-link makes another, good for ten minutes")
        user = session.scalars(select(User).where(User.id == user_id)).one()
        record(app, session, "login-link.redeem", f"user:{user.name}", {})
        return LoginLinkRedeemed(user.name, user.totp is not None)


def _default(session: Session, asking: str) -> str:
    if session.scalar(select(User.id).where(User.name == asking)) is not None:
        return asking
    admins = session.scalars(select(User.name).where(User.role == "admin", User.disabled_at.is_(None))).all()
    return admins[0] if len(admins) == 1 else asking


def _add_first(session: Session, name: str) -> bool:
    """Of two first users at once the second is told that they do not exist."""
    session.execute(FIRST)
    if session.scalar(select(User.id).limit(1)) is not None:
        return False
    return insert_user(session, name, email=None, role="admin") is not None


def _find(session: Session, name: str) -> User:
    user = look_up(session, name, lock=True)
    if user is None:
        hint = f"vpsctl user list, or make this one: vpsctl user add {name} --role admin"
        raise NotFound(f"there is no user {name}", hint=hint)
    return user


def _mac(key: bytes, row: LoginLink, secret: Secret) -> bytes:
    """Only the secret gives it, and only for this user and until then: nobody can hand a link to another user's row."""
    until = row.expires_at.astimezone(UTC).isoformat(timespec="microseconds")
    told = binding("login_links", row.user_id, until) + secret.reveal().encode("utf-8", "surrogatepass")
    return hmac.digest(key, told, sha256)
