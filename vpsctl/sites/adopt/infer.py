"""From running containers to a site's compose file. Pure: what the Engine and the vault said is handed in."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vpsctl.secret import Secret
from vpsctl.sites.adopt.found import Found, Sketch
from vpsctl.sites.adopt.isolation import infer_isolation
from vpsctl.sites.adopt.members import COMPOSE_PROJECT, Front, Member, choose_front, name_services
from vpsctl.sites.adopt.process import infer_process
from vpsctl.sites.adopt.reach import infer_names, infer_ports
from vpsctl.sites.adopt.secrecy import Wanted, is_secret
from vpsctl.sites.adopt.storage import infer_storage
from vpsctl.sites.adopt.text import Reference, compose_text, one_line
from vpsctl.sites.compose.names import ENVIRONMENT

GOOD = range(200, 400)


@dataclass(frozen=True)
class Wish:
    """What the operator asks for."""

    name: str
    containers: tuple[str, ...]
    """Names or ids."""
    domains: tuple[str, ...] = ()
    web: str | None = None
    """The container with the site's pages; None: found out."""
    port: int | None = None
    """Where that one listens; None: found out."""
    project: str | None = None


@dataclass(frozen=True)
class Shape:
    """The site before its credentials have names."""

    members: tuple[Member, ...]
    front: Front | None
    sketches: Mapping[str, Sketch]
    """By service."""
    aliases: Mapping[str, tuple[str, ...]]
    """By service: the names that lead to it besides its own."""

    def founds(self, service: str) -> list[Found]:
        return [member.found for member in self.members if member.service == service]

    @property
    def secrets(self) -> tuple[Wanted, ...]:
        """Values that go into the vault."""
        return tuple(
            Wanted(service, name, Secret(value))
            for service in self.sketches
            for name, value in _environment(self.founds(service)[0]).items()
            if is_secret(name, value)
        )

    @property
    def notes(self) -> tuple[str, ...]:
        """Every remark, with the service it is about."""
        return tuple(f"{service}: {one_line(note)}" for service, sketch in self.sketches.items() for note in sketch.notes)


def infer_shape(founds: Sequence[Found], wish: Wish, *, instance: str, public_ports: bool) -> Shape:
    """Raises Invalid when it cannot tell the web service or its port."""
    members = name_services(founds, f"{instance}{wish.name}")
    front = choose_front(members, web=wish.web, port=wish.port, domains=bool(wish.domains))
    sketches: dict[str, Sketch] = {}
    aliases: dict[str, tuple[str, ...]] = {}
    for member in members:
        if member.service in sketches:
            continue
        replicas = [item.found for item in members if item.service == member.service]
        web_port = front.port if front and front.service == member.service else None
        taken = {key: name for other in sketches.values() for key, name in other.volumes.items()}
        sketch = sketches[member.service] = _sketch(member, replicas, taken)
        infer_ports(member.found, sketch, web_port=web_port, public=public_ports)
        others = [item.found for item in members if item.service != member.service]
        aliases[member.service] = infer_names(member.found, sketch, service=member.service, others=others)
    _depend(members, sketches)
    return Shape(members, front, sketches, aliases)


def _sketch(member: Member, replicas: Sequence[Found], taken: Mapping[str, str]) -> Sketch:
    """`taken`: the volumes of the services before, by key."""
    sketch = Sketch(notes=[f"from the container {', '.join(found.name for found in replicas)}"])
    project = member.found.container.labels.get(COMPOSE_PROJECT)
    if project:
        sketch.notes.append(f"docker compose made it (project {project}): from now on leave it to vpsctl, not to compose")
    infer_process(member.found, sketch)
    infer_storage(member.found, sketch, service=member.service, taken=taken)
    infer_isolation(member.found, sketch)
    if len(replicas) > 1:
        sketch.entries["deploy"] = {"replicas": len(replicas), **sketch.entries["deploy"]}
    dropped = [name for name in member.found.environment if not ENVIRONMENT.fullmatch(name)]
    sketch.notes.extend(f"cannot be carried over: the variable {name!r}" for name in dropped)
    return sketch


def _environment(found: Found) -> dict[str, str]:
    return {name: value for name, value in found.environment.items() if ENVIRONMENT.fullmatch(name)}


def _depend(members: Sequence[Member], sketches: Mapping[str, Sketch]) -> None:
    """The order that Compose was given, as far as those services are taken over: "db:service_healthy:false,…"."""
    for member in members:
        listed = member.found.container.labels.get("com.docker.compose.depends_on", "")
        words = [item.split(":") for item in listed.split(",") if item]
        wanted = {
            parts[0]: {"condition": parts[1] if _can_wait(parts, members) else "service_started"}
            for parts in words
            if parts[0] in sketches and parts[0] != member.service
        }
        if wanted:
            sketches[member.service].entries["depends_on"] = wanted


def _can_wait(parts: Sequence[str], members: Sequence[Member]) -> bool:
    checked = any(item.service == parts[0] and item.found.container.health for item in members)
    return parts[1:2] == ["service_healthy"] and checked


def write_site(shape: Shape, wish: Wish, names: Mapping[tuple[str, str], str], *, answer: int | None) -> str:
    """The compose file. `names`: the credential of each secret variable; `answer`: the status of / at the web service."""
    services = {}
    volumes: dict[str, str] = {}
    for service, sketch in shape.sketches.items():
        environment = {
            name: Reference(f"${{{names[service, name]}}}") if (service, name) in names else value
            for name, value in _environment(shape.founds(service)[0]).items()
        }
        moved = [f"{name} is the credential {names[service, name]} now" for name in environment if (service, name) in names]
        entries = {**sketch.entries, **({"environment": environment} if environment else {})}
        services[service] = (entries, [*sketch.notes, *moved])
        volumes |= sketch.volumes
    return compose_text(wish.name, services, volumes, list(_intent(shape, wish, names, answer)))


def _intent(
    shape: Shape, wish: Wish, names: Mapping[tuple[str, str], str], answer: int | None
) -> Iterator[tuple[str, Any, list[str]]]:
    if wish.project:
        yield "project", wish.project, []
    if shape.front is None:
        yield "web", False, ["none of them is a web server"]
    else:
        web: dict[str, Any] = {"service": shape.front.service, "port": shape.front.port}
        notes = [f"the web service: {shape.front.reason}"]
        if wish.domains:
            web["domains"] = list(wish.domains)
        if wish.domains and all(domain.endswith(".localhost") for domain in wish.domains):
            web["tls"] = "off"
        yield "web", web, notes
        if answer is not None and answer not in GOOD:
            yield (
                "healthcheck",
                {"expect_status": "1xx-5xx" if answer >= 500 else "2xx-4xx"},
                [f"/ answers {answer} now: name a path that answers 200, and a deploy proves more"],
            )
    receivers: dict[str, list[str]] = {}
    for (service, _), name in names.items():
        receivers.setdefault(name, []).append(service)
    if receivers:
        yield "secrets", [{"name": name, "services": list(dict.fromkeys(to))} for name, to in receivers.items()], []
