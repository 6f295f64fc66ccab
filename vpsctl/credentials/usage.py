"""Which sites use which version of a credential."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from vpsctl.db.models import Release, Site


def sites_using(session: Session) -> dict[tuple[str, int], list[str]]:
    """{(name, version): sites whose current release pins it}; a number belongs to one credential of that name only."""
    query = select(Site.name, Release.credentials).join(Release, Release.id == Site.current_release_id).order_by(Site.name)
    used: dict[tuple[str, int], list[str]] = {}
    for site, pinned in session.execute(query):
        for name, version in pinned.items():
            used.setdefault((name, version), []).append(site)
    return used
