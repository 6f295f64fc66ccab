"""A web image, sites made from a compose text, and traffic through the foundation's Caddy."""

import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import docker
import httpx
import pytest

from vpsctl.app import App
from vpsctl.sites.add import add_site
from vpsctl.sites.naming import Names
from vpsctl.sites.observe import Observed, observe
from vpsctl.sites.remove import remove_site
from vpsctl.sites.sources.source import Source

HERE = Path(__file__).parent
COMPOSE = """
services:
  app:
    image: {image}
    environment:
      {{VERSION: "${{VERSION:-1}}", HEALTH: "${{HEALTH:-200}}", CRASH: "${{CRASH:-}}", EXIT_AFTER: "${{EXIT_AFTER:-}}"}}
    deploy: {{resources: {{limits: {{memory: 64M}}}}}}
x-vpsctl:
  web: {{service: app, port: 8000, domains: ["{site}.test"], tls: "off"}}
  healthcheck: {{path: /healthz, interval: 200ms, timeout: 1s}}
  update: {{deploy_timeout: 10s, drain_timeout: 5s, bake: 1s, retain: 2}}
"""


STEPS = (
    "preflight",
    "resolve",
    "prepare",
    "replace",
    "pre-deploy",
    "start",
    "probe",
    "switch",
    "confirm",
    "drain",
    "stop",
    "bake",
    "collect",
)
"""The steps of a deploy, in order, as its run must show them."""


@pytest.fixture(scope="session")
def web_image(docker_client: docker.DockerClient) -> Iterator[str]:
    """`app.py` as an image, built once."""
    name = f"vpsctl-test-web:{secrets.token_hex(3)}"
    with tempfile.TemporaryDirectory() as directory:
        shutil.copy(HERE / "app.py", directory)
        Path(directory, "Dockerfile").write_text('FROM python:3.11-slim\nCOPY app.py /app.py\nCMD ["python3", "/app.py"]\n')
        docker_client.images.build(path=directory, tag=name, rm=True)
    yield name
    docker_client.images.remove(name, force=True)


@dataclass
class Site:
    """One site of a test on the session's foundation."""

    app: App
    name: str
    directory: Path

    @property
    def names(self) -> Names:
        return Names(self.app.settings.instance, self.name)

    def write(self, compose: str) -> None:
        (self.directory / "compose.yaml").write_text(compose)

    def observe(self) -> Observed:
        return observe(self.app, self.names)

    def running(self) -> list[str]:
        prefix = f"{self.app.settings.instance}-{self.name}-"
        return sorted(item.name.removeprefix(prefix) for item in self.observe().containers if item.state == "running")

    def get(self, path: str = "/", *, timeout: float = 10) -> httpx.Response:
        return httpx.get(self.url(path), headers={"Host": f"{self.name}.test"}, timeout=timeout, trust_env=False)

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.app.settings.http_port}{path}"

    @contextmanager
    def traffic(self) -> Iterator["Seen"]:
        """Requests without a pause from two clients that keep their connection, one of them sending POSTs."""
        seen, stop = Seen(), threading.Event()
        threads = [threading.Thread(target=self._send, args=(method, seen, stop)) for method in ("GET", "POST")]
        for thread in threads:
            thread.start()
        try:
            yield seen
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def _send(self, method: str, seen: "Seen", stop: threading.Event) -> None:
        with httpx.Client(timeout=20, trust_env=False, headers={"Host": f"{self.name}.test"}) as client:
            while not stop.wait(0.005):
                try:
                    response = client.request(method, self.url("/"), content=b"body" if method == "POST" else None)
                    seen.add(response.status_code, response.text)
                except httpx.HTTPError as error:
                    seen.add(0, repr(error))


@dataclass
class Seen:
    """What the traffic met."""

    answers: list[tuple[float, int, str]] = field(default_factory=list)

    def add(self, status: int, text: str) -> None:
        self.answers.append((time.monotonic(), status, text))

    @property
    def failed(self) -> list[tuple[int, str]]:
        return [(status, text) for _, status, text in self.answers if status != 200]

    @property
    def versions(self) -> set[str]:
        return {text for _, _, text in self.answers if text != "body"}


MakeSite = Callable[..., Site]


@pytest.fixture
def make_site(foundation: App, web_image: str) -> Iterator[MakeSite]:
    """`make_site(compose=…)`: registered, not deployed; removed with its data afterwards."""
    made: list[Site] = []

    def make(compose: str = COMPOSE, **values: str) -> Site:
        name = f"s{secrets.token_hex(3)}"
        site = Site(foundation, name, Path(tempfile.mkdtemp(prefix="vpsctl-test-site-")))
        site.write(compose.format(image=web_image, site=name, **values))
        add_site(foundation, Source("directory", str(site.directory)), name=name)
        made.append(site)
        return site

    yield make
    for site in made:
        remove_site(foundation, site.name, with_data=True)
        shutil.rmtree(site.directory)


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    return make_site()
