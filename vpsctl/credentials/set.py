"""Store a new version of a credential."""

import secrets
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from vpsctl import audit
from vpsctl.app import App
from vpsctl.credentials.name import checked_name, full_name, one_at_a_time, version_binding
from vpsctl.db.models import Credential, CredentialVersion
from vpsctl.errors import Invalid
from vpsctl.projects import ensure_project
from vpsctl.secret import Secret

LARGEST = 64 * 1024
"""Bytes. Linux takes an environment variable of at most 128 KiB."""


@dataclass(frozen=True)
class CredentialVersionInfo:
    name: str
    project: str | None
    version: int
    created_at: datetime


def generate_value() -> Secret:
    """A new random value: 43 characters that need no quoting anywhere, not even in a URL."""
    while (value := secrets.token_urlsafe(32)).startswith("-"):  # which a program might take for an option
        pass
    return Secret(value)


def set_credential(app: App, name: str, value: Secret, *, project: str | None = None) -> CredentialVersionInfo:
    """Store `value` as the newest version of credential `name`, of `project` or for every project.

    Sites get it with their next deploy. Version numbers of one name are never used twice, whatever project they stand
    in, so the version that a release pins can mean one value only.
    Raises Invalid for a name or value that no environment variable can have.
    """
    checked_name(name)
    plaintext = _checked_value(name, value)
    with app.database.transaction() as session:
        one_at_a_time(session, name)
        project_id = ensure_project(session, app.actor, project) if project is not None else None
        credential = _find_or_add(session, name, project_id)
        newest = session.scalar(select(func.max(Credential.last_version)).where(Credential.name == name)) or 0
        credential.last_version, credential.removed_at = newest + 1, None
        bound = version_binding(credential.id, newest + 1, name, project_id)
        sealed = app.vault.encrypt(plaintext, binding=bound)
        row = CredentialVersion(credential_id=credential.id, version=newest + 1, created_by=app.actor.name, **asdict(sealed))
        session.add(row)
        session.flush()
        audit.record(session, app.actor, "credential.set", full_name(name, project), {"version": row.version})
        return CredentialVersionInfo(name, project, row.version, row.created_at)


def _checked_value(name: str, value: Secret) -> bytes:
    hint = f"give {name} a text of 1 byte to 64 KiB without NUL"
    try:
        plaintext = value.reveal().encode()
    except UnicodeEncodeError:
        raise Invalid(f"the value of {name} is not UTF-8 text", hint=hint) from None  # the cause quotes the value
    if not plaintext or b"\x00" in plaintext or len(plaintext) > LARGEST:
        reason = "is empty" if not plaintext else "holds a NUL byte" if b"\x00" in plaintext else "is over 64 KiB"
        raise Invalid(f"the value of {name} {reason}", hint=hint)
    return plaintext


def _find_or_add(session: Session, name: str, project_id: int | None) -> Credential:
    mine = Credential.project_id.is_(None) if project_id is None else Credential.project_id == project_id
    found = session.scalar(select(Credential).where(Credential.name == name, mine))
    if found is None:
        found = Credential(name=name, project_id=project_id)
        session.add(found)
        session.flush()
    return found
