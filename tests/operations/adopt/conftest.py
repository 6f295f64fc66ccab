"""Containers that vpsctl did not make: a web app that asks its database at each request, and a Postgres with a row."""

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import docker
import httpx
import pytest

from tests.waiting import wait_for
from vpsctl.app import App
from vpsctl.docker_engine.types import Attachment, Container, ContainerSpec
from vpsctl.errors import NotFound
from vpsctl.sites.adopt.infer import Wish
from vpsctl.sites.naming import Names
from vpsctl.sites.remove import remove_site

PASSWORD = "pa$$ ${x} word"
APP = """
import os, signal, socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        database = os.environ.get("DATABASE")
        if database:
            socket.create_connection((database, 5432), timeout=2).close()  # without it there is no answer at all
        body = (socket.gethostname() + " " + os.environ.get("TEXT", "")).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        print("asked", flush=True)
ThreadingHTTPServer((os.environ.get("BIND", ""), 3000), Handler).serve_forever()
"""


@dataclass
class Stranger:
    """What somebody started by hand, on a network of their own."""

    app: App
    client: docker.DockerClient
    prefix: str
    sites: list[str] = field(default_factory=list)

    def run(self, name: str, **values: object) -> Container:
        """A web app on port 3000, unless `values` say otherwise."""
        wanted: dict[str, object] = {
            "image": "python:3.11-slim",
            "command": ("python3", "-u", "-c", APP),
            "attachments": (Attachment(self.prefix),),
        }
        spec = ContainerSpec(f"{self.prefix}-{name}", **{**wanted, **values})  # type: ignore[arg-type]
        engine = self.app.engine
        engine.start(engine.create(spec))
        return engine.container(spec.name)

    def database(self) -> Container:
        container = self.run(
            "db",
            image="postgres:15-alpine",
            command=None,
            environment={"POSTGRES_PASSWORD": PASSWORD, "POSTGRES_DB": "shop"},
            attachments=(Attachment(self.prefix, ("postgres",)),),
        )
        wait_for(lambda: self.psql(container.id, "SELECT 1", "-h", "127.0.0.1")[0] == 0, "answer from Postgres")
        assert self.psql(container.id, "CREATE TABLE t (x text); INSERT INTO t VALUES ('kept')")[0] == 0
        return container

    def psql(self, ref: str, query: str, *options: str) -> tuple[int, str]:
        done = self.app.engine.exec(
            ref, ["psql", "-U", "postgres", "-d", "shop", "-tA", *options, "-c", query], environment={"PGPASSWORD": PASSWORD}
        )
        return done.exit_code, done.output.strip()

    def wish(self, *containers: Container, **values: object) -> Wish:
        """A site of its own name, at NAME.localhost (which is served without TLS), in a project of this test's own."""
        name = f"a{secrets.token_hex(3)}"
        self.sites.append(name)
        wish = Wish(name, tuple(item.name for item in containers), (f"{name}.localhost",), port=3000, project=self.prefix)
        return Wish(**{**wish.__dict__, **values})

    def names(self, site: str) -> Names:
        return Names(self.app.settings.instance, site)

    def ask(self, site: str) -> httpx.Response:
        return httpx.get(self.url, headers={"Host": f"{site}.localhost"}, timeout=20, trust_env=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.app.settings.http_port}/"

    @contextmanager
    def traffic(self, site: str) -> Iterator[list[tuple[int, str]]]:
        """Requests without a pause, on one connection that is kept; what each was answered."""
        seen: list[tuple[int, str]] = []
        stop = threading.Event()

        def send() -> None:
            with httpx.Client(timeout=30, trust_env=False, headers={"Host": f"{site}.localhost"}) as client:
                while not stop.wait(0.005):
                    try:
                        answer = client.get(self.url)
                        seen.append((answer.status_code, answer.text))
                    except httpx.HTTPError as error:
                        seen.append((0, repr(error)))

        thread = threading.Thread(target=send)
        thread.start()
        try:
            yield seen
        finally:
            stop.set()
            thread.join()


@pytest.fixture
def stranger(foundation: App, docker_client: docker.DockerClient) -> Iterator[Stranger]:
    """With everything it ran, and every site made of it, removed at the end."""
    prefix = f"x{secrets.token_hex(3)}"
    network = docker_client.networks.create(prefix)
    stranger = Stranger(foundation, docker_client, prefix)
    yield stranger
    for site in stranger.sites:
        with suppress(NotFound):
            remove_site(foundation, site)
    for container in docker_client.api.containers(all=True, filters={"name": f"^/{prefix}-"}):
        docker_client.api.remove_container(container["Id"], force=True, v=True)
    network.remove()


def started(client: docker.DockerClient, *containers: Container) -> list[tuple[str, str, bool]]:
    """Id and time of start of each, and whether it runs: the same before and after means untouched."""
    bodies = [client.api.inspect_container(item.id) for item in containers]
    return [(body["Id"], body["State"]["StartedAt"], body["State"]["Running"]) for body in bodies]
