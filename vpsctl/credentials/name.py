"""What a credential is called, what its value is bound to, and the lock that its changes take."""

import re

from sqlalchemy import text
from sqlalchemy.orm import Session

from vpsctl.errors import Invalid
from vpsctl.vault.sealed import binding

NAME = re.compile(r"[A-Z][A-Z0-9_]{0,63}")


def checked_name(name: str) -> str:
    """`name` when it can be a variable's name in a container. Raises Invalid."""
    if not NAME.fullmatch(name):
        hint = "use 1 to 64 capitals, digits and underscores, a capital first, such as DB_PASSWORD"
        raise Invalid(f"{name!r} is not a credential's name", hint=hint)
    return name


def full_name(name: str, project: str | None) -> str:
    return f"{project}/{name}" if project else name


def version_binding(credential_id: int, version: int, name: str, project_id: int | None) -> bytes:
    """The associated data of one stored version: moved to any other row, it does not open."""
    return binding("credential_versions", credential_id, version, name, "" if project_id is None else project_id)


def one_at_a_time(session: Session, name: str) -> None:
    """Wait for other changes of credentials called `name`, until this transaction ends."""
    session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": f"credential:{name}"})
