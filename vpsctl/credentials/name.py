"""What a credential is called, and the lock that its changes take."""

import re

from sqlalchemy import text
from sqlalchemy.orm import Session

from vpsctl.errors import Invalid

NAME = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_ALL = "hashtextextended('credentials', 0)"


def checked_name(name: str) -> str:
    """`name` when it can be a variable's name in a container. Raises Invalid."""
    if not NAME.fullmatch(name):
        hint = "use 1 to 64 capitals, digits and underscores, a capital first, such as DB_PASSWORD"
        raise Invalid(f"{name!r} is not a credential's name", hint=hint)
    return name


def full_name(name: str, project: str | None) -> str:
    return f"{project}/{name}" if project else name


def audited_name(name: str, project: str | None) -> str:
    """Its name as the target of an audit row."""
    return f"credential:{full_name(name, project)}"


def one_at_a_time(session: Session, name: str) -> None:
    """Wait for other changes of credentials called `name`, until this transaction ends."""
    locks = f"SELECT pg_advisory_xact_lock_shared({_ALL}), pg_advisory_xact_lock(hashtextextended(:name, 0))"
    session.execute(text(locks), {"name": f"credential:{name}"})


def alone(session: Session) -> None:
    """Wait for every other change of a credential, until this transaction ends: instead of a lock for each of many names."""
    session.execute(text(f"SELECT pg_advisory_xact_lock({_ALL})"))
