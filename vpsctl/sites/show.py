"""Everything about one site: what is meant, what runs, what waits for a deploy."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select

from vpsctl.app import App
from vpsctl.credentials.usage import stale_credentials
from vpsctl.db.models import Port
from vpsctl.docker_engine.types import Container
from vpsctl.run_history import RunInfo
from vpsctl.sites import naming
from vpsctl.sites.compose.outline import outline
from vpsctl.sites.due import due
from vpsctl.sites.lookup import current_release, get_site
from vpsctl.sites.naming import Names, release_of
from vpsctl.sites.observe import observe
from vpsctl.sites.settle import interrupted
from vpsctl.sites.snapshot import project_of


@dataclass(frozen=True)
class ContainerInfo:
    name: str
    service: str
    release: int
    state: str
    health: str | None
    restarts: int
    memory: int | None
    started: datetime | None


@dataclass(frozen=True)
class SiteDetail:
    name: str
    project: str
    source: Mapping[str, Any]
    release: int | None
    serving: int | None
    """The release that the proxy sends requests to: it differs from `release` only after a kill."""
    domains: tuple[str, ...]
    containers: tuple[ContainerInfo, ...]
    volumes: tuple[str, ...]
    ports: Mapping[str, int]
    """"service:port/protocol" to the port on 127.0.0.1."""
    credentials: Mapping[str, int]
    environment: Mapping[str, Mapping[str, str]]
    scale: Mapping[str, int]
    pending: tuple[str, ...]
    """Why a deploy is due: see `sites.due`."""
    interrupted: tuple[int, ...]
    """Runs that were killed: `deploy resume` or `abort`."""
    maintenance: str | None


def show_site(app: App, site: str) -> SiteDetail:
    """Raises NotFound."""
    names = Names(app.settings.instance, site)
    with app.database.transaction() as session:
        row = get_site(session, site)
        release = current_release(session, row)
        pending = due(row, release, stale_credentials(session).get(site, ()))
        ports = list(session.scalars(select(Port).where(Port.site_id == row.id)))
    observed = observe(app, names)
    runs: list[RunInfo] = interrupted(app, site)
    return SiteDetail(
        name=site,
        project=project_of(app, row),
        source=row.source,
        release=release.number if release else None,
        serving=observed.serving,
        domains=outline(release.compose).domains if release else (),
        containers=tuple(_container(item) for item in sorted(observed.containers, key=lambda item: item.name)),
        volumes=tuple(item.name for item in app.engine.volumes(names.labels())),
        ports={f"{item.service}:{item.container_port}/{item.protocol}": item.host_port for item in ports},
        credentials=release.credentials if release else {},
        environment=row.environment,
        scale=row.scale,
        pending=pending,
        interrupted=tuple(run.id for run in runs),
        maintenance=row.maintenance,
    )


def _container(item: Container) -> ContainerInfo:
    return ContainerInfo(
        item.name,
        item.labels.get(naming.SERVICE, ""),
        release_of(item.labels),
        item.state,
        item.health,
        item.restart_count,
        item.memory,
        item.started,
    )
