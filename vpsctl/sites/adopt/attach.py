"""Containers that were taken over, on our networks and off them again: live, without a restart."""

from collections.abc import Iterable

from vpsctl.app import App
from vpsctl.docker_engine.types import Container
from vpsctl.sites import naming
from vpsctl.sites.adopt.record import Adopted
from vpsctl.sites.naming import Names


def attach(app: App, container: Container, network: str, aliases: tuple[str, ...]) -> bool:
    """Put it on the network under these names; False when it is there already under all of them."""
    present = container.aliases.get(network)
    if present is not None and set(aliases) <= set(present):
        return False
    if present is not None:
        app.engine.disconnect(network, container.id)
    app.engine.connect(network, container.id, aliases=aliases)
    return True


def detach_all(app: App, names: Names, adopted: Iterable[Adopted]) -> tuple[str, ...]:
    """Take them off the site's networks and the proxy's, running or not; else they could not start without those.

    Returns the names of the containers that are still there. Safe to repeat.
    """
    ours = {network.name for network in app.engine.networks(names.labels())} | {naming.ingress(names.instance)}
    left = []
    for item in adopted:
        container = app.engine.find_container(item.id)
        if container is None:
            continue
        for network in sorted(ours & set(container.aliases)):
            app.engine.disconnect(network, container.id)
        left.append(container.name)
    return tuple(left)
