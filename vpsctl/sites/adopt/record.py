"""Which containers a site has taken over: Docker cannot label one that runs, so a file in {home}/adopted says it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeVar

from vpsctl import private_file
from vpsctl.docker_engine.types import Container, ContainerSummary
from vpsctl.errors import Failed
from vpsctl.sites.compose.names import SITE

C = TypeVar("C", Container, ContainerSummary)
WHAT = "record of adopted containers"


@dataclass(frozen=True)
class Adopted:
    """One container of a site's release 0."""

    id: str
    name: str
    """What Caddy dials: the container's name, or its short id where a name is no host name."""
    labels: Mapping[str, str]
    """What it would carry if it could be labelled."""


def read_adoption(home: Path, site: str) -> tuple[Adopted, ...]:
    """The containers that `site` has taken over; empty for a site that has none, and for what is no site's name.

    Raises Failed when the file is damaged, Invalid when others may read it.
    """
    if not SITE.fullmatch(site):
        return ()
    path = _path(home, site)
    if not path.exists():
        return ()
    try:
        return tuple(Adopted(**item) for item in json.loads(private_file.read(path, WHAT)))
    except (ValueError, TypeError) as error:
        raise Failed(f"the {WHAT} at {path} is damaged", hint="put it back from a backup of the state directory") from error


def every_adoption(home: Path) -> dict[str, tuple[Adopted, ...]]:
    """By site."""
    return {path.stem: read_adoption(home, path.stem) for path in sorted((home / "adopted").glob("*.json"))}


def write_adoption(home: Path, site: str, containers: Iterable[Adopted]) -> None:
    """Remember them; a record of that site from before is replaced, as a whole or not at all. Raises Failed."""
    path = _path(home, site)
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        private_file.write(path, json.dumps([asdict(item) for item in containers], indent=1).encode() + b"\n")
    except OSError as error:
        raise Failed(f"cannot write {path}: {error.strerror or error}", hint="vpsctl doctor") from error


def forget_adoption(home: Path, site: str) -> None:
    """The containers are nobody's again. Nothing happens when there is no record."""
    _path(home, site).unlink(missing_ok=True)


def labelled(item: C, adopted: Adopted) -> C:
    """The container as if it carried our labels, under the name that it is reached by."""
    return replace(item, name=adopted.name, labels={**item.labels, **adopted.labels})


def label_all(home: Path, items: Iterable[C]) -> list[C]:
    """All of `items`, those that some site has taken over with their labels."""
    known = {adopted.id: adopted for containers in every_adoption(home).values() for adopted in containers}
    return [labelled(item, known[item.id]) if item.id in known else item for item in items]


def _path(home: Path, site: str) -> Path:
    return home / "adopted" / f"{site}.json"
