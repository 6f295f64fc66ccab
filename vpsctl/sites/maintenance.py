"""The maintenance page: shown to everyone instead of the site, by a file the proxy looks for; no reload."""

import html
from dataclasses import dataclass
from functools import partial

from sqlalchemy.orm import Session

from vpsctl.app import App
from vpsctl.audit.record import record
from vpsctl.db.session import before_commit
from vpsctl.sites.lookup import get_site

DEFAULT = "We are making this better, and will be back shortly."
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Back soon</title><style>
body{{margin:0;min-height:100vh;display:grid;place-items:center;font:1.1rem/1.6 system-ui,sans-serif;color:#222;
background:#f6f6f4}}
main{{max-width:34rem;padding:2rem;text-align:center}}
@media (prefers-color-scheme:dark){{body{{color:#ddd;background:#181818}}}}
</style></head><body><main><h1>Back soon</h1><p>{message}</p></main></body></html>
"""


@dataclass(frozen=True)
class Maintenance:
    site: str
    on: bool
    message: str | None


def set_maintenance(app: App, site: str, message: str | None) -> Maintenance:
    """Show `message` with status 503; None serves the site again. Raises NotFound."""
    with app.database.transaction() as session:
        row = get_site(session, site)
        row.maintenance = message
        record(app, session, "site.maintenance", f"site:{site}", {"on": message is not None})
        before_commit(session, partial(_put_written, app, site, message))
    return Maintenance(site, message is not None, message)


def restore_page(app: App, site: str) -> bool:
    """Show the page again where the ledger says so and the proxy's files were lost, wiped or forgotten with a route.

    True when it was written.
    """
    with app.database.transaction() as session:
        message = get_site(session, site).maintenance
    if not message or app.proxy.maintained(site) is not None:
        return False
    _put(app, site, message)
    return True


def _put_written(app: App, site: str, message: str | None, session: Session) -> None:
    """Once the ledger has taken the change and its audit row: the page is what no rollback takes back."""
    session.flush()
    _put(app, site, message)


def _put(app: App, site: str, message: str | None) -> None:
    app.proxy.maintenance(site, PAGE.format(message=html.escape(message)) if message else None)
