"""What this machine offers to the outside, against what is meant."""

from collections import defaultdict
from collections.abc import Iterator
from ipaddress import ip_address

from vpsctl.docker_engine.types import ContainerSummary
from vpsctl.hosts.checks.check import Check, Seen
from vpsctl.hosts.foundation import container_name, own_services
from vpsctl.sites import naming

FORWARDERS = ("docker-proxy", "rootlesskit")
"""Processes that hold a port for a container: the check of published ports speaks of those."""
EXPECTED = ("sshd", "systemd")


def check_web_ports(seen: Seen) -> Iterator[Check]:
    """Caddy has the web's ports, or nobody else stands in its way."""
    wanted = {seen.settings.http_port: "--http-port", seen.settings.https_port: "--https-port"}
    for port, flag in wanted.items() if "caddy" in own_services(seen.settings) else ():
        holders = [item for item in seen.running() if any(binding.host_port == port for binding in item.ports)]
        if any(item.name == container_name(seen.settings, "caddy") for item in holders):
            yield Check("web ports", "ok", f"port {port} is Caddy's")
            continue
        names = [f"container {item.name}" for item in holders]
        names += [item.process or "a process" for item in seen.listeners() if item.port == port]
        if names:
            mend = f"stop that, or vpsctl init {flag} {port + 8000}"
            yield Check("web ports", "fail", f"port {port} is held by {names[0]}, and Caddy needs it", mend)
        else:
            yield Check("web ports", "fail", f"nothing listens on port {port}", "vpsctl init")


def check_listeners(seen: Seen) -> Iterator[Check]:
    """Processes of the machine itself that the outside can reach, SSH apart."""
    meant = {seen.settings.http_port, seen.settings.https_port}
    found: dict[int, str] = {}
    for item in seen.listeners():
        if item.public and item.port not in meant and not item.process.startswith((*FORWARDERS, *EXPECTED)):
            found.setdefault(item.port, item.process or "unknown process")
    if not found:
        yield Check("listeners", "ok", "nothing but SSH and the web ports listens on public addresses")
        return
    shown = ", ".join(f"{port} ({process})" for port, process in sorted(found.items()))
    yield Check(
        "listeners", "warn", f"reachable from outside, unless a firewall forbids it: {shown}", "bind them to 127.0.0.1"
    )


def check_published(seen: Seen) -> Iterator[Check]:
    """Docker's published ports pass by ufw and firewalld: its rules stand before theirs."""
    exposed = {item.name: ports for item in seen.running() if (ports := public_ports(item)) and not _meant(seen, item)}
    if not exposed:
        yield Check("published ports", "ok", "no container but Caddy publishes on a public address")
    for name, ports in sorted(exposed.items()):
        message = f"container {name} publishes {', '.join(map(str, ports))} on a public address, past any firewall"
        yield Check("published ports", "warn", message, f'publish it as "127.0.0.1:{ports[0]}:…" and make {name} again')


def public_ports(container: ContainerSummary) -> list[int]:
    """The host ports it publishes where others than this machine can come."""
    return sorted(
        {item.host_port for item in container.ports if item.host_port and not ip_address(item.host_ip).is_loopback}
    )


def _meant(seen: Seen, container: ContainerSummary) -> bool:
    allowed = naming.SITE in container.labels and "public_ports" in seen.settings.allow
    return seen.ours(container) and (allowed or container.name == container_name(seen.settings, "caddy"))


def check_log_rotation(seen: Seen) -> Iterator[Check]:
    """A json-file log without a limit grows until the disk is full."""
    endless: dict[str, list[str]] = defaultdict(list)
    for body in seen.inspected():
        logging = body["HostConfig"]["LogConfig"]
        if logging["Type"] == "json-file" and "max-size" not in (logging["Config"] or {}):
            endless["names"].append(body["Name"].removeprefix("/"))
    if endless["names"]:
        message = f"the logs of these containers grow without end: {', '.join(sorted(endless['names']))}"
        mend = 'set "log-opts": {"max-size": "10m", "max-file": "3"} in daemon.json and make them again'
        yield Check("log rotation", "warn", message, mend)
    else:
        yield Check("log rotation", "ok", "every container's log has a limit")
