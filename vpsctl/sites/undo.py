"""Going back: the new release's containers go, what served before serves again. From labels, without the ledger."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from vpsctl.app import App
from vpsctl.docker_engine.types import Container
from vpsctl.errors import Failed, Unavailable
from vpsctl.proxy.types import Upstreams
from vpsctl.sites import naming
from vpsctl.sites.compose.spec import Probe
from vpsctl.sites.naming import Names, release_of
from vpsctl.sites.observe import Observed, is_up, observe
from vpsctl.sites.probe import labelled_target, wait_until_serving
from vpsctl.sites.rivals import rivals
from vpsctl.sites.stopping import stop_all
from vpsctl.sites.work import Previous

ANSWER = Probe(expect_status=(100, 599), success_threshold=1)
"""Any HTTP answer will do: this release has served before."""
LIMIT = timedelta(seconds=60)
LETTING_GO = timedelta(seconds=10)
"""How long requests may take to end that the release which is taken away has begun to answer."""


@dataclass(frozen=True)
class Undone:
    removed: int
    started: int
    serving: int | None
    """The release that serves afterwards."""


def undo(app: App, names: Names, *, release: int, previous: Previous | None) -> Undone:
    """Take `release` away and put `previous` back, in an order that lets requests wait rather than fail.

    Safe to repeat, and at any point of a deployment: it looks at what is there. Raises Failed when the previous
    release does not come back; Unavailable, with everything else done, when Caddy does not answer.
    """
    observed = observe(app, names)
    new = [item for item in observed.containers if release_of(item.labels) == release]
    _check_there(names, observed, previous)
    asleep = _asleep(observed, previous) if previous else []
    # Two containers must never hold one database: the new one of a service stops before its old one starts.
    first = rivals(new, asleep, observed, number=previous.number) if previous else []
    if first and observed.upstreams is not None:
        app.proxy.hold(names.site)
        _let_go(app, observed.upstreams.addresses)
    stop_all(app.engine, first)
    for item in asleep:
        app.engine.start(item.id)
    unreached = _serve(app, names, previous)
    _let_go(app, [web_address(item) for item in new if item.labels.get(naming.ROLE) == "web"])
    stop_all(app.engine, new)
    for item in new:
        app.engine.remove(item.id, force=True)
    if unreached:
        raise unreached
    return Undone(len(new), len(asleep), previous.number if previous else None)


def web_address(item: Container) -> str:
    """What Caddy dials."""
    return f"{item.name}:{item.labels.get(naming.PORT, '80')}"


def _check_there(names: Names, observed: Observed, previous: Previous | None) -> None:
    """Raises Failed, before anything is taken away, when there is nothing to go back to and the new release serves."""
    points_elsewhere = previous is not None and observed.serving == previous.number
    if previous is not None and previous.route is not None and not points_elsewhere and not _web(observed, previous):
        raise Failed(
            f"the containers of r{previous.number} of {names.site} are gone, so what runs stays",
            hint=f"vpsctl deploy resume {names.site}, or vpsctl rollback {names.site} --to {previous.number}",
        )


def _asleep(observed: Observed, previous: Previous) -> list[Container]:
    """The containers of the previous release's services that do not run: of each service, those made last for it."""
    found = []
    for service in previous.services:
        mine = observed.made_last(service, until=previous.number)
        others = [item for item in observed.running(service) if release_of(item.labels) < previous.number]
        if not [item for item in others if item not in mine]:
            found += [item for item in mine if not is_up(item) and item.labels.get(naming.ORDER) != "once"]
    return sorted(found, key=lambda item: (item.labels.get(naming.ROLE) == "web", item.created))


def _web(observed: Observed, previous: Previous) -> list[Container]:
    found = [item for service in previous.services for item in observed.made_last(service, until=previous.number)]
    return [item for item in found if item.labels.get(naming.ROLE) == "web"]


def _let_go(app: App, addresses: Sequence[str]) -> None:
    """Requests in flight end before what answers them stops. With Caddy gone there are none."""
    with suppress(Unavailable):
        if addresses:
            app.proxy.drain(addresses, timeout=LETTING_GO)


def _serve(app: App, names: Names, previous: Previous | None) -> Unavailable | None:
    """Send the traffic to the previous release's web containers once they answer, by the route that it had.

    The files come first, since they need no Caddy; what Caddy could not be told is returned, to be raised at the end.
    """
    web = _web(observe(app, names), previous) if previous else []
    for item in web:
        try:
            wait_until_serving(app.engine, labelled_target(item), ANSWER, timeout=LIMIT)
        except Failed as error:
            number = release_of(item.labels)
            raise Failed(
                f"r{number} of {names.site} did not come back: {error.message}",
                hint=f"vpsctl logs {names.site}, then vpsctl deploy {names.site}",
            ) from error
    route = previous.route if previous else None
    if previous and route and web:
        wanted = Upstreams(str(previous.number), tuple(web_address(item) for item in web))
        if app.proxy.current(names.site) != wanted:
            app.proxy.switch(names.site, wanted)
    try:
        if route or app.proxy.current(names.site) is not None or app.proxy.held(names.site):
            app.proxy.ensure_routes([route] if route else [], remove=[] if route else [names.site])
    except Unavailable as error:
        return error
    if not route:
        app.proxy.forget(names.site)
    return None
