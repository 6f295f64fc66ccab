"""A machine of its own for a test: a home, an instance name, free ports, and whatever `init` makes of them."""

import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import docker

from tests.conftest import docker_host, remove_labelled
from vpsctl.app import Actor, App
from vpsctl.settings import Settings


@contextmanager
def bare_machine(client: docker.DockerClient, **settings: object) -> Iterator[App]:
    """An App on which `init` never ran; everything it makes is removed at the end. The path is short, for Unix sockets."""
    instance = f"t{secrets.token_hex(3)}"
    home = Path(tempfile.mkdtemp(prefix="vt-"))
    http, https = free_ports(2)
    values = {"home": home, "instance": instance, "docker_host": docker_host(), "http_port": http, "https_port": https}
    try:
        with App(Settings(**{**values, **settings}), Actor("test", "cli")) as app:  # type: ignore[arg-type]
            yield app
    finally:
        remove_labelled(client, instance)
        shutil.rmtree(home)


@contextmanager
def initialised_machine(client: docker.DockerClient, **settings: object) -> Iterator[App]:
    from vpsctl.hosts.init import init

    with bare_machine(client, **settings) as app:
        init(app)
        yield app


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, all different."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for item in sockets:
            item.bind(("", 0))
        return [item.getsockname()[1] for item in sockets]
