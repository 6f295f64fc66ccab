"""Removing a site: its route, containers, networks and images; its volumes only when asked for by name."""

import shutil
from dataclasses import dataclass

from vpsctl.app import App
from vpsctl.db.models import Site
from vpsctl.errors import Unavailable
from vpsctl.run_events import Report, ignore
from vpsctl.runs import start_run
from vpsctl.sites.adopt.attach import detach_all
from vpsctl.sites.adopt.record import forget_adoption, read_adoption
from vpsctl.sites.deployment import site_lock, site_row
from vpsctl.sites.naming import Names
from vpsctl.sites.settle import DONE_AGAIN, KINDS, record_killed
from vpsctl.sites.stopping import stop_all


@dataclass(frozen=True)
class Removed:
    site: str
    containers: int
    volumes: tuple[str, ...]
    """Removed with their data."""
    kept: tuple[str, ...]
    """Volumes that stay, for `docker volume` or the next site of this name."""
    left: tuple[str, ...] = ()
    """Containers that were adopted, not made by us: off our networks, and otherwise as they were."""


def remove_site(app: App, site: str, *, with_data: bool = False, report: Report = ignore) -> Removed:
    """Take the site away. Killed half way, the same command goes on. Raises NotFound, Conflict."""
    names = Names(app.settings.instance, site)
    with site_lock(app, site) as lock:
        row = site_row(app, site)
        with start_run(app, "remove", site, detail={"with_data": with_data}, report=report, lock=lock) as run:
            run.acts("site.remove", f"site:{site}", with_data=with_data)
            with run.step("route"):
                close_route(app, site)
            with run.step("containers"):
                count = _remove_containers(app, names)
                left = detach_all(app, names, read_adoption(app.settings.home, site))
            with run.step("images"):
                _remove_images(app, names)
            with run.step("networks"):
                for network in app.engine.networks(names.labels()):
                    app.engine.remove_network(network.name)
            with run.step("volumes"):
                volumes = tuple(item.name for item in app.engine.volumes(names.labels()))
                for volume in volumes if with_data else ():
                    app.engine.remove_volume(volume)
            with app.database.transaction() as session:
                session.delete(session.get_one(Site, row.id))
                run.record(session)
            forget_adoption(app.settings.home, site)
            shutil.rmtree(app.settings.home / "sources" / site, ignore_errors=True)
            record_killed(app, site, lock, (*KINDS, *DONE_AGAIN))
            return Removed(site, count, volumes if with_data else (), () if with_data else volumes, left)


def close_route(app: App, site: str) -> None:
    try:
        app.proxy.ensure_routes([], remove=[site])
    except Unavailable:
        if app.proxy.current(site) is not None:
            raise  # a route that stays would answer 502 for ever
    app.proxy.forget(site)


def _remove_containers(app: App, names: Names) -> int:
    containers = app.engine.containers(names.labels())
    stop_all(app.engine, containers)
    for item in containers:
        app.engine.remove(item.id, force=True)
    return len(containers)


def _remove_images(app: App, names: Names) -> None:
    """By name: a deploy that failed early has named images that no release knows of."""
    for tag in sorted(app.engine.image_names(names.image_pattern())):
        app.engine.remove_image(tag)
