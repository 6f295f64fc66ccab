"""Stopping containers of a site: together, each with its own grace."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from vpsctl.docker_engine.engine import Engine
from vpsctl.docker_engine.types import Container
from vpsctl.errors import Conflict, Failed
from vpsctl.sites import naming
from vpsctl.sites.compose.spec import SiteSpec

GRACE = timedelta(seconds=10)
"""The Engine's own default between SIGTERM and SIGKILL."""


def stop_all(engine: Engine, containers: Sequence[Container], spec: SiteSpec | None = None) -> None:
    """Stop them at the same time, since each may use its whole grace. Already stopped ones are left."""
    running = [item for item in containers if item.state in ("running", "restarting", "paused")]
    if not running:
        return
    with ThreadPoolExecutor(max_workers=len(running)) as pool:
        list(pool.map(lambda item: _stop(engine, item, spec), running))


def _stop(engine: Engine, item: Container, spec: SiteSpec | None) -> None:
    # At its own next start the Engine would start these again, beside what has replaced them and over the same data.
    comes_back = item.restart in ("always", "on-failure")
    changed = comes_back and _stays_stopped(engine, item)
    engine.stop(item.id, grace=grace(item, spec))
    if comes_back and not changed:
        engine.set_restart(item.id, "unless-stopped")


def _stays_stopped(engine: Engine, item: Container) -> bool:
    """False when the Engine refused: between two restarts of one that crashes, 20.10 changes nothing of a container."""
    try:
        engine.set_restart(item.id, "unless-stopped")
    except (Conflict, Failed):
        return False
    return True


def grace(container: Container, spec: SiteSpec | None) -> timedelta | None:
    """The service's stop_grace_period; None leaves it to what the container was created with."""
    service = spec.services.get(container.labels.get(naming.SERVICE, "")) if spec else None
    return service.stop_grace_period if service else None
