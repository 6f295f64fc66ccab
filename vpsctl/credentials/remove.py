"""Remove a credential: its encrypted values go for good, its version numbers stay taken."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from vpsctl.app import App
from vpsctl.audit.record import record
from vpsctl.credentials.head import find_head, seal_head
from vpsctl.credentials.name import audited_name, full_name, one_at_a_time
from vpsctl.credentials.usage import versions_without
from vpsctl.db.models import Credential, CredentialVersion
from vpsctl.errors import Conflict


@dataclass(frozen=True)
class CredentialRemoved:
    name: str
    project: str | None
    versions: tuple[int, ...]
    used_by: tuple[str, ...]
    """Sites that run with it still, and cannot be scaled, or rolled back to a release that has it."""
    next_versions: Mapping[str, int | None]
    """{each of them: the version that its next deploy takes instead, of the whole machine's for a project's own and the
    other way round; None: there is no other, and the deploy fails}. None only with `force`."""


def remove_credential(app: App, name: str, *, project: str | None = None, force: bool = False) -> CredentialRemoved:
    """Delete every version of credential `name`.

    Raises NotFound when there is none, Conflict when a site's current release uses it, no other one of that name takes its
    place there, and `force` is not set.
    """
    with app.database.transaction() as session:
        one_at_a_time(session, name)
        credential = find_head(app, session, name, project, altered=True)
        removed = _removable(session, credential, project, force)
        session.execute(delete(CredentialVersion).where(CredentialVersion.credential_id == credential.id))
        credential.removed_at, credential.pending = datetime.now(UTC), None
        seal_head(app, session, credential)
        fields = {"versions": removed.versions, "used_by": removed.used_by, "force": force}
        record(app, session, "credential.remove", audited_name(name, project), fields)
        return removed


def look_at_removal(app: App, name: str, *, project: str | None = None, force: bool = False) -> CredentialRemoved:
    """What `remove_credential` would come to now; changes nothing, and raises what it raises."""
    with app.database.transaction() as session:
        return _removable(session, find_head(app, session, name, project, altered=True), project, force)


def _removable(session: Session, credential: Credential, project: str | None, force: bool) -> CredentialRemoved:
    row = CredentialVersion
    numbers = select(row.version).where(row.credential_id == credential.id).order_by(row.version)
    versions = tuple(session.scalars(numbers))
    following = versions_without(session, credential, versions)
    stranded = [site for site, version in following.items() if version is None]
    if stranded and not force:
        hint = "take it out of their compose files and deploy, or add --force"
        raise Conflict(f"credential {full_name(credential.name, project)} is used by {', '.join(stranded)}", hint=hint)
    return CredentialRemoved(credential.name, project, versions, tuple(following), following)
