"""What the engine and the proxy hold of a site right now, as one frozen value that plans are made from."""

from dataclasses import dataclass

from vpsctl.app import App
from vpsctl.docker_engine.types import Container
from vpsctl.proxy.types import Upstreams
from vpsctl.sites import naming
from vpsctl.sites.adopt.record import labelled, read_adoption
from vpsctl.sites.naming import Names, release_of


@dataclass(frozen=True)
class Observed:
    """Everything of one site: each of its containers, running or not, and what the proxy dials."""

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


def observe(app: App, names: Names) -> Observed:
    """One list and an inspect of each; the proxy's part is read from its files, so Caddy may be down."""
    return Observed(site_containers(app, names), app.proxy.current(names.site))


def site_containers(app: App, names: Names) -> tuple[Container, ...]:
    """Every container of the site, running or not: those with our labels, and those taken over, as if they had them."""
    taken = ((item, app.engine.find_container(item.id)) for item in read_adoption(app.settings.home, names.site))
    adopted = (labelled(container, item) for item, container in taken if container is not None)
    return (*app.engine.containers(names.labels()), *adopted)
