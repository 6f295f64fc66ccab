"""Remove a credential: its encrypted values go for good, its version numbers stay taken."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import delete, select

from vpsctl.app import App
from vpsctl.audit.record import record
from vpsctl.credentials.head import find_head, seal_head
from vpsctl.credentials.name import audited_name, full_name, one_at_a_time
from vpsctl.credentials.usage import sites_using
from vpsctl.db.models import CredentialVersion
from vpsctl.errors import Conflict


@dataclass(frozen=True)
class CredentialRemoved:
    name: str
    project: str | None
    versions: tuple[int, ...]
    used_by: tuple[str, ...]
    """Sites that run with it still, and cannot be deployed again without it (only with `force`)."""


def remove_credential(app: App, name: str, *, project: str | None = None, force: bool = False) -> CredentialRemoved:
    """Delete every version of credential `name`.

    Raises NotFound when there is none, Conflict when a site's current release uses it and `force` is not set.
    """
    with app.database.transaction() as session:
        one_at_a_time(session, name)
        credential = find_head(app, session, name, project, altered=True)
        mine = CredentialVersion.credential_id == credential.id
        versions = tuple(session.scalars(select(CredentialVersion.version).where(mine).order_by(CredentialVersion.version)))
        used = sites_using(session)
        sites = tuple(sorted(site for version in versions for site in used.get((name, version), [])))
        if sites and not force:
            hint = "take it out of their compose files and deploy, or add --force"
            raise Conflict(f"credential {full_name(name, project)} is used by {', '.join(sites)}", hint=hint)
        session.execute(delete(CredentialVersion).where(mine))
        credential.removed_at, credential.pending = datetime.now(UTC), None
        seal_head(app, session, credential)
        fields = {"versions": versions, "used_by": sites, "force": force}
        record(app, session, "credential.remove", audited_name(name, project), fields)
        return CredentialRemoved(name, project, versions, sites)
