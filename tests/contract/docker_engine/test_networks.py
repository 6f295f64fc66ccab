"""Networks and volumes: made as asked, found by their whole name, never taken over."""

from collections.abc import Callable

import docker
import pytest

from vpsctl.docker_engine.engine import Engine
from vpsctl.docker_engine.types import ContainerSpec, Mount, Network
from vpsctl.errors import Conflict, Invalid, NotFound

SUBNET, OTHER = "10.239.251.0/28", "10.239.251.16/28"


def test_a_network_is_made_as_asked(engine: Engine, spec: ContainerSpec, docker_client: docker.DockerClient) -> None:
    name = f"{spec.name}-net"
    made = engine.create_network(name, subnet=SUBNET, labels=spec.labels)
    assert made == Network(made.id, name, spec.labels, SUBNET, "10.239.251.1", internal=False)
    assert engine.create_network(f"{name}-in", subnet=OTHER, labels=spec.labels, internal=True).internal
    assert docker_client.api.inspect_network(f"{name}-in")["Internal"] is True
    assert {network.name for network in engine.networks(spec.labels)} == {name, f"{name}-in"}
    assert engine.find_network(name) == made


def test_a_network_is_found_by_its_whole_name_only(engine: Engine, spec: ContainerSpec) -> None:
    made = engine.create_network(f"{spec.name}-net", subnet=SUBNET, labels=spec.labels)
    assert engine.find_network(f"{spec.name}-ne") is None
    assert engine.find_network(made.id) is None
    engine.remove_network(made.name)
    assert engine.find_network(made.name) is None
    with pytest.raises(NotFound, match=f"no network {made.name}"):
        engine.remove_network(made.name)


def test_a_network_that_exists_or_overlaps_is_a_conflict(engine: Engine, spec: ContainerSpec) -> None:
    engine.create_network(f"{spec.name}-net", subnet=SUBNET, labels=spec.labels)
    with pytest.raises(Conflict, match="already exists"):
        engine.create_network(f"{spec.name}-net", subnet=OTHER, labels=spec.labels)
    with pytest.raises(Conflict, match="overlaps"):
        engine.create_network(f"{spec.name}-two", subnet=SUBNET, labels=spec.labels)


@pytest.mark.parametrize("subnet", ["10.239.251.3/28", "ten", "10.239.251.0/32"])
def test_what_is_no_subnet_is_invalid(engine: Engine, spec: ContainerSpec, subnet: str) -> None:
    with pytest.raises(Invalid, match=subnet):
        engine.create_network(f"{spec.name}-net", subnet=subnet, labels=spec.labels)


def test_a_volume_is_made_found_and_removed(engine: Engine, spec: ContainerSpec) -> None:
    name = f"{spec.name}-data"
    made = engine.create_volume(name, labels=spec.labels)
    assert (made.name, made.labels) == (name, spec.labels)
    assert made.mountpoint.endswith(f"/{name}/_data")
    assert made.created is not None
    assert engine.create_volume(name, labels=spec.labels) == made
    assert engine.find_volume(name) == made
    assert engine.volumes(spec.labels) == [made]
    engine.remove_volume(name)
    assert engine.find_volume(name) is None
    with pytest.raises(NotFound, match=f"no volume {name}"):
        engine.remove_volume(name)


def test_someone_elses_volume_is_not_taken_over(
    engine: Engine, spec: ContainerSpec, docker_client: docker.DockerClient
) -> None:
    name = f"{spec.name}-theirs"
    docker_client.api.create_volume(name, labels={"someone": "else"})
    try:
        with pytest.raises(Conflict, match=f"volume {name} already"):
            engine.create_volume(name, labels=spec.labels)
        assert engine.volumes(spec.labels) == []
    finally:
        docker_client.api.remove_volume(name)


def test_a_volume_in_use_stays(engine: Engine, spec: ContainerSpec, start: Callable[..., str]) -> None:
    name = f"{spec.name}-data"
    engine.create_volume(name, labels=spec.labels)
    container = start("", mounts=(Mount("volume", "/data", name),))
    engine.exec(container, ["dd", "if=/dev/zero", "of=/data/big", "bs=1M", "count=3"])
    assert engine.volume_sizes()[name] >= 3 << 20
    engine.kill(container)
    with pytest.raises(Conflict, match="in use"):
        engine.remove_volume(name)
    assert engine.find_volume(name) is not None
