"""A Caddy of our own with the proxy directory mounted, and a container of applications behind it, for the whole package."""

import http.client
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import docker
import pytest
from docker.models.containers import Container
from docker.models.networks import Network
from websockets.sync.client import ClientConnection, connect

from vpsctl.errors import VpsctlError
from vpsctl.proxy.proxy import Proxy
from vpsctl.proxy.types import Route, Tls, Upstreams
from vpsctl.settings import Settings

HERE = Path(__file__).parent
FULL = "full"
"""The site whose directory is a small file system of its own."""


@dataclass
class Stand:
    """One Caddy, one container of applications, and the ways to both."""

    client: docker.DockerClient
    settings: Settings
    network: Network
    prefix: str
    caddy: Container
    applications: Container
    command_port: int
    proxy: Proxy = field(init=False)

    def __post_init__(self) -> None:
        self.proxy = Proxy(self.settings)

    def address(self, port: int) -> str:
        return f"{self.applications.name}:{port}"

    def upstreams(self, release: str, *ports: int) -> Upstreams:
        return Upstreams(release, tuple(self.address(port) for port in ports))

    def site(self, name: str, *ports: int, hold: float = 0.0, tls: Tls = "off") -> Route:
        """A site that is served by these applications, with the domain NAME.test."""
        route = Route(name, (f"{name}.test",), tls, timedelta(seconds=hold))
        self.proxy.switch(name, self.upstreams("1", *ports))
        self.proxy.ensure_routes([route])
        return route

    def command(self, *verb: object) -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", self.command_port, timeout=10)) as connection:
            connection.request("GET", "/" + "/".join(str(part) for part in verb))
            assert connection.getresponse().status == 200

    def open(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.settings.http_port, timeout=10)

    def ask(
        self, host: str, path: str = "/", *, method: str = "GET", body: bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of one plain request, as a visitor sends it."""
        with closing(self.open()) as connection:
            extra = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body=body, headers={"Host": host, **extra})
            response = connection.getresponse()
            return response.status, dict(response.headers.items()), response.read()

    def websocket(self, host: str) -> ClientConnection:
        return connect(f"ws://{host}/", sock=socket.create_connection(("127.0.0.1", self.settings.http_port)), proxy=None)


def until(condition: Callable[[], object], what: str, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"after {seconds:g} s still no {what}")
        time.sleep(0.01)


def answers(proxy: Proxy) -> bool:
    try:
        proxy.ping()
    except VpsctlError:
        return False
    return True


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        servers = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [server.getsockname()[1] for server in servers]


@pytest.fixture(scope="session")
def stand(docker_client: docker.DockerClient) -> Iterator[Stand]:
    prefix = f"t{secrets.token_hex(3)}"
    http_port, https_port, command_port = free_ports(3)
    with ExitStack() as stack:
        home = Path(tempfile.mkdtemp(prefix="vpsctl-proxy-"))
        stack.callback(shutil.rmtree, home)
        settings = Settings(home=home, instance=prefix, http_port=http_port, https_port=https_port)
        assert Proxy(settings).prepare()
        small = home / "proxy" / "upstreams" / FULL
        small.mkdir()
        # Mounted before Caddy starts: a bind mount takes along what is mounted below it, not what comes later.
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", small], check=True)
        stack.callback(subprocess.run, ["umount", small], check=True)
        network = docker_client.networks.create(prefix, labels={"vpsctl.instance": prefix})
        stack.callback(network.remove)
        common = {"detach": True, "network": prefix, "labels": {"vpsctl.instance": prefix}}
        applications = docker_client.containers.run(
            "python:3.11-slim",
            ["python", "-u", "/upstream.py"],
            name=f"{prefix}-applications",
            volumes=[f"{HERE / 'upstream.py'}:/upstream.py:ro"],
            ports={"8000/tcp": ("127.0.0.1", command_port)},
            **common,
        )
        stack.callback(applications.remove, force=True)
        caddy = docker_client.containers.run(
            "caddy:2-alpine",
            ["caddy", "run", "--config", "/run/vpsctl/caddy.json"],
            name=f"{prefix}-caddy",
            volumes=[f"{home / 'proxy'}:/run/vpsctl"],
            ports={"80/tcp": ("127.0.0.1", http_port), "443/tcp": ("127.0.0.1", https_port)},
            **common,
        )
        stack.callback(caddy.remove, force=True)
        stand = Stand(docker_client, settings, network, prefix, caddy, applications, command_port)
        until(lambda: answers(stand.proxy), "Caddy")
        until(lambda: b"ready" in applications.logs(), "applications")
        yield stand


@pytest.fixture
def proxy(stand: Stand) -> Iterator[Proxy]:
    """Without a site at the end of the test."""
    yield stand.proxy
    sites = [route.site for route in stand.proxy.routes()]
    stand.proxy.ensure_routes([], remove=sites)
    for site in {*sites} - {FULL}:
        stand.proxy.forget(site)
