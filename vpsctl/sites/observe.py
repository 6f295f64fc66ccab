"""What the engine and the proxy hold of a site right now, as one frozen value that plans are made from."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from vpsctl.app import App
from vpsctl.docker_engine.types import Container, ContainerSummary
from vpsctl.proxy.types import Upstreams
from vpsctl.sites import naming
from vpsctl.sites.adopt.record import labelled, read_adoption
from vpsctl.sites.naming import Names, release_of

C = TypeVar("C", Container, ContainerSummary)


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

    def made_last(self, service: str, *, until: int | None = None) -> list[Container]:
        """The containers of a service that release `until` has: its own, or those that it kept from an earlier one."""
        return made_last(self.of(service), until=until)


def is_up(container: Container | ContainerSummary) -> bool:
    return container.state in ("running", "restarting", "paused")


def made_last(items: Iterable[C], *, until: int | None = None) -> list[C]:
    """Of one service's containers those of the newest release; `until`: of the newest one up to that."""
    known = [item for item in items if until is None or release_of(item.labels) <= until]
    newest = max((release_of(item.labels) for item in known), default=None)
    return [item for item in known if release_of(item.labels) == newest]


def observe(app: App, names: Names) -> Observed:
    """One list and an inspect of each; the proxy's part is read from its files, so Caddy may be down."""
    return Observed(site_containers(app, names), app.proxy.current(names.site))


def every(item: ContainerSummary) -> bool:
    """No choice: running or not."""
    return True


def site_containers(app: App, names: Names, chosen: Callable[[ContainerSummary], bool] = every) -> tuple[Container, ...]:
    """The site's containers: those with our labels, and those taken over, as if they had them; not those of a backup.

    `chosen` decides by what the list tells already: each one that it leaves out saves an inspect.
    """
    taken = {item.id: item for item in read_adoption(app.settings.home, names.site)}
    mine = app.engine.summaries(names.labels())
    listed = [item for item in mine if item.labels.get(naming.ROLE) != naming.BACKUP_ROLE]
    if taken:
        listed += [labelled(item, taken[item.id]) for item in app.engine.summaries() if item.id in taken]
    found = (app.engine.find_container(item.id) for item in listed if chosen(item))
    present = (item for item in found if item is not None)
    return tuple(labelled(item, taken[item.id]) if item.id in taken else item for item in present)
