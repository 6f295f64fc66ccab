"""Every container on the machine, ours or not: what `vpsctl container` shows and does."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from vpsctl.app import App
from vpsctl.audit.outside import acting
from vpsctl.docker_engine.types import Container, ContainerSummary, LogLine, Stats
from vpsctl.errors import Conflict
from vpsctl.sites import naming


@dataclass(frozen=True)
class Processes:
    """What `ps` shows inside a container, by the Engine's columns."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def list_containers(app: App, *, stopped: bool = False) -> tuple[ContainerSummary, ...]:
    """The containers by name; with `stopped`, those that do not run as well."""
    found = [item for item in app.engine.summaries() if stopped or item.state not in ("created", "exited", "dead")]
    return tuple(sorted(found, key=lambda item: item.name))


def show_container(app: App, ref: str) -> Container:
    """One container in full, without its environment, which may hold secrets. Raises NotFound."""
    return app.engine.container(ref)


def start_container(app: App, ref: str) -> Container:
    """Raises NotFound, Conflict for a port that is taken, Failed when its program cannot be executed."""
    name = app.engine.container(ref).name
    with acting(app, "container.start", f"container:{name}"):
        app.engine.start(ref)
        return app.engine.container(ref)


def stop_container(app: App, ref: str) -> Container:
    name = app.engine.container(ref).name
    with acting(app, "container.stop", f"container:{name}"):
        app.engine.stop(ref)
        return app.engine.container(ref)


def restart_container(app: App, ref: str) -> Container:
    name = app.engine.container(ref).name
    with acting(app, "container.restart", f"container:{name}"):
        app.engine.restart(ref)
        return app.engine.container(ref)


def carries_sites(app: App, container: Container) -> bool:
    """Whether every site depends on it: a part of this installation's foundation."""
    ours = container.labels.get(naming.INSTANCE) == app.settings.instance
    return ours and container.labels.get(naming.ROLE) == "foundation"


def read_logs(
    app: App, ref: str, *, tail: int | None = None, since: datetime | None = None, follow: bool = False
) -> Iterator[LogLine]:
    """What it printed, oldest first; with `follow` also what it prints from now on, until it ends."""
    return app.engine.logs(ref, tail=tail, since=since, follow=follow)


def measure_containers(app: App, refs: Sequence[str] = ()) -> tuple[Stats, ...]:
    """One sample of each (about a second), by name; without `refs` of every one that runs.

    Raises NotFound for a name there is not, Conflict for one named that does not run.
    """
    for ref in refs:
        if app.engine.container(ref).state not in ("running", "paused"):
            raise Conflict(f"container {ref} does not run", hint=f"vpsctl container start {ref}")
    wanted = list(refs) or [item.id for item in app.engine.summaries() if item.state == "running"]
    return tuple(sorted(app.engine.stats(wanted), key=lambda item: item.name))


def list_processes(app: App, ref: str) -> Processes:
    """Raises NotFound, Conflict when it does not run."""
    columns, rows = app.engine.top(ref)
    return Processes(columns, tuple(rows))
