"""One deployment under way: what every step of it is handed."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from vpsctl.app import App
from vpsctl.db.lock import Lock
from vpsctl.db.models import Site
from vpsctl.docker_engine.types import Container, ContainerSpec, ContainerSummary, Image
from vpsctl.proxy.types import Route
from vpsctl.runs import RunLog
from vpsctl.sites.compose.spec import SiteSpec
from vpsctl.sites.containers import Placement, with_config_label
from vpsctl.sites.naming import Names, release_of
from vpsctl.sites.observe import Observed, is_up, observe, site_containers
from vpsctl.sites.plan import Change, hold_time, plan_changes, wanted_containers
from vpsctl.sites.snapshot import Resolved


@dataclass(frozen=True)
class Previous:
    """The release that serves until the switch, and what going back to it needs; read before anything changes."""

    number: int
    services: tuple[str, ...]
    route: Route | None = None
    """What Caddy serves for it; None when nothing, or when nobody asked."""


@dataclass(frozen=True)
class Task:
    """Who works on which site: what is the same from a run's first step to its last."""

    app: App
    run: RunLog
    lock: Lock
    site: Site

    @property
    def names(self) -> Names:
        return Names(self.app.settings.instance, self.site.name)


@dataclass
class Work:
    """Filled in as the steps pass. Only the steps write to it."""

    task: Task
    resolved: Resolved
    previous: Previous | None
    release: int
    release_id: int
    images: dict[str, Image] = field(default_factory=dict)
    host_ports: Mapping[tuple[str, int, str], int] = field(default_factory=dict)
    wanted: dict[str, tuple[ContainerSpec, ...]] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()
    switched: bool = False
    switch_time: float | None = None
    """Seconds."""

    @property
    def app(self) -> App:
        return self.task.app

    @property
    def run(self) -> RunLog:
        return self.task.run

    @property
    def lock(self) -> Lock:
        return self.task.lock

    @property
    def names(self) -> Names:
        return self.task.names

    @property
    def spec(self) -> SiteSpec:
        return self.resolved.spec

    @property
    def site(self) -> str:
        return self.task.site.name

    def observe(self) -> Observed:
        return observe(self.app, self.names)

    def place(self) -> Placement:
        images = {service: image.id for service, image in self.images.items()}
        return Placement(self.names, self.release, images, self.resolved.draft.directory, self.host_ports)

    def decide(self) -> None:
        """Plan from what is wanted and what stands now; repeated when a killed deploy is taken up again."""
        fingerprint = self.app.fingerprint
        wanted = wanted_containers(self.spec, self.place())
        self.wanted = {name: tuple(with_config_label(item, fingerprint) for item in specs) for name, specs in wanted.items()}
        observed = self.observe()
        # What this release has started already is not what stood before it.
        before = Observed(
            tuple(item for item in observed.containers if release_of(item.labels) != self.release), observed.upstreams
        )
        self.changes = plan_changes(self.spec, self.wanted, before)

    def route(self) -> Route | None:
        """What the proxy must serve for the site; None without a web service or domains."""
        web = self.spec.intent.web
        if web is None or not web.domains:
            return None
        return Route(self.site, web.domains, web.tls, hold_time(self.spec))

    def web_addresses(self) -> tuple[str, ...]:
        """What Caddy dials for this release."""
        web = self.spec.intent.web
        return tuple(f"{item.name}:{web.port}" for item in self.wanted[web.service]) if web else ()

    def stale(self) -> list[Container]:
        """Running containers that this release replaces: all of the site's but its own and those it keeps."""
        kept = {change.service for change in self.changes if change.action == "keep"}

        def replaced(item: ContainerSummary) -> bool:
            ours = release_of(item.labels) == self.release or item.labels.get("vpsctl.service") in kept
            return is_up(item) and not ours

        return list(site_containers(self.app, self.names, replaced))
