"""Looking at the containers that are to be taken over: everything is asked here, and nothing is changed."""

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import httpx
from sqlalchemy import select

from vpsctl.app import App
from vpsctl.db.models import Site
from vpsctl.docker_engine.types import ContainerSummary, Image
from vpsctl.errors import Conflict, Failed, Invalid
from vpsctl.sites import naming
from vpsctl.sites.adopt.found import Found
from vpsctl.sites.adopt.infer import Shape
from vpsctl.sites.adopt.record import every_adoption

PATIENCE = timedelta(seconds=5)


def survey(app: App, refs: Sequence[str]) -> tuple[Found, ...]:
    """The containers by name or id, each once, as they run now.

    Raises NotFound for one that is not there; Conflict for one that does not run, is vpsctl's own or has been taken over;
    Invalid for one that would not outlive being stopped.
    """
    bodies = {body["Id"]: body for body in (app.engine.inspect(ref) for ref in refs)}
    takers = _takers(app)
    for body in bodies.values():
        _check(app, body, takers)
    usage = {item.container: item.memory for item in app.engine.stats(list(bodies), at_once=True)}
    summaries = app.engine.summaries()
    return tuple(_found(app, body, usage.get(key, 0), summaries, list(bodies)) for key, body in bodies.items())


def _takers(app: App) -> dict[str, str]:
    """Container id to the site that has taken it over; what was left by an adoption that never ended does not count."""
    with app.database.transaction() as session:
        sites = set(session.scalars(select(Site.name)))
    records = every_adoption(app.settings.home)
    return {item.id: site for site, containers in records.items() if site in sites for item in containers}


def _check(app: App, body: dict[str, Any], takers: dict[str, str]) -> None:
    name, state = body["Name"].removeprefix("/"), body["State"]["Status"]
    owner = (body["Config"]["Labels"] or {}).get(naming.INSTANCE)
    if owner is not None:
        whose = "this vpsctl" if owner == app.settings.instance else f"the installation {owner}"
        raise Conflict(f"the container {name} was made by {whose} already", hint="vpsctl status")
    if body["Id"] in takers:
        site = takers[body["Id"]]
        raise Conflict(f"the container {name} belongs to the site {site} already", hint=f"vpsctl site show {site}")
    if state != "running":
        raise Conflict(f"the container {name} does not run: it is {state}", hint=f"docker start {name}, then try again")
    if body["HostConfig"].get("AutoRemove"):
        raise Invalid(
            f"the container {name} was started with --rm: the first stop would remove it with its anonymous volumes",
            hint="start it again without --rm, then try again",
        )
    if str(body["HostConfig"].get("NetworkMode", "")).startswith("container:"):
        raise Invalid(
            f"the container {name} lives in another container's network, where no proxy can tell the two apart",
            hint="start it on a network of its own, then try again",
        )


def _found(app: App, body: dict[str, Any], usage: int, others: Sequence[ContainerSummary], taken: Sequence[str]) -> Found:
    image = app.engine.find_image(body["Image"])
    name = body["Name"].removeprefix("/")
    if image is None:
        raise Failed(
            f"the image of the container {name} is no longer on this machine, so it could not be made again",
            hint=f"docker commit {name} NAME keeps one; then start it from that",
        )
    mine = {key for key in body["NetworkSettings"].get("Networks") or {} if key != "bridge"}
    near = tuple(sorted(item.name for item in others if item.id not in taken and mine & set(item.addresses)))
    return Found(body, image, _reference(app, body["Config"]["Image"], image), usage, near)


def _reference(app: App, written: str, image: Image) -> str:
    """The name it was made from while that still means the same image, else one of the image's names, else its id."""
    is_id = image.id.removeprefix("sha256:").startswith(written.removeprefix("sha256:"))
    named = None if is_id else app.engine.find_image(written)
    if named is not None and named.id == image.id:
        return written
    return image.tags[0] if image.tags else image.id


def ask_front(shape: Shape, domains: Sequence[str]) -> int | None:
    """The status that / of the web service answers with now, over a network it is on already; None without one.

    Raises Failed when nothing answers there within PATIENCE: the port is wrong, or the site is down.
    """
    if shape.front is None:
        return None
    found, port = shape.founds(shape.front.service)[0], shape.front.port
    address = next(iter(found.container.addresses.values()), None)
    if address is None:
        raise Invalid(f"{found.name} is on no network that a proxy can reach it by", hint="start it on a network of its own")
    headers = {"Host": domains[0] if domains else "localhost", "X-Forwarded-Proto": "https", "User-Agent": "vpsctl-probe"}
    deadline = time.monotonic() + PATIENCE.total_seconds()
    with httpx.Client(timeout=PATIENCE.total_seconds(), trust_env=False) as client:
        while True:
            try:
                with client.stream("GET", f"http://{address}:{port}/", headers=headers) as response:
                    return response.status_code  # the page itself may never end
            except httpx.HTTPError as error:
                if time.monotonic() >= deadline:
                    said = str(error) or type(error).__name__
                    raise Failed(
                        f"nothing answers by HTTP on port {port} of {found.name}: {said}",
                        hint="say the port it listens on: --port 3000",
                    ) from error
            time.sleep(0.1)
