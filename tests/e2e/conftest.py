"""A machine with two sites that can be rebooted, and the image of the notes example."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import docker
import pytest

from tests.e2e.command_line import CommandLine, write_settings
from tests.e2e.engine import OwnEngine, own_engine
from tests.e2e.sites import EXAMPLES, copy_example

FOUNDATION = ("caddy:2-alpine", "postgres:15-alpine", "redis:7-alpine")


@dataclass(frozen=True)
class Host:
    """A machine and its vpsctl."""

    machine: OwnEngine
    vpsctl: CommandLine


@pytest.fixture(scope="session")
def notes_image(docker_client: docker.DockerClient) -> Iterator[str]:
    """The notes example, built where packages can be had."""
    name = f"vpsctl-test-notes:{secrets.token_hex(3)}"
    docker_client.images.build(path=str(EXAMPLES / "notes"), tag=name, rm=True)
    yield name
    docker_client.images.remove(name, force=True)


@pytest.fixture(scope="session")
def host(docker_client: docker.DockerClient, notes_image: str) -> Iterator[Host]:
    """A machine of its own on which `init` has run and the sites notes (two releases) and static serve."""
    with own_engine() as machine:
        machine.load(docker_client, (*FOUNDATION, "busybox:latest", "nginx:alpine", notes_image))
        config = write_settings(machine.directory / "config.toml", home=f"{machine.directory}/home")
        vpsctl = CommandLine(config, machine.inside)
        vpsctl.done("init")
        vpsctl.done("cred", "set", "DB_PASSWORD", "--generate")
        vpsctl.done("site", "add", str(copy_example("static", machine.directory / "static")))
        notes = copy_example("notes", machine.directory / "notes", {"build: .": f"image: {notes_image}"})
        vpsctl.done("site", "add", str(notes))
        for site in ("notes", "static", "notes"):
            vpsctl.done("deploy", site)
        yield Host(machine, vpsctl)
