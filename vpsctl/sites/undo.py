"""Going back: the new release's containers go, what served before serves again. From labels, without the ledger."""

from dataclasses import dataclass
from datetime import timedelta

from vpsctl.app import App
from vpsctl.docker_engine.types import Container
from vpsctl.errors import Failed
from vpsctl.proxy.types import Upstreams
from vpsctl.sites import naming
from vpsctl.sites.naming import Names, release_of
from vpsctl.sites.observe import Observed, is_up, observe
from vpsctl.sites.probe import Target, wait_until_serving

from vpsctl.sites.compose.spec import Probe  # isort: skip
from vpsctl.sites.stopping import stop_all
from vpsctl.sites.work import Previous

ANSWER = Probe(expect_status=(100, 599), success_threshold=1)
"""Any HTTP answer will do: this release has served before."""
LIMIT = timedelta(seconds=60)


@dataclass(frozen=True)
class Undone:
    removed: int
    started: int
    serving: int | None
    """The release that serves afterwards."""


def undo(app: App, names: Names, *, release: int, previous: Previous | None) -> Undone:
    """Take `release` away and put `previous` back, in an order that lets requests wait rather than fail.

    Safe to repeat, and at any point of a deployment: it looks at what is there. Raises Failed when the previous
    release does not come back.
    """
    observed = observe(app, names)
    new = [item for item in observed.containers if release_of(item.labels) == release]
    asleep = _asleep(observed, previous, release) if previous else []
    if previous and asleep and observed.upstreams is not None:
        app.proxy.hold(names.site)
    exclusive = {item.labels.get(naming.SERVICE) for item in asleep}
    # Two containers must never hold one database: the new one of a service stops before its old one starts.
    stop_all(app.engine, [item for item in new if item.labels.get(naming.SERVICE) in exclusive])
    for item in asleep:
        app.engine.start(item.id)
    serving = _serve(app, names, previous)
    stop_all(app.engine, new)
    for item in new:
        app.engine.remove(item.id, force=True)
    return Undone(len(new), len(asleep), serving)


def _asleep(observed: Observed, previous: Previous, release: int) -> list[Container]:
    """The containers of the previous release's services that do not run: of each service, those made last."""
    found = []
    for service in previous.services:
        mine = [
            item
            for item in observed.of(service)
            if release_of(item.labels) != release and release_of(item.labels) <= previous.number
        ]
        if mine and not any(is_up(item) for item in mine):
            newest = max(release_of(item.labels) for item in mine)
            found += [item for item in mine if release_of(item.labels) == newest]
    return found


def _serve(app: App, names: Names, previous: Previous | None) -> int | None:
    """Send the traffic to the previous release's web containers once they answer."""
    if previous is None:
        if app.proxy.current(names.site) is not None or app.proxy.held(names.site):
            app.proxy.ensure_routes([], remove=[names.site])
        app.proxy.forget(names.site)
        return None
    observed = observe(app, names)
    web = [
        item
        for service in previous.services
        for item in observed.running(service)
        if item.labels.get(naming.ROLE) == "web" and release_of(item.labels) <= previous.number
    ]
    web = [item for item in web if release_of(item.labels) == max(release_of(other.labels) for other in web)]
    if not web:
        return previous.number
    for item in web:
        host = (item.labels.get(naming.DOMAINS) or "localhost").split(",")[0]
        port = int(item.labels.get(naming.PORT, "80"))
        target = Target(item.name, names.network(), port, host)
        try:
            wait_until_serving(app.engine, target, ANSWER, timeout=LIMIT)
        except Failed as error:
            raise Failed(
                f"r{previous.number} of {names.site} did not come back: {error.message}",
                hint=f"vpsctl logs {names.site}, then vpsctl deploy {names.site}",
            ) from error
    addresses = tuple(f"{item.name}:{item.labels.get(naming.PORT, '80')}" for item in web)
    wanted = Upstreams(str(previous.number), addresses)
    if app.proxy.current(names.site) != wanted:
        app.proxy.switch(names.site, wanted)
    return previous.number
