"""Say of a token, to root on the machine, whose it is and whether it is accepted, and why not."""

import hmac
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from vpsctl.app import App
from vpsctl.errors import Invalid
from vpsctl.projects.find import checked_slug
from vpsctl.secret import Secret
from vpsctl.users.addresses import allowed_from, normal_address
from vpsctl.users.find import grants_of
from vpsctl.users.list_tokens import TokenInfo, token_info
from vpsctl.users.rights import PERMISSIONS, Access, may
from vpsctl.users.token_format import KIND, split_token
from vpsctl.users.token_row import TokenRow, find_token, token_mac


@dataclass(frozen=True)
class TokenChecked:
    id: str
    accepted: bool
    """As far as can be told without `address`, where none was asked about."""
    reason: str
    """Why it is not accepted; empty when it is."""
    may: bool | None
    """The answer about a permission; None: nobody asked."""
    token: TokenInfo | None
    """What is known of it; None for one that is not ours."""


@dataclass(frozen=True)
class Question:
    address: str | None = None
    permission: str | None = None
    project: str | None = None


def check_token(app: App, token: Secret, question: Question) -> TokenChecked:
    """Whether `token` is accepted, from `question.address`, and for `question.permission`. It does not count as a use.

    Raises Invalid, which does not quote it, for what is no token, and for an address or permission that is none.
    """
    parts = split_token(token)
    _check(question)
    with app.database.transaction() as session:
        found = find_token(session, parts.public_id)
        if found is None or parts.kind != KIND:
            return TokenChecked(parts.public_id, False, "no such token was made here", _unless(question), None)
        right = hmac.compare_digest(found.token.mac, token_mac(app, session, found.token, found.project, parts.secret))
        right = right or found.token.revoked_at is not None  # which leaves nothing to compare with
        info = token_info(found.token, found.user, found.project, datetime.now(UTC))
        reason = _reason(info, question) if right else "its secret is wrong, or its row was changed behind vpsctl's back"
        answer = _answer(session, found, question) if not reason else _unless(question)
        return TokenChecked(parts.public_id, not reason, reason, answer, info)


def _check(question: Question) -> None:
    if question.address is not None and normal_address(question.address) is None:
        raise Invalid(f"{question.address!r} is not an address", hint="write it like 203.0.113.5 or 2001:db8::1")
    if question.permission is not None and question.permission not in PERMISSIONS:
        raise Invalid(f"{question.permission!r} is not a permission", hint=f"they are {', '.join(PERMISSIONS)}")
    if question.project is not None:
        checked_slug(question.project)
        if question.permission is None:
            raise Invalid("a project is asked about together with a permission", hint="add --permission deploy, or another")


def _unless(question: Question) -> bool | None:
    """A token that is not accepted may nothing."""
    return None if question.permission is None else False


def _reason(info: TokenInfo, question: Question) -> str:
    if info.state == "disabled":
        return f"user {info.user} is disabled"
    if info.state != "valid":
        return f"it is {info.state}"
    if question.address is not None and not allowed_from(info.addresses, question.address):
        return f"it may not be used from {question.address}"
    return ""


def _answer(session: Session, found: TokenRow, question: Question) -> bool | None:
    if question.permission is None:
        return None
    user, token = found.user, found.token
    access = Access(user.name, user.role, grants_of(session, user.id), frozenset(token.scopes), found.project)
    return may(access, question.permission, question.project)
