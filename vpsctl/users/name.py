"""What a user, an e-mail address, a role, a scope and a token's name can be."""

import re

from vpsctl.errors import Invalid
from vpsctl.users.rights import ROLES, SCOPES

NAME = re.compile(r"[a-z][a-z0-9._-]{0,31}")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
LONGEST_EMAIL = 254
"""RFC 5321's 256 with the angle brackets around it."""
LONGEST_TOKEN_NAME = 64


def checked_user_name(name: str) -> str:
    """`name` when it can be a user's. Raises Invalid."""
    if not NAME.fullmatch(name):
        hint = "use 1 to 32 small letters, digits, dots, hyphens and underscores, a letter first, such as anna"
        raise Invalid(f"{name!r} is not a user's name", hint=hint)
    return name


def checked_email(email: str) -> str:
    """`email` when one @ stands in it and nothing that no mail server takes. Raises Invalid."""
    if len(email) > LONGEST_EMAIL or not EMAIL.fullmatch(email) or not email.isprintable():
        raise Invalid(f"{email!r} is not an e-mail address", hint="write it like anna@example.com")
    return email


def checked_role(role: str) -> str:
    """Raises Invalid for what is no role."""
    if role not in ROLES:
        raise Invalid(f"{role!r} is not a role", hint=f"the roles are {', '.join(ROLES)}")
    return role


def checked_scope(scope: str) -> str:
    """Raises Invalid for what is no scope."""
    if scope not in SCOPES:
        raise Invalid(f"{scope!r} is not a scope", hint=f"the scopes are {', '.join(SCOPES)}")
    return scope


def checked_token_name(name: str) -> str:
    """What a token is for, in words. Raises Invalid."""
    if not name.strip() or len(name) > LONGEST_TOKEN_NAME or not name.isprintable():
        hint = f"use 1 to {LONGEST_TOKEN_NAME} printable characters, such as ci"
        raise Invalid(f"{name!r} is not a name for a token", hint=hint)
    return name
