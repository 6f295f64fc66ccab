"""Everything about one credential but its value."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from vpsctl.app import App
from vpsctl.credentials.head import find_head
from vpsctl.credentials.list import due_at, of_versions
from vpsctl.credentials.read import newest_missing
from vpsctl.credentials.set import find_active
from vpsctl.credentials.usage import sites_using, sites_waiting
from vpsctl.db.models import CredentialVersion
from vpsctl.db.session import one_state
from vpsctl.projects.find import find_project


@dataclass(frozen=True)
class CredentialDetail:
    name: str
    project: str | None
    """None: for every project that has none of its own."""
    kind: str
    description: str
    details: Mapping[str, str]
    """What `cred test` needs."""
    version: int
    versions: tuple[int, ...]
    """Those that still have a value."""
    created_at: datetime
    changed_at: datetime
    changed_by: str
    expires_at: datetime | None
    rotate_every: int | None
    """Days."""
    due_at: datetime | None
    last_used_at: datetime | None
    last_revealed_at: datetime | None
    rotating: bool
    """A rotation was interrupted: `cred rotate` finishes it."""
    used_by: tuple[str, ...]
    outdated: tuple[str, ...]


def show_credential(app: App, name: str, *, project: str | None = None) -> CredentialDetail:
    """Raises NotFound; Failed when its stored rows were altered."""
    with app.database.transaction() as session:
        one_state(session)
        head = find_head(app, session, name, project)
        rows = session.execute(
            select(CredentialVersion.version, CredentialVersion.created_at, CredentialVersion.created_by)
            .where(CredentialVersion.credential_id == head.id, CredentialVersion.destroyed_at.is_(None))
            .order_by(CredentialVersion.version)
        ).all()
        users, waiting = sites_using(session), sites_waiting(session)
    if not rows or rows[-1].version != head.last_version:
        raise newest_missing(head)
    newest, versions = rows[-1], tuple(row.version for row in rows)
    return CredentialDetail(
        name=head.name,
        project=project,
        kind=head.kind,
        description=head.description,
        details=head.details,
        version=head.last_version,
        versions=versions,
        created_at=head.created_at,
        changed_at=newest.created_at,
        changed_by=newest.created_by,
        expires_at=head.expires_at,
        rotate_every=head.rotate_every,
        due_at=due_at(newest.created_at, head.expires_at, head.rotate_every),
        last_used_at=head.last_used_at,
        last_revealed_at=head.last_revealed_at,
        rotating=head.pending is not None,
        used_by=of_versions(users, name, versions),
        outdated=of_versions(waiting, name, versions),
    )


def kind_of(app: App, name: str, *, project: str | None = None) -> str | None:
    """The kind of the credential that is there under that name, altered or not; None when there is none.

    Raises NotFound for a project that there is not.
    """
    with app.database.transaction() as session:
        owner = find_project(session, project).id if project is not None else None
        found = find_active(session, name, owner)
        return None if found is None else found.kind
