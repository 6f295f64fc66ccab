"""The machine, the foundation and every site at a glance; the number of requests does not grow with the sites."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from vpsctl.app import App
from vpsctl.credentials.usage import stale_credentials
from vpsctl.db.models import Release, Run, Site
from vpsctl.docker_engine.types import ContainerSummary
from vpsctl.errors import Failed, Unavailable, VpsctlError
from vpsctl.hosts.foundation import container_name, own_services
from vpsctl.hosts.machine import MachineState, read_machine
from vpsctl.hosts.site_state import UNSCALED, SiteState, judge_site
from vpsctl.run_history import find_interrupted
from vpsctl.sites import naming
from vpsctl.sites.adopt.record import label_all
from vpsctl.sites.due import due

RESUMABLE = ("deploy", "rollback")
"""Runs that `deploy resume` or `abort` settles."""


@dataclass(frozen=True)
class FoundationPart:
    service: str
    state: str
    """running, missing, or the Engine's word; "external" for one the operator brought along."""
    detail: str


@dataclass(frozen=True)
class Status:
    machine: MachineState
    foundation: tuple[FoundationPart, ...]
    sites: tuple[SiteState, ...]
    notes: tuple[str, ...]
    """What could not be asked, one sentence each: Postgres or Caddy is down."""


@dataclass(frozen=True)
class _Intent:
    """What only Postgres knows of a site."""

    source: str
    pending: tuple[str, ...]
    interrupted: tuple[int, ...]
    scale: Mapping[str, int]


def status(app: App) -> Status:
    """What Docker and the proxy's files say, and what Postgres adds when it answers. Raises Unavailable without Docker."""
    info = app.engine.info()
    everything = label_all(app.settings.home, app.engine.summaries())
    containers = [item for item in everything if item.labels.get(naming.INSTANCE) == app.settings.instance]
    notes: list[str] = []
    intents = _intents(app, notes)
    domains = _domains(app, notes)
    groups: dict[str, list[ContainerSummary]] = defaultdict(list)
    for item in containers:
        if naming.SITE in item.labels and item.labels.get(naming.ROLE) != naming.BACKUP_ROLE:
            groups[item.labels[naming.SITE]].append(item)
    names = sorted(groups.keys() | intents.keys())
    sites = tuple(_site(app, name, groups.get(name, []), intents.get(name), domains.get(name)) for name in names)
    machine = read_machine(info.root_dir, app.settings.home)
    return Status(machine, _foundation(app, containers), sites, tuple(notes))


def _site(
    app: App, name: str, containers: Sequence[ContainerSummary], intent: _Intent | None, domains: tuple[str, ...] | None
) -> SiteState:
    current = app.proxy.current(name)
    serving = int(current.release) if current and current.release.isdigit() else None
    maintained = app.proxy.maintained(name) is not None
    state = judge_site(name, containers, serving, maintained=maintained, scale=intent.scale if intent else UNSCALED)
    if domains is not None:
        state = replace(state, domains=domains)
    if intent is None:
        return state
    return replace(state, source=intent.source, pending=intent.pending, interrupted=intent.interrupted)


def _foundation(app: App, containers: Sequence[ContainerSummary]) -> tuple[FoundationPart, ...]:
    by_name = {item.name: item for item in containers}
    parts = []
    for service in ("caddy", "postgres", "redis"):
        found = by_name.get(container_name(app.settings, service))
        if service not in own_services(app.settings):
            parts.append(FoundationPart(service, "external", "yours"))
        elif found is None:
            parts.append(FoundationPart(service, "missing", "vpsctl init makes it"))
        else:
            parts.append(FoundationPart(service, found.state, found.status))
    return tuple(parts)


def _domains(app: App, notes: list[str]) -> Mapping[str, tuple[str, ...]]:
    """What Caddy serves; when it does not answer, the labels have to do."""
    try:
        return {route.site: route.domains for route in app.proxy.routes()}
    except VpsctlError as error:
        notes.append(f"Caddy was not asked: {error.message}")
        return {}


def _intents(app: App, notes: list[str]) -> Mapping[str, _Intent]:
    try:
        with app.database.transaction() as session:
            return _read_intents(session)
    except (Unavailable, Failed) as error:
        notes.append(f"sources, pending changes and runs are not shown: {error.message}")
        return {}


def _read_intents(session: Session) -> Mapping[str, _Intent]:
    """However many sites, four queries, and two more for each run that goes on now."""
    stale = stale_credentials(session)
    interrupted: dict[str, list[int]] = defaultdict(list)
    for subject in session.scalars(select(Run.subject).where(Run.state == "running").distinct()):
        interrupted[subject] = [run.id for run in find_interrupted(session, subject) if run.kind in RESUMABLE]
    rows = session.execute(select(Site, Release).outerjoin(Release, Release.id == Site.current_release_id))
    return {
        site.name: _Intent(
            f"{site.source.get('kind', '')} {site.source.get('location', '')}".strip(),
            due(site, release, stale.get(site.name, ())),
            tuple(interrupted[site.name]),
            site.scale,
        )
        for site, release in rows
    }
