"""The sites of this machine."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from vpsctl.app import App
from vpsctl.credentials.usage import stale_credentials
from vpsctl.db.models import Project, Release, Site
from vpsctl.sites.compose.outline import outline
from vpsctl.sites.due import due


@dataclass(frozen=True)
class SiteInfo:
    name: str
    project: str
    source: str
    release: int | None
    """The one that should serve; None before the first deploy."""
    domains: tuple[str, ...]
    """Of that release."""
    deployed: datetime | None
    maintenance: bool
    pending: tuple[str, ...]
    """Why a deploy is due: see `sites.due`."""


def list_sites(app: App) -> list[SiteInfo]:
    """By name. Three queries; the engine is not asked (`vpsctl status` is what runs)."""
    query = (
        select(Site, Project.slug, Release)
        .join(Project, Project.id == Site.project_id)
        .outerjoin(Release, Release.id == Site.current_release_id)
        .order_by(Site.name)
    )
    with app.database.transaction() as session:
        stale = stale_credentials(session)
        return [
            SiteInfo(
                site.name,
                slug,
                str(site.source.get("location", "")),
                release.number if release else None,
                outline(release.compose).domains if release else (),
                release.served_at if release else None,
                site.maintenance is not None,
                due(site, release, stale.get(site.name, ())),
            )
            for site, slug, release in session.execute(query)
        ]
