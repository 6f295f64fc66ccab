"""A site's state from its containers' labels and the proxy's files. Pure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from vpsctl.docker_engine.types import ContainerSummary
from vpsctl.sites import naming
from vpsctl.sites.naming import release_of

UNSCALED: Mapping[str, int] = {}
State = Literal["serving", "degraded", "stopped", "maintenance", "new"]


@dataclass(frozen=True)
class SiteState:
    name: str
    state: State
    """new: known, but never deployed."""
    release: int | None
    """What the proxy sends requests to; the newest that runs where there is no web service."""
    running: int
    """Containers of its services that run."""
    wanted: int
    domains: tuple[str, ...]
    memory: int
    """Bytes: the caps of the running ones."""
    since: datetime | None
    """When its newest running container was made."""
    problems: tuple[str, ...]
    """One for each service that is not as it should be: "app: 1 of 2 run"."""
    source: str | None = None
    """Where it comes from; None when Postgres was not asked."""
    pending: tuple[str, ...] | None = None
    """Why it needs a deploy (`sites.due`), empty when it needs none; None when Postgres was not asked."""
    interrupted: tuple[int, ...] = ()
    """Runs that died half way."""


def judge_site(
    name: str,
    containers: Sequence[ContainerSummary],
    serving: int | None,
    *,
    maintained: bool,
    scale: Mapping[str, int] = UNSCALED,
) -> SiteState:
    """`containers`: all of the site's, in whatever state; `serving`: the release in the proxy's files; `scale`: what the
    operator set since, which the labels do not tell."""
    services: dict[str, list[ContainerSummary]] = defaultdict(list)
    for item in containers:
        if item.labels.get(naming.ROLE) in ("web", "service") and item.labels.get(naming.ORDER) != "once":
            services[item.labels.get(naming.SERVICE, "")].append(item)
    chosen = {service: _present(found, serving) for service, found in sorted(services.items())}
    running = [item for found in chosen.values() for item in found if item.state == "running"]
    wanted = {service: scale.get(service) or _wanted(found) for service, found in chosen.items()}
    problems = tuple(text for service, found in chosen.items() for text in _problems(service, found, wanted[service]))
    state: State = "serving"
    if maintained:
        state = "maintenance"
    elif not running:
        state = "stopped" if containers else "new"
    elif problems:
        state = "degraded"
    release = serving if serving is not None else max((release_of(item.labels) for item in running), default=None)
    return SiteState(
        name,
        state,
        release,
        len(running),
        sum(wanted.values()),
        tuple(sorted({domain for found in chosen.values() for item in found for domain in _domains(item)})),
        sum(int(item.labels.get(naming.MEMORY) or 0) for item in running),
        max((item.created for item in running), default=None),
        problems,
    )


def _present(found: Sequence[ContainerSummary], serving: int | None) -> list[ContainerSummary]:
    """The containers of a service that count: of a web service the serving release's, else of the newest that runs.

    A database keeps the release in which its definition last changed, and old releases stay stopped beside the new.
    """
    releases = {release_of(item.labels) for item in found}
    web = found[0].labels.get(naming.ROLE) == "web"
    up = {release_of(item.labels) for item in found if item.state == "running"}
    release = serving if web and serving in releases else max(up or releases)
    return [item for item in found if release_of(item.labels) == release]


def _wanted(found: Sequence[ContainerSummary]) -> int:
    return max(int(item.labels.get(naming.REPLICAS) or 1) for item in found)


def _domains(item: ContainerSummary) -> list[str]:
    return [domain for domain in item.labels.get(naming.DOMAINS, "").split(",") if domain]


def _problems(service: str, found: Sequence[ContainerSummary], wanted: int) -> list[str]:
    running = [item for item in found if item.state == "running"]
    unhealthy = [item.name for item in running if "(unhealthy)" in item.status]
    short = [f"{service}: {len(running)} of {wanted} run"] if len(running) < wanted else []
    return short + [f"{service}: {name} is unhealthy" for name in unhealthy]
