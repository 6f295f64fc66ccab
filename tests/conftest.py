"""What every test stands on: one Postgres for the session, a database of its own for each test, and a clean engine."""

import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import TYPE_CHECKING

import docker
import pytest
from docker.errors import APIError, DockerException, ImageNotFound, NotFound

from tests.postgres import database_at, execute, fresh_database, gone
from tests.waiting import wait_for
from vpsctl.app import Actor, App
from vpsctl.db.migrate import migrate
from vpsctl.db.session import Database
from vpsctl.secret import Secret
from vpsctl.settings import Settings
from vpsctl.vault.key import create_key

if TYPE_CHECKING:
    from vpsctl.docker_engine.engine import Engine

POSTGRES_IMAGE = "postgres:15-alpine"
TEMPLATE = "vpsctl_template"


@pytest.fixture(scope="session")
def docker_client() -> Iterator[docker.DockerClient]:
    """The engine itself, behind vpsctl's back: for looking at outcomes and for cleaning up."""
    try:
        client = docker.from_env()
        client.ping()
    except DockerException as error:
        pytest.exit(f"the tests need a Docker Engine, and none answers ({error}): run make test, which starts one", 1)
    with closing(client):
        yield client


@pytest.fixture(scope="session")
def engine(docker_client: docker.DockerClient) -> Iterator["Engine"]:
    from vpsctl.docker_engine.engine import Engine

    with closing(Engine(docker_host())) as engine:
        yield engine


def docker_host() -> str:
    return os.environ.get("DOCKER_HOST", Settings().docker_host)


@pytest.fixture(scope="session")
def postgres_server(docker_client: docker.DockerClient) -> Iterator[str]:
    """The URL of one throw-away Postgres, reached as the foundation's is: over its socket, without any network."""
    password = secrets.token_urlsafe(16)
    sockets = tempfile.mkdtemp(prefix="vpsctl-test-pg-")
    try:
        container = docker_client.containers.run(
            POSTGRES_IMAGE,
            ["postgres", "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=200"],
            name=f"vpsctl-test-pg-{os.getpid()}",
            environment={"POSTGRES_PASSWORD": password},
            volumes=[f"{sockets}:/var/run/postgresql"],
            tmpfs={"/var/lib/postgresql/data": ""},
            shm_size="256m",
            network_mode="none",
            detach=True,
        )
    except ImageNotFound:
        pytest.exit(f"the tests need the image {POSTGRES_IMAGE}, and the engine has none: run make test, which makes one", 1)
    try:
        # Over TCP inside the container, where the server that initialises the directory does not listen.
        ready = ["pg_isready", "-q", "-h", "127.0.0.1"]
        wait_for(lambda: container.exec_run(ready).exit_code == 0, f"answer from {container.name}", 60)
        server = f"postgresql://postgres:{password}@/postgres?host={sockets}"
        execute(server, f"CREATE DATABASE {TEMPLATE}")
        with closing(Database(database_at(server, TEMPLATE), owner=True)) as database:
            migrate(database)
        yield server
    finally:
        container.remove(force=True, v=True)
        shutil.rmtree(sockets)


@pytest.fixture
def empty_database_url(postgres_server: str) -> Iterator[str]:
    """A database without the schema."""
    with fresh_database(postgres_server, "template0") as url:
        yield url


@pytest.fixture
def database_url(postgres_server: str) -> Iterator[str]:
    """A migrated database that only this test has."""
    with fresh_database(postgres_server, TEMPLATE) as url:
        yield url


@pytest.fixture
def postgres_gone(postgres_server: str, database_url: str) -> Callable[[], AbstractContextManager[None]]:
    """`with postgres_gone():` every connection to this test's database breaks, and no new one is let in."""
    return lambda: gone(postgres_server, database_url)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with closing(Database(database_url)) as database:
        yield database


@pytest.fixture
def home() -> Iterator[Path]:
    """A state directory with a master key, at a path short enough for a Unix socket."""
    path = Path(tempfile.mkdtemp(prefix="vpsctl-test-"))
    create_key(path / "master.key")
    yield path
    shutil.rmtree(path)


@pytest.fixture
def settings(home: Path, database_url: str, instance: str) -> Settings:
    return Settings(home=home, instance=instance, postgres_url=Secret(database_url), docker_host=docker_host())


@pytest.fixture
def app(settings: Settings) -> Iterator[App]:
    with App(settings, Actor("test", "cli")) as app:
        yield app


@pytest.fixture
def instance(docker_client: docker.DockerClient) -> Iterator[str]:
    """A name that nobody else uses on this engine; whatever carries its label is gone after the test."""
    name = f"t{secrets.token_hex(3)}"
    yield name
    remove_labelled(docker_client, name)


def remove_labelled(client: docker.DockerClient, instance: str) -> None:
    """Remove every container, network, volume, image and image name of one instance."""
    query = {"filters": {"label": f"vpsctl.instance={instance}"}}
    for container in client.api.containers(all=True, **query):
        _gone(lambda: client.api.remove_container(container["Id"], force=True, v=True))  # noqa: B023  called at once
    for network in client.api.networks(**query):
        _gone(lambda: client.api.remove_network(network["Id"]))  # noqa: B023
    for volume in client.api.volumes(**query)["Volumes"] or []:
        _gone(lambda: client.api.remove_volume(volume["Name"], force=True))  # noqa: B023
    for label in ("vpsctl.instance", "vpsctl.image.instance"):
        for image in client.api.images(all=True, filters={"label": f"{label}={instance}"}):
            _gone(lambda: client.api.remove_image(image["Id"], force=True))  # noqa: B023
    for image in client.api.images():
        for name in [tag for tag in image["RepoTags"] or () if tag.startswith(f"{instance}/")]:
            # a name that a release holds an image by, one that we did not build
            _gone(lambda: client.api.remove_image(name))  # noqa: B023


def _gone(remove: Callable[[], object]) -> None:
    """Removed, now or by someone else meanwhile. An image that another one stands on stays until that one goes."""
    try:
        remove()
    except NotFound:
        return
    except APIError as error:
        if error.status_code != 409 or "dependent child" not in str(error.explanation):
            raise


@pytest.fixture(scope="session")
def foundation(docker_client: docker.DockerClient) -> Iterator[App]:
    """One machine for the session on which `vpsctl init` has run, on free ports: Caddy, Postgres and Redis of its own.

    Sites made on it must have names of their own; tests that stop or change the foundation make another one
    (`tests.machine`).
    """
    from tests.machine import initialised_machine

    with initialised_machine(docker_client) as app:
        yield app
