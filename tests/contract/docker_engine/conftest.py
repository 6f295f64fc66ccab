"""Containers on the real Engine: one that stays for the whole run, and new ones for those tests that change theirs."""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import replace

import docker
import pytest

from tests.conftest import remove_labelled
from vpsctl.docker_engine.engine import Engine
from vpsctl.docker_engine.types import ContainerSpec

IMAGE = "busybox:latest"
Start = Callable[..., str]


@pytest.fixture
def spec(instance: str) -> ContainerSpec:
    """A container that does nothing for a while, and ends at once when told to."""
    return ContainerSpec(
        f"{instance}-box",
        IMAGE,
        command=("sleep", "300"),
        labels={"vpsctl.instance": instance},
        init=True,
    )


@pytest.fixture
def start(engine: Engine, spec: ContainerSpec) -> Start:
    """Make and start a container as `spec` with these changes; returns its name."""

    def started(suffix: str = "", /, **changes: object) -> str:
        wanted = replace(spec, name=spec.name + suffix, **changes)  # type: ignore[arg-type]
        engine.create(wanted)
        engine.start(wanted.name)
        return wanted.name

    return started


@pytest.fixture(scope="session")
def resident(engine: Engine, docker_client: docker.DockerClient) -> Iterator[str]:
    """A running container that tests look into and do not change."""
    instance = f"t{secrets.token_hex(3)}"
    labels = {"vpsctl.instance": instance}
    try:
        name = f"{instance}-resident"
        engine.create(ContainerSpec(name, IMAGE, command=("sleep", "600"), labels=labels, init=True, memory=64 << 20))
        engine.start(name)
        yield name
    finally:
        remove_labelled(docker_client, instance)
