"""What the benchmarks stand on: a machine of their own, and sites on it. All of it is removed at the end."""

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import docker

from tests.machine import initialised_machine
from vpsctl.app import App
from vpsctl.sites.add import add_site
from vpsctl.sites.remove import remove_site
from vpsctl.sites.sources.source import Source

HERE = Path(__file__).parent


@contextmanager
def engine_client() -> Iterator[docker.DockerClient]:
    with closing(docker.from_env()) as client:
        yield client


@contextmanager
def machine(client: docker.DockerClient) -> Iterator[App]:
    """A foundation as `vpsctl init` makes it, on free ports."""
    with initialised_machine(client) as app:
        yield app


@contextmanager
def site(app: App, name: str, compose: str) -> Iterator[str]:
    """A registered site, not deployed yet."""
    directory = Path(tempfile.mkdtemp(prefix="vb-"))
    try:
        (directory / "compose.yaml").write_text(compose)
        add_site(app, Source("directory", str(directory)), name=name)
        yield name
        remove_site(app, name, with_data=True)
    finally:
        shutil.rmtree(directory)


@contextmanager
def web_image(client: docker.DockerClient) -> Iterator[str]:
    """`web.js` on node, as an image."""
    name = f"vpsctl-bench-web:{secrets.token_hex(3)}"
    with tempfile.TemporaryDirectory() as directory:
        shutil.copy(HERE / "web.js", directory)
        Path(directory, "Dockerfile").write_text('FROM node:22-alpine\nCOPY web.js /web.js\nCMD ["node", "/web.js"]\n')
        client.images.build(path=directory, tag=name, rm=True)
    try:
        yield name
    finally:
        client.images.remove(name, force=True)
