"""How a container is reached: its ports on this machine, and the names others know it by. Pure."""

from collections.abc import Iterator, Sequence

from vpsctl.docker_engine.types import PortBinding
from vpsctl.sites.adopt.found import Found, Sketch
from vpsctl.sites.compose.names import ALIAS

EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104  what the Engine writes for every address


def infer_ports(found: Found, sketch: Sketch, *, web_port: int | None, public: bool) -> None:
    """What stays published. `web_port`: the one the proxy serves instead; `public`: also beyond 127.0.0.1."""
    ports = []
    for port in _bindings(found):
        told = f"{port.host_ip}:{port.host_port}"
        if port.container_port == web_port and port.protocol == "tcp":
            sketch.notes.append(f"its port {web_port} is published on {told}: from the next deploy on only the proxy has it")
            continue
        address = port.host_ip if public or port.host_ip in ("127.0.0.1", "::1") else "127.0.0.1"
        if address != port.host_ip:
            sketch.notes.append(f"it is published on {told}: from the next deploy on only on 127.0.0.1:{port.host_port}")
        shown = f"[{address}]" if ":" in address else address
        ports.append(f"{shown}:{port.host_port}:{port.container_port}" + ("/udp" if port.protocol == "udp" else ""))
    if ports:
        sketch.entries["ports"] = ports
        if web_port is not None:
            sketch.notes.append("it publishes a port of its own, so a deploy must stop it before the new one can start")


def _bindings(found: Found) -> Iterator[PortBinding]:
    """Each once: the Engine lists `0.0.0.0` and `::` for the same port."""
    seen = set()
    for port in found.container.ports:
        address = EVERYWHERE[0] if port.host_ip in EVERYWHERE else port.host_ip
        key = (address, port.host_port, port.container_port, port.protocol)
        if port.host_port is not None and key not in seen:
            seen.add(key)
            yield PortBinding(port.container_port, port.host_port, address, port.protocol)


def infer_names(found: Found, sketch: Sketch, *, service: str, others: Sequence[Found]) -> tuple[str, ...]:
    """The names that still have to lead to it, besides the service's own; `others` are taken over with it."""
    hostname = found.config.get("Hostname") or ""
    listed = [alias for aliases in found.container.aliases.values() for alias in aliases]
    known = [found.name, *listed, *_linked(found, others), hostname]
    names = [name for name in dict.fromkeys(known) if name and name != service and not found.id.startswith(name)]
    kept = tuple(name for name in names if ALIAS.fullmatch(name))
    sketch.notes.extend(f"the name {name!r} cannot be kept: it is no host name" for name in names if name not in kept)
    if kept and found.joins_networks:
        sketch.entries["networks"] = {"default": {"aliases": list(kept)}}
        sketch.notes.append(f"the names it was reached by are kept: {', '.join(kept)}")
    _note_surroundings(found, sketch, others)
    return kept if found.joins_networks else ()


def _linked(found: Found, others: Sequence[Found]) -> Iterator[str]:
    """What `others` call it by a link."""
    for other in others:
        links = list(other.host.get("Links") or ())
        networks = (other.body["NetworkSettings"].get("Networks") or {}).values()
        links += [link for end in networks for link in end.get("Links") or ()]
        for target, _, alias in (link.partition(":") for link in links):
            if target.removeprefix("/") == found.name:
                yield alias.rpartition("/")[2]


def _note_surroundings(found: Found, sketch: Sketch, others: Sequence[Found]) -> None:
    if found.neighbours:
        sketch.notes.append(
            f"it shares a network with {', '.join(found.neighbours)}, not taken over: out of reach after the next deploy"
        )
    if found.host.get("Links"):
        sketch.notes.append("its links end with the next deploy: their names stay, their environment variables go")
    for other in others:
        for address in set(other.container.addresses.values()):
            if any(address in value for value in found.environment.values()):
                sketch.notes.append(f"it is told the address {address} of {other.name}, which changes: use a name instead")
