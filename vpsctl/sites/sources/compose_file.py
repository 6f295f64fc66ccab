"""The compose file of a checked out site: the one that stands there, or the smallest one for an app that we recognise."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vpsctl.errors import Invalid, NotFound
from vpsctl.sites.sources.detect import detect_app
from vpsctl.sites.sources.inside import read_inside
from vpsctl.sites.sources.tree import Detected

NAMES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
"""In the order of the Compose Specification: the first that exists is the file."""


@dataclass(frozen=True)
class ComposeFile:
    name: str
    text: str
    ignored: tuple[str, ...] = ()
    """Other names of compose files in the same directory: `docker compose` would not read them either."""
    inferred: Detected | None = None
    """Set when no file stood there and `text` was made from the app; whoever adds the site shows it and writes it."""


def find_compose(directory: Path) -> ComposeFile | None:
    """The compose file of the directory. Raises Invalid for one that is unreadable or a link that leads outside."""
    names = [name for name in NAMES if (directory / name).is_file()]
    if not names:
        return None
    return ComposeFile(names[0], read_inside(directory, names[0], what="compose file"), tuple(names[1:]))


def read_compose(directory: Path) -> ComposeFile:
    """As `find_compose`, for a site that must have one. Raises NotFound."""
    found = find_compose(directory)
    if found is None:
        hint = "write one into the source; vpsctl site add DIRECTORY writes it for an app that it recognises"
        raise NotFound(f"no compose.yaml in {directory}", hint=hint)
    return found


def find_or_infer_compose(directory: Path, name: str, *, domains: Sequence[str] = ()) -> ComposeFile:
    """The compose file of the directory, else one for the app in it. Raises Invalid when it holds neither."""
    found = find_compose(directory)
    if found is not None:
        return found
    if (directory / "Dockerfile").is_file():
        hint = (
            "write a compose.yaml; its web port is not in a Dockerfile to be guessed: vpsctl site new --help has one to copy"
        )
        raise Invalid(f"{directory} has a Dockerfile and no compose.yaml", hint=hint)
    detected = detect_app(directory)
    return ComposeFile(NAMES[0], infer_compose(name, detected, domains), inferred=detected)


def infer_compose(name: str, detected: Detected, domains: Sequence[str] = ()) -> str:
    """The least that deploys the app: one service built here, one route. Without a domain: <name>.localhost, without TLS."""
    reasons = "".join(f"#   {line}\n" for line in detected.reason)
    served = f"[{', '.join(domains)}]" if domains else f"[{name}.localhost]\n    tls: off"
    return f"""\
# Made by vpsctl from what stands in this directory ({detected.kind}):
{reasons}name: {name}
services:
  web:
    build: .
x-vpsctl:
  web:
    service: web
    port: {detected.port}
    domains: {served}
  healthcheck: {{path: /}}
"""
