"""Starting, stopping and restarting a site's containers as they are: no new release, nothing removed."""

from dataclasses import dataclass
from datetime import timedelta

from vpsctl.app import App
from vpsctl.db.models import Site
from vpsctl.docker_engine.types import Container
from vpsctl.errors import Conflict, NotFound
from vpsctl.proxy.types import Upstreams
from vpsctl.run_events import Report, ignore
from vpsctl.runs import RunLog, start_run
from vpsctl.sites import naming
from vpsctl.sites.deployment import previous_of, site_lock, site_row
from vpsctl.sites.naming import Names, release_of
from vpsctl.sites.observe import Observed, is_up, observe
from vpsctl.sites.probe import labelled_target, wait_until_serving
from vpsctl.sites.settle import record_killed, settle
from vpsctl.sites.stopping import stop_all
from vpsctl.sites.undo import ANSWER, LIMIT, web_address
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
        settle(app, row, lock, report=report)  # what a killed deploy has started may hold the data of what starts here
        with start_run(app, "start", site, report=report, lock=lock) as run:
            names = Names(app.settings.instance, site)
            current = _current(app, row)
            wanted = current_containers(observe(app, names), current)
            started = [item for item in wanted if not is_up(item)]
            run.acts("site.start", f"site:{site}")
            with run.step("start"):
                for item in started:
                    app.engine.start(item.id)
                _await_web(app, wanted)
                _reconnect(app, names, current.number, wanted)
            return Acted(site, tuple(item.name for item in started))


def stop_site(app: App, site: str, *, service: str | None = None, report: Report = ignore) -> Acted:
    """Stop the site's containers, or one service's. They stay stopped over a reboot, until `start` or `deploy`."""
    with site_lock(app, site) as lock:
        site_row(app, site)
        record_killed(app, site, lock)
        with start_run(app, "stop", site, report=report, lock=lock) as run:
            observed = observe(app, Names(app.settings.instance, site))
            running = [item for item in observed.containers if is_up(item) and _is_of(item, service)]
            if service and not running:
                raise NotFound(f"{site} has no running service {service}", hint=f"vpsctl site show {site}")
            run.acts("site.stop", f"site:{site}", service=service)
            with run.step("stop"):
                # Web containers first, so that nothing is served half by a site whose database is gone.
                stop_all(app.engine, [item for item in running if item.labels.get(naming.ROLE) == "web"])
                stop_all(app.engine, [item for item in running if item.labels.get(naming.ROLE) != "web"])
            return Acted(site, tuple(item.name for item in running))


def restart_site(app: App, site: str, *, service: str | None = None, report: Report = ignore) -> Acted:
    """Restart one container after the other; of a service with several, the others serve meanwhile."""
    with site_lock(app, site) as lock:
        row = site_row(app, site)
        settle(app, row, lock, report=report)
        with start_run(app, "restart", site, report=report, lock=lock) as run:
            names = Names(app.settings.instance, site)
            current = _current(app, row)
            every = current_containers(observe(app, names), current)
            wanted = [item for item in every if _is_of(item, service)]
            if not wanted:
                raise NotFound(f"{site} has no service {service}", hint=f"vpsctl site show {site}")
            run.acts("site.restart", f"site:{site}", service=service)
            with run.step("restart"):
                _reconnect(app, names, current.number, [item for item in every if is_up(item)])
                _restart_each(app, names, wanted, run)
            return Acted(site, tuple(item.name for item in wanted))


def _reconnect(app: App, names: Names, release: int, containers: list[Container]) -> None:
    """The proxy knows every web container that runs again: a restart that was killed may have left requests waiting."""
    web = tuple(web_address(item) for item in containers if item.labels.get(naming.ROLE) == "web")
    current = app.proxy.current(names.site)
    if web and (app.proxy.held(names.site) or (current is not None and set(current.addresses) != set(web))):
        app.proxy.switch(names.site, Upstreams(str(release), web))


def _restart_each(app: App, names: Names, wanted: list[Container], run: RunLog) -> None:
    """A web container leaves the proxy and drains before it stops, and comes back once it answers; requests wait
    where it is the only one."""
    serving = app.proxy.current(names.site)
    for item in wanted:
        if serving is not None and web_address(item) in serving.addresses:
            _restart_routed(app, names, item, serving)
        else:
            app.engine.restart(item.id)
        run.log(f"{item.name} restarted")


def _restart_routed(app: App, names: Names, item: Container, serving: Upstreams) -> None:
    others = tuple(other for other in serving.addresses if other != web_address(item))
    if others:
        app.proxy.switch(names.site, Upstreams(serving.release, others))
    else:
        app.proxy.hold(names.site)
    touched = False
    try:
        app.proxy.drain([web_address(item)], timeout=DRAIN)
        touched = True
        app.engine.restart(item.id)
        _await_web(app, [item])
    except BaseException:
        if not (others and touched):  # nobody else serves, or this one still does: requests must not wait for ever
            app.proxy.switch(names.site, serving)
        raise
    app.proxy.switch(names.site, serving)


def current_containers(observed: Observed, previous: Previous) -> list[Container]:
    """Of each service of the release, the containers made last for it: its own, or one it kept from an earlier release.

    In the order they were made, which is that of what they depend on; not those that run once.
    """
    found = [item for service in previous.services for item in _of_service(observed, service, previous.number)]
    lasting = [item for item in found if item.labels.get(naming.ORDER) != "once"]
    return sorted(lasting, key=lambda item: (item.labels.get(naming.ROLE) == "web", item.created))


def _of_service(observed: Observed, service: str, number: int) -> list[Container]:
    """What runs before what was made last: something that failed may have been left beside it, over the same data."""
    newest = observed.made_last(service, until=number)
    up = [item for item in observed.running(service) if release_of(item.labels) <= number]
    return newest if not up or any(is_up(item) for item in newest) else up


def _current(app: App, row: Site) -> Previous:
    found = previous_of(app, row)
    if found is None:
        raise Conflict(f"{row.name} was never deployed", hint=f"vpsctl deploy {row.name}")
    return found


def _is_of(item: Container, service: str | None) -> bool:
    return service is None or item.labels.get(naming.SERVICE) == service


def _await_web(app: App, containers: list[Container]) -> None:
    """Every web container answers by HTTP again. Raises Failed."""
    for item in containers:
        if item.labels.get(naming.ROLE) == "web":
            wait_until_serving(app.engine, labelled_target(item), ANSWER, timeout=LIMIT)
