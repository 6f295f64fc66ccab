"""Remove a credential: its encrypted values go for good, its version numbers stay taken."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from vpsctl import audit
from vpsctl.app import App
from vpsctl.credentials.name import full_name, one_at_a_time
from vpsctl.credentials.usage import sites_using
from vpsctl.db.models import Credential, CredentialVersion, Project
from vpsctl.errors import Conflict, NotFound


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
        credential = _find(session, name, project)
        mine = CredentialVersion.credential_id == credential.id
        versions = tuple(session.scalars(select(CredentialVersion.version).where(mine).order_by(CredentialVersion.version)))
        used = sites_using(session)
        sites = tuple(sorted(site for version in versions for site in used.get((name, version), [])))
        if sites and not force:
            hint = "take it out of their compose files and deploy, or add --force"
            raise Conflict(f"credential {full_name(name, project)} is used by {', '.join(sites)}", hint=hint)
        session.execute(delete(CredentialVersion).where(mine))
        credential.removed_at = datetime.now(UTC)
        fields = {"versions": versions, "used_by": sites, "force": force}
        audit.record(session, app.actor, "credential.remove", full_name(name, project), fields)
        return CredentialRemoved(name, project, versions, sites)


def _find(session: Session, name: str, project: str | None) -> Credential:
    query = select(Credential).outerjoin(Project, Project.id == Credential.project_id)
    mine = Credential.project_id.is_(None) if project is None else Project.slug == project
    found = session.scalar(query.where(Credential.name == name, mine, Credential.removed_at.is_(None)))
    if found is None:
        raise NotFound(f"there is no credential {full_name(name, project)}", hint="vpsctl cred list")
    return found
