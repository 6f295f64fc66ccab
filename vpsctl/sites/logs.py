"""What a site's containers print, told apart by container, in the order it was printed."""

import heapq
import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from vpsctl.app import App
from vpsctl.docker_engine.types import Container
from vpsctl.errors import NotFound
from vpsctl.sites import naming
from vpsctl.sites.lookup import check_deployed
from vpsctl.sites.naming import Names, release_of
from vpsctl.sites.observe import is_up, site_containers

START = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class SiteLine:
    container: str
    service: str
    release: int
    at: datetime | None
    stream: str
    text: str


@dataclass(frozen=True)
class Wanted:
    """Which lines."""

    service: str | None = None
    release: int | None = None
    """None: of what runs, or of the newest when nothing runs."""
    tail: int | None = 200
    """Lines a container; None: all it has."""
    since: datetime | None = None


def read_logs(app: App, site: str, wanted: Wanted) -> Iterator[SiteLine]:
    """Lines that are there now, oldest first. Needs no Postgres. Raises NotFound without such a container, Conflict before
    the first deploy."""
    streams = [_lines(app, item, wanted) for item in _containers(app, site, wanted)]
    return heapq.merge(*streams, key=lambda line: line.at or START)


def follow_logs(app: App, site: str, wanted: Wanted) -> Iterator[SiteLine]:
    """Lines that are there and those to come, as they come, until every container has ended or the caller stops."""
    containers = _containers(app, site, wanted)
    lines: queue.Queue[SiteLine | BaseException | None] = queue.Queue(maxsize=1000)
    for item in containers:
        threading.Thread(target=_pump, args=(app, item, wanted, lines), daemon=True).start()
    ended = 0
    while ended < len(containers):
        line = lines.get()
        if line is None:
            ended += 1
        elif isinstance(line, BaseException):
            raise line
        else:
            yield line


def _pump(app: App, item: Container, wanted: Wanted, lines: "queue.Queue[SiteLine | BaseException | None]") -> None:
    try:
        for line in _lines(app, item, wanted, follow=True):
            lines.put(line)
    except BaseException as error:
        lines.put(error)
    lines.put(None)


def _lines(app: App, item: Container, wanted: Wanted, *, follow: bool = False) -> Iterator[SiteLine]:
    service, release = item.labels.get(naming.SERVICE, ""), release_of(item.labels)
    for line in app.engine.logs(item.id, tail=wanted.tail, since=wanted.since, follow=follow):
        yield SiteLine(item.name, service, release, line.at, line.stream, line.text)


def _containers(app: App, site: str, wanted: Wanted) -> list[Container]:
    found = [
        item
        for item in site_containers(app, Names(app.settings.instance, site))
        if wanted.service in (None, item.labels.get(naming.SERVICE))
    ]
    if wanted.release is not None:
        found = [item for item in found if release_of(item.labels) == wanted.release]
    else:
        newest = max((release_of(item.labels) for item in found), default=0)
        found = [item for item in found if is_up(item)] or [item for item in found if release_of(item.labels) == newest]
    if not found:
        if wanted.service is None and wanted.release is None:
            check_deployed(app, site)
        what = f"no container of {wanted.service}" if wanted.service else "no container"
        raise NotFound(f"{site} has {what}", hint=f"vpsctl site show {site}")
    return found
