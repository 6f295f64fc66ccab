"""What a deploy asks of the Engine: as little as will do, with the same answer."""

import socket
import socketserver
import threading
from contextlib import closing
from pathlib import Path

import docker
import pytest

from tests.conftest import docker_host
from tests.operations.deploy.conftest import Site
from vpsctl.app import App
from vpsctl.docker_engine.engine import Engine
from vpsctl.sites.capacity import Budget, Share
from vpsctl.sites.caps import labelled_budget, read_budget
from vpsctl.sites.deploy import deploy

MIB = 1024**2


def share(found: Budget, site: Site) -> Share:
    return next(item for item in found.shares if (item.kind, item.name) == ("site", site.name))


def test_labels_tell_the_caps_that_an_inspect_tells(foundation: App, site: Site, docker_client: docker.DockerClient) -> None:
    deploy(site.app, site.name)
    exact = share(read_budget(foundation), site)
    assert (exact.memory, exact.cpus, exact.containers) == (64 * MIB, 0.5, 1)
    assert share(labelled_budget(foundation), site) == exact
    name = site.observe().running("app")[0].id
    docker_client.api.update_container(name, mem_limit=96 * MIB, memswap_limit=-1)
    assert share(read_budget(foundation), site).memory == 96 * MIB
    assert share(labelled_budget(foundation), site).memory == 64 * MIB


class Relay(socketserver.ThreadingUnixStreamServer):
    """Passes everything on to the Engine, and counts the connections."""

    daemon_threads = True
    opened = 0


class Pass(socketserver.BaseRequestHandler):
    server: Relay

    def handle(self) -> None:
        self.server.opened += 1
        with socket.socket(socket.AF_UNIX) as engine:
            engine.connect(docker_host().removeprefix("unix://"))
            back = threading.Thread(target=_copy, args=(engine, self.request))
            back.start()
            _copy(self.request, engine)
            back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    while data := source.recv(65536):
        target.sendall(data)
    target.shutdown(socket.SHUT_WR)


@pytest.mark.skipif(not docker_host().startswith("unix://"), reason="the Engine is not on a unix socket")
def test_one_connection_serves_request_after_request(tmp_path: Path) -> None:
    with Relay(str(tmp_path / "engine.sock"), Pass) as relay:
        threading.Thread(target=relay.serve_forever, args=(0.01,), daemon=True).start()
        with closing(Engine(f"unix://{tmp_path}/engine.sock")) as engine:
            engine.find_image("busybox:latest")  # two: the one that settles the version is closed again
            before = relay.opened
            engine.info()
            engine.summaries()
            engine.networks()
            assert engine.find_container("nobody-has-this-name") is None
        relay.shutdown()
    assert (before, relay.opened) == (2, 2)


def test_the_machine_is_asked_for_once(engine: Engine) -> None:
    assert engine.machine() is engine.machine()
    assert engine.machine() == engine.info()
