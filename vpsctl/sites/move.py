"""Pointing a site at another source: its repository moved, or its directory did."""

from dataclasses import dataclass

from vpsctl.app import App
from vpsctl.audit.record import record
from vpsctl.errors import Invalid
from vpsctl.sites.add import check_readable
from vpsctl.sites.compose.outline import outline
from vpsctl.sites.draft import fetch
from vpsctl.sites.lookup import get_site
from vpsctl.sites.snapshot import project_of
from vpsctl.sites.sources.source import Source, shown, to_document


@dataclass(frozen=True)
class Moved:
    site: str
    before: str
    source: str


def move_site(app: App, site: str, source: Source) -> Moved:
    """The next deploy of `site` comes from `source`; nothing is started or stopped.

    Raises NotFound without the site, Invalid when the source's compose file is of another name or wrong.
    """
    with app.database.transaction() as session:
        row = get_site(session, site)
    before = str(row.source.get("location", ""))
    fetched = fetch(app, site, source, ref=None, project=project_of(app, row), log=lambda _: None)
    name = outline(fetched.compose).name
    if name not in (None, site):
        place = shown(source.location)
        raise Invalid(f"{place} holds the site {name}, not {site}", hint=f"vpsctl site add {place}")
    check_readable(app, fetched, site)
    with app.database.transaction() as session:
        get_site(session, site).source = to_document(source)
        fields = {"before": shown(before), "source": shown(source.location)}
        record(app, session, "site.move", f"site:{site}", fields)
    return Moved(site, before, source.location)
