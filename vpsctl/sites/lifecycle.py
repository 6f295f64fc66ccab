"""Starting, stopping and restarting a site's containers as they are: no new release, nothing removed."""

from dataclasses import dataclass
from datetime import timedelta

from vpsctl.app import App
from vpsctl.db.models import Site
from vpsctl.docker_engine.types import Container
from vpsctl.errors import Conflict, NotFound
from vpsctl.proxy.types import Upstreams
from vpsctl.runs import Report, RunLog, ignore, start_run
from vpsctl.sites import naming
from vpsctl.sites.deployment import previous_of, record_audit, site_lock, site_row
from vpsctl.sites.naming import Names, release_of
from vpsctl.sites.observe import Observed, is_up, observe
from vpsctl.sites.probe import Target, wait_until_serving
from vpsctl.sites.stopping import stop_all
from vpsctl.sites.undo import ANSWER, LIMIT
from vpsctl.sites.work import Previous

DRAIN = timedelta(seconds=30)


@dataclass(frozen=True)
class Acted:
    site: str
    containers: tuple[str, ...]


def start_site(app: App, site: str, *, report: Report = ignore) -> Acted:
    """Start the containers of the current release; databases first, as they were made first."""
    with site_lock(app, site) as lock:
        row = site_row(app, site)
        with start_run(app, "start", site, report=report, lock=lock) as run:
            names = Names(app.settings.instance, site)
            wanted = current_containers(observe(app, names), _current(app, row))
            started = [item for item in wanted if not is_up(item)]
            with run.step("start"):
                for item in started:
                    app.engine.start(item.id)
                _await_web(app, names, wanted)
            record_audit(app, run, "start", site, None)
            return Acted(site, tuple(item.name for item in started))


def stop_site(app: App, site: str, *, service: str | None = None, report: Report = ignore) -> Acted:
    """Stop the site's containers, or one service's. They stay stopped over a reboot, until `start` or `deploy`."""
    with site_lock(app, site) as lock:
        site_row(app, site)
        with start_run(app, "stop", site, report=report, lock=lock) as run:
            observed = observe(app, Names(app.settings.instance, site))
            running = [item for item in observed.containers if is_up(item) and _is_of(item, service)]
            if service and not running:
                raise NotFound(f"{site} has no running service {service}", hint=f"vpsctl site show {site}")
            with run.step("stop"):
                # Web containers first, so that nothing is served half by a site whose database is gone.
                stop_all(app.engine, [item for item in running if item.labels.get(naming.ROLE) == "web"])
                stop_all(app.engine, [item for item in running if item.labels.get(naming.ROLE) != "web"])
            record_audit(app, run, "stop", site, None)
            return Acted(site, tuple(item.name for item in running))


def restart_site(app: App, site: str, *, service: str | None = None, report: Report = ignore) -> Acted:
    """Restart one container after the other; of a service with several, the others serve meanwhile."""
    with site_lock(app, site) as lock:
        row = site_row(app, site)
        with start_run(app, "restart", site, report=report, lock=lock) as run:
            names = Names(app.settings.instance, site)
            observed = observe(app, names)
            wanted = [item for item in current_containers(observed, _current(app, row)) if _is_of(item, service)]
            if not wanted:
                raise NotFound(f"{site} has no service {service}", hint=f"vpsctl site show {site}")
            with run.step("restart"):
                _restart_each(app, names, wanted, run)
            record_audit(app, run, "restart", site, None)
            return Acted(site, tuple(item.name for item in wanted))


def _restart_each(app: App, names: Names, wanted: list[Container], run: RunLog) -> None:
    """A web container leaves the proxy and drains before it stops, and comes back once it answers; requests wait
    where it is the only one."""
    serving = app.proxy.current(names.site)
    for item in wanted:
        address = f"{item.name}:{item.labels.get(naming.PORT, '')}"
        routed = serving is not None and address in serving.addresses
        if routed and serving is not None:
            others = tuple(other for other in serving.addresses if other != address)
            if others:
                app.proxy.switch(names.site, Upstreams(serving.release, others))
            else:
                app.proxy.hold(names.site)
            app.proxy.drain([address], timeout=DRAIN)
        app.engine.restart(item.id)
        if routed and serving is not None:
            _await_web(app, names, [item])
            app.proxy.switch(names.site, serving)
        run.log(f"{item.name} restarted")


def current_containers(observed: Observed, previous: Previous) -> list[Container]:
    """Of each service of the release, the containers made last for it: its own, or one it kept from an earlier release."""
    found: list[Container] = []
    for service in previous.services:
        mine = [item for item in observed.of(service) if release_of(item.labels) <= previous.number]
        newest = max((release_of(item.labels) for item in mine), default=0)
        found += [item for item in mine if release_of(item.labels) == newest]
    return found


def _current(app: App, row: Site) -> Previous:
    found = previous_of(app, row)
    if found is None:
        raise Conflict(f"{row.name} was never deployed", hint=f"vpsctl deploy {row.name}")
    return found


def _is_of(item: Container, service: str | None) -> bool:
    return service is None or item.labels.get(naming.SERVICE) == service


def _await_web(app: App, names: Names, containers: list[Container]) -> None:
    """Every web container answers by HTTP again. Raises Failed."""
    for item in containers:
        if item.labels.get(naming.ROLE) == "web":
            host = (item.labels.get(naming.DOMAINS) or "localhost").split(",")[0]
            target = Target(item.name, names.network(), int(item.labels.get(naming.PORT, "80")), host)
            wait_until_serving(app.engine, target, ANSWER, timeout=LIMIT)
