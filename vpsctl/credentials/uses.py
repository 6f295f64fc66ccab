"""Who uses a credential, and what of them runs with another version than they would get now."""

from dataclasses import dataclass

from sqlalchemy import select

from vpsctl.app import App
from vpsctl.credentials.head import find_head
from vpsctl.credentials.usage import sites_using, stale_credentials
from vpsctl.db.models import CredentialVersion


@dataclass(frozen=True)
class Use:
    kind: str
    """site."""
    name: str
    version: int
    """The one that it runs with."""
    needs_deploy: bool
    """A deploy would give it another one."""


@dataclass(frozen=True)
class Uses:
    name: str
    project: str | None
    version: int
    """The newest."""
    uses: tuple[Use, ...]


def credential_uses(app: App, name: str, *, project: str | None = None) -> Uses:
    """The sites whose current release has the credential, by name. Raises NotFound; Failed when its row was altered."""
    with app.database.transaction() as session:
        head = find_head(app, session, name, project)
        versions = session.scalars(select(CredentialVersion.version).where(CredentialVersion.credential_id == head.id)).all()
        users, stale = sites_using(session), stale_credentials(session)
    sites = {site: version for version in versions for site in users.get((name, version), ())}
    uses = (
        Use("site", site, version, any(item.name == name for item in stale.get(site, ())))
        for site, version in sorted(sites.items())
    )
    return Uses(name, project, head.last_version, tuple(uses))
