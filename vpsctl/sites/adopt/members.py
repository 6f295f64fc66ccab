"""Which service each container becomes, and which of them the traffic goes to. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from vpsctl.errors import Invalid
from vpsctl.sites.adopt.found import Found

COMPOSE_PROJECT = "com.docker.compose.project"
COMPOSE_SERVICE = "com.docker.compose.service"
LONGEST = 30
HTTP_PORTS = (80, 8080, 3000, 8000, 5000, 4000, 8888, 8081, 9000)
"""Ports that web programs listen on by habit, the likelier ones first."""
ROOM = len("---r9999-12")
"""What stands around a service's name in a container's name, besides instance and site."""


@dataclass(frozen=True)
class Member:
    """A container and the service it is a replica of."""

    service: str
    found: Found


@dataclass(frozen=True)
class Front:
    """The service that answers visitors, and the port it listens on."""

    service: str
    port: int
    reason: str
    """Why it was taken for that: a note in the file."""


def name_services(founds: Sequence[Found], prefix: str) -> tuple[Member, ...]:
    """Compose's name of the service, else the container's; `prefix` (instance and site) must fit with it into a host name.

    Containers that Compose made of one service are its replicas; otherwise no two get one name.
    """
    longest = max(1, min(LONGEST, 63 - len(prefix) - ROOM))
    names: dict[tuple[str, ...], str] = {}
    members = []
    for found in founds:
        labels = found.container.labels
        made = (labels.get(COMPOSE_PROJECT, ""), labels.get(COMPOSE_SERVICE, ""))
        key = made if all(made) else (found.id,)
        if key not in names:
            names[key] = _free(_slug(made[1] or found.name, longest), set(names.values()), longest)
        members.append(Member(names[key], found))
    _check_replicas(members)
    return tuple(members)


def _slug(text: str, longest: int) -> str:
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    plain = plain if plain[:1].isalpha() else f"s-{plain}".rstrip("-")
    return plain[:longest].strip("-")


def _free(name: str, taken: set[str], longest: int) -> str:
    numbered = (f"{name[: longest - 1 - len(str(number))]}-{number}" for number in range(2, len(taken) + 3))
    return next(one for one in (name, *numbered) if one not in taken)


def _check_replicas(members: Sequence[Member]) -> None:
    first: dict[str, Found] = {}
    for member in members:
        other = first.setdefault(member.service, member.found)
        if other.image.id != member.found.image.id:
            raise Invalid(
                f"{other.name} and {member.found.name} are both the service {member.service}, of different images",
                hint="name the one that is to be kept, and stop the other",
            )


def choose_front(members: Sequence[Member], *, web: str | None, port: int | None, domains: bool) -> Front | None:
    """The service with the site's pages; None for a site that has none.

    Raises Invalid when it is not clear which that is, or where it listens, or when `domains` would lead to nothing.
    """
    chosen, reason = _named(members, web) if web else _likeliest(members, port, asked=domains or port is not None)
    if chosen is None:
        if domains or port is not None:
            raise Invalid(
                "none of these containers is a web server", hint="say which one it is: --web CONTAINER --port 3000"
            )
        return None
    if port is not None:
        return Front(chosen.service, port, f"{reason}; --port said {port}")
    found, why = _port(chosen.found)
    if found is None:
        raise Invalid(f"which port {chosen.found.name} listens on is not known: {why}", hint="say it: --port 3000")
    return Front(chosen.service, found, f"{reason}; {why}")


def _named(members: Sequence[Member], web: str) -> tuple[Member, str]:
    for item in members:
        if web in (item.found.name, item.service) or (len(web) >= 4 and item.found.id.startswith(web)):
            return item, "--web said so"
    names = ", ".join(item.found.name for item in members)
    raise Invalid(f"--web {web} is none of the containers to take over", hint=f"one of: {names}")


def _likeliest(members: Sequence[Member], port: int | None, *, asked: bool) -> tuple[Member | None, str]:
    """The first of these rules that leaves one service; `asked`: there is to be one."""
    able = [item for item in members if not item.found.stateful and item.found.joins_networks]
    rules = (
        (lambda found: port in (*found.published, *found.exposed), "the only one with that port"),
        (lambda found: found.published, "the only one that publishes a port, databases apart"),
        (lambda found: found.exposed, "the only one that declares a port, databases apart"),
        (lambda found: asked, "the only one that is no known database"),
        (lambda found: set(found.exposed) & set(HTTP_PORTS), "the only one with a port that web servers have"),
    )
    fitting = [([item for item in able if rule(item.found)], reason) for rule, reason in rules]
    for found, reason in fitting:
        if len({item.service for item in found}) == 1:
            return found[0], reason
    if any(found for found, _ in fitting):
        names = ", ".join(item.found.name for item in able)
        raise Invalid(f"which of these is the web server is not clear: {names}", hint="say which: --web CONTAINER")
    return None, ""


def _port(found: Found) -> tuple[int | None, str]:
    for ports, reason in ((found.published, "the port it publishes"), (found.exposed, "the port it declares")):
        if len(ports) == 1:
            return ports[0], reason
        likely = [port for port in HTTP_PORTS if port in ports]
        if likely:
            return likely[0], f"the likeliest of the ports {', '.join(map(str, ports))}"
    told = found.environment.get("PORT", "")
    if told.isdigit() and 0 < int(told) < 65536:
        return int(told), "its variable PORT"
    return None, f"it has {len(found.exposed)} ports" if found.exposed else "it declares none"
