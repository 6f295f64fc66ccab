"""The proxy's routes beside what they should be: shown, and brought back when Caddy lost them."""

from dataclasses import dataclass
from datetime import timedelta
from typing import cast

from sqlalchemy import select

from vpsctl.app import App
from vpsctl.audit.outside import Act, acting
from vpsctl.db.models import Release, Site
from vpsctl.errors import Failed, Invalid, NotFound
from vpsctl.proxy.types import Route, Tls, Upstreams
from vpsctl.sites import naming
from vpsctl.sites.maintenance import restore_page
from vpsctl.sites.naming import Names, release_of
from vpsctl.sites.observe import Observed, observe
from vpsctl.sites.plan import BRIEFLY, hold_time
from vpsctl.sites.snapshot import draft_of, resolve


@dataclass(frozen=True)
class RouteState:
    site: str
    domains: tuple[str, ...]
    tls: str
    hold: timedelta
    release: str | None
    upstreams: tuple[str, ...]
    in_flight: int
    held: bool
    maintenance: bool


@dataclass(frozen=True)
class Synced:
    sites: tuple[str, ...]
    removed: tuple[str, ...]
    """Routes of sites that are no longer there."""
    restored: tuple[str, ...]
    """Sites whose upstream files were missing or held by a command that died."""
    reloaded: bool
    unread: tuple[str, ...] = ()
    """Sites that are being deployed, or whose release can no longer be read: their routes stay as they are."""


def show_routes(app: App) -> tuple[RouteState, ...]:
    """By site. Needs no Postgres. Raises Unavailable when Caddy does not answer."""
    return tuple(_state(app, route) for route in app.proxy.routes())


def _state(app: App, route: Route) -> RouteState:
    proxy = app.proxy
    upstreams = proxy.current(route.site)
    addresses = upstreams.addresses if upstreams else ()
    return RouteState(
        route.site,
        route.domains,
        route.tls,
        route.hold,
        upstreams.release if upstreams else None,
        addresses,
        proxy.in_flight(addresses) if addresses else 0,
        proxy.held(route.site),
        proxy.maintained(route.site) is not None,
    )


def sync_routes(app: App) -> Synced:
    """Every site's current release gets its route and, where they are missing, its upstreams; other routes of ours go."""
    with acting(app, "proxy.sync", "proxy:caddy") as act:
        act.changed = False
        return _sync(app, act)


def _sync(app: App, act: Act) -> Synced:
    known = {route.site: route for route in app.proxy.routes()}
    wanted = _wanted(app)
    pages = [site for site, route in sorted(wanted.items()) if route and restore_page(app, site)]
    restored = tuple(sorted(site for site in wanted if _restore(app, site)))
    act.changed = bool(pages or restored)
    gone = sorted(known.keys() - wanted.keys())
    removed = tuple(site for site in gone if not app.database.lock_held(f"site:{site}"))
    routes = {site: route or known.get(site) or _labelled_route(app, site) for site, route in wanted.items()}
    reloaded = app.proxy.ensure_routes([route for route in routes.values() if route], remove=removed)
    for site in removed:
        app.proxy.forget(site)
    act.changed = bool(pages or restored or removed or reloaded)
    act.fields.update(pages=pages, restored=restored, removed=removed, reloaded=reloaded)
    unread = tuple(sorted(site for site, route in wanted.items() if route is None))
    return Synced(tuple(sorted(site for site, route in routes.items() if route)), removed, restored, reloaded, unread)


def _wanted(app: App) -> dict[str, Route | None]:
    """By site; None where it cannot be told, so that one site in disorder does not keep all others from being served."""
    routes: dict[str, Route | None] = {}
    with app.database.transaction() as session:
        rows = session.execute(select(Site, Release).join(Release, Release.id == Site.current_release_id)).all()
    for site, release in rows:
        try:
            if app.database.lock_held(f"site:{site.name}"):
                routes[site.name] = None  # a deploy may be changing it
                continue
            spec = resolve(app, draft_of(app, site, release)).spec
        except (Invalid, NotFound, Failed):
            routes[site.name] = None
            continue
        if spec.intent.web is not None and spec.intent.web.domains:
            routes[site.name] = Route(site.name, spec.intent.web.domains, spec.intent.web.tls, hold_time(spec))
    return routes


def _labelled_route(app: App, site: str) -> Route | None:
    """By the labels of the web containers that run."""
    for item in observe(app, Names(app.settings.instance, site)).containers:
        if item.state == "running" and item.labels.get(naming.DOMAINS):
            tls = cast(Tls, item.labels.get(naming.TLS, "auto"))
            return Route(site, tuple(item.labels[naming.DOMAINS].split(",")), tls, BRIEFLY)
    return None


def _restore(app: App, site: str) -> bool:
    """Point the proxy at the newest running web containers, unless it points somewhere already."""
    if app.proxy.current(site) is not None or app.database.lock_held(f"site:{site}"):
        return False
    target = running_web(observe(app, Names(app.settings.instance, site)))
    if target is None:
        return False
    app.proxy.switch(site, target)
    return True


def running_web(observed: Observed) -> Upstreams | None:
    """The newest release whose web containers run, and where they are reached."""
    web = [item for item in observed.containers if item.state == "running" and item.labels.get(naming.ROLE) == "web"]
    newest = max((release_of(item.labels) for item in web), default=None)
    if newest is None:
        return None
    addresses = [f"{item.name}:{item.labels[naming.PORT]}" for item in web if release_of(item.labels) == newest]
    return Upstreams(str(newest), tuple(sorted(addresses)))
