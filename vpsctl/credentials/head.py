"""The row that says what a credential is: found, sealed against changes behind vpsctl's back, and checked."""

import hmac
import json
from collections.abc import Iterable, Set
from hashlib import sha256

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from vpsctl.app import App
from vpsctl.credentials.name import full_name
from vpsctl.db.models import Credential, CredentialVersion, Project
from vpsctl.errors import Failed, NotFound
from vpsctl.inner_key import derive_subkey, make_inner_key, subkey
from vpsctl.vault.sealed import binding

PURPOSE = "credential-head"
MAC = 32
"""Bytes of each of the two signatures in a seal."""
NEWEST = (
    select(func.max(CredentialVersion.version))
    .where(CredentialVersion.credential_id == Credential.id)
    .correlate(Credential)
    .scalar_subquery()
)
"""SQL: the highest version that there is of a credential; of the same moment as its row, if one statement reads both."""


def find_head(app: App, session: Session, name: str, project: str | None, *, altered: bool = False) -> Credential:
    """The credential `name` of `project`, or the one of the whole machine.

    Raises NotFound; Failed when it was altered, unless an `altered` one will do.
    """
    query = select(Credential, NEWEST).outerjoin(Project, Project.id == Credential.project_id)
    mine = Credential.project_id.is_(None) if project is None else Project.slug == project
    found = session.execute(query.where(Credential.name == name, mine, Credential.removed_at.is_(None))).first()
    if found is None:
        raise NotFound(f"there is no credential {full_name(name, project)}", hint="vpsctl cred list")
    row: Credential = found[0]
    newest: int | None = found[1]
    if not altered:
        check_head(subkey(app, session, PURPOSE), row, project, newest)
    return row


def seal_head(app: App, session: Session, row: Credential) -> None:
    """Sign what the row says; done with each change of it.

    The machine's own is also signed for which projects have one of that name, since theirs go before it: one that is
    moved or removed behind vpsctl's back must not leave the machine's in its place.
    """
    session.flush()
    key = subkey(app, session, PURPOSE)
    slug = row.project_id and session.scalars(select(Project.slug).where(Project.id == row.project_id)).one()
    row.seal = _mac(key, row, slug or None)
    own = _own_ids(session, row.name)
    if row.project_id is None:
        row.seal += _shadow_mac(key, row, own)
        return
    machine = session.scalar(select(Credential).where(Credential.name == row.name, Credential.project_id.is_(None)))
    if machine is not None and machine.seal is not None:
        shadow = machine.seal[MAC:]
        if shadow in (_shadow_mac(key, machine, own), _shadow_mac(key, machine, own ^ {row.id})):  # now, and before this
            machine.seal = machine.seal[:MAC] + _shadow_mac(key, machine, own)


def seal_earlier(app: App) -> int:
    """Sign the rows that are older than the seals; nothing once this installation has its inner key. How many."""
    with app.database.transaction() as session:
        inner = make_inner_key(app, session)
        if inner is None:
            return 0
        key = derive_subkey(inner, PURPOSE)
        rows = session.execute(
            select(Credential, Project.slug).outerjoin(Project, Project.id == Credential.project_id)
        ).all()
        for row, slug in rows:
            shadow = b"" if row.project_id else _shadow_mac(key, row, _own_ids(session, row.name))
            row.seal = _mac(key, row, slug) + shadow
        return len(rows)


def check_head(key: bytes, row: Credential, project: str | None, newest: int | None) -> None:
    """Raises Failed when the row is not as vpsctl wrote it: another newest version, kind, project or address to test.

    `newest`: the highest version that there is of it. An older state of the row has a seal that is right, and would bring
    an older value back or hide it; the versions that came after tell.
    """
    outdated = newest is not None and (row.removed_at is not None or newest > row.last_version)
    if outdated or row.seal is None or not hmac.compare_digest(row.seal[:MAC], _mac(key, row, project)):
        raise altered_head(row.name, project)


def altered_head(name: str, project: str | None) -> Failed:
    again = f"vpsctl cred set {name}" + (f" --project {project}" if project else "")
    return Failed(
        f"credential {full_name(name, project)}: its stored row was altered, and the vault refuses to use it",
        hint=f"{again}, or restore the database from a backup",
    )


def check_shadows(key: bytes, row: Credential, own: Iterable[int]) -> None:
    """Raises Failed when the projects that have a credential of that name are not those that vpsctl knows of.

    `own`: the ids of theirs, as the database has them; `row`: the machine's.
    """
    if row.seal is None or not hmac.compare_digest(row.seal[MAC:], _shadow_mac(key, row, set(own))):
        raise Failed(
            f"credential {row.name}: one of a project was altered or removed, and the machine's does not take its place",
            hint="vpsctl audit list --action credential tells what there was; restore the database from a backup",
        )


def _own_ids(session: Session, name: str) -> set[int]:
    own = select(Credential.id).where(Credential.name == name, Credential.project_id.is_not(None))
    return set(session.scalars(own.where(Credential.removed_at.is_(None))))


def _shadow_mac(key: bytes, row: Credential, own: Set[int]) -> bytes:
    return hmac.digest(key, binding("credentials.shadows", row.id, *sorted(own)), sha256)


def _mac(key: bytes, row: Credential, slug: str | None) -> bytes:
    """`slug`: its project's. It never changes, and two that were swapped would give each other's values."""
    project = ("", "") if row.project_id is None else (row.project_id, slug or "")
    details, removed = json.dumps(row.details, sort_keys=True), int(row.removed_at is not None)
    told = binding("credentials", row.id, row.name, *project, row.kind, row.last_version, removed, details)
    return hmac.digest(key, told, sha256)
