"""What the engine and the proxy hold of a site right now, as one frozen value that plans are made from."""

from collections.abc import Sequence
from dataclasses import dataclass

from vpsctl.docker_engine.engine import Engine
from vpsctl.docker_engine.types import Container
from vpsctl.proxy.proxy import Proxy
from vpsctl.proxy.types import Upstreams
from vpsctl.sites import naming
from vpsctl.sites.naming import Names, release_of


@dataclass(frozen=True)
class Observed:
    """Everything of one site: each container with our labels, running or not, and what the proxy dials."""

    containers: tuple[Container, ...]
    upstreams: Upstreams | None

    @property
    def serving(self) -> int | None:
        """The release the proxy sends requests to; None for a site without a web service."""
        return int(self.upstreams.release) if self.upstreams and self.upstreams.release.isdigit() else None

    def of(self, service: str, *, release: int | None = None) -> list[Container]:
        """The containers of a service, oldest release first."""
        found = [
            item
            for item in self.containers
            if item.labels.get(naming.SERVICE) == service
            and item.labels.get(naming.ROLE) != "pre-deploy"
            and (release is None or release_of(item.labels) == release)
        ]
        return sorted(found, key=lambda item: (release_of(item.labels), item.name))

    def running(self, service: str) -> list[Container]:
        return [item for item in self.of(service) if is_up(item)]


def is_up(container: Container) -> bool:
    return container.state in ("running", "restarting", "paused")


def observe(engine: Engine, proxy: Proxy, names: Names) -> Observed:
    """One list and an inspect of each; the proxy's part is read from its files, so Caddy may be down."""
    containers: Sequence[Container] = engine.containers(names.labels())
    return Observed(tuple(containers), proxy.current(names.site))
