"""Looking at and handling any container of the machine."""

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

import docker
import pytest
from docker.models.containers import Container

from tests.waiting import wait_for
from vpsctl.app import App
from vpsctl.encoding import to_json
from vpsctl.errors import Conflict, NotFound
from vpsctl.hosts.containers import (
    carries_sites,
    list_containers,
    list_processes,
    measure_containers,
    read_logs,
    restart_container,
    show_container,
    start_container,
    stop_container,
)
from vpsctl.sites.caps import read_budget

MIB = 1024**2


@pytest.fixture
def stranger(docker_client: docker.DockerClient) -> Iterator[Container]:
    """A container that vpsctl did not make, with a secret in its environment."""
    name = f"s{secrets.token_hex(4)}"
    command = ["sh", "-c", "for i in 1 2 3; do echo line $i; done; echo oops >&2; exec sleep 600"]
    container = docker_client.containers.run(
        "busybox:latest", command, name=name, detach=True, mem_limit=32 * MIB, nano_cpus=250_000_000,
        environment={"TOKEN": "hunter22"}, stop_signal="SIGKILL",
    )  # fmt: skip
    yield container
    container.remove(force=True)


def name_of(container: Container) -> str:
    return str(container.name)


def test_the_list_holds_strangers_and_stopped_ones_only_when_asked(app: App, stranger: Container) -> None:
    assert name_of(stranger) in [item.name for item in list_containers(app)]
    stranger.kill()
    stranger.wait()
    assert name_of(stranger) not in [item.name for item in list_containers(app)]
    assert name_of(stranger) in [item.name for item in list_containers(app, stopped=True)]


def test_one_is_shown_without_its_environment(app: App, stranger: Container) -> None:
    found = show_container(app, name_of(stranger))
    assert (found.memory, found.nano_cpus, found.state) == (32 * MIB, 250_000_000, "running")
    assert "hunter22" not in to_json(found)


def test_stop_start_and_restart(app: App, stranger: Container) -> None:
    name = name_of(stranger)
    assert stop_container(app, name).state == "exited"
    started = start_container(app, name)
    assert started.state == "running"
    restarted = restart_container(app, name)
    assert restarted.started is not None
    assert started.started is not None
    assert restarted.started > started.started


def test_the_logs_by_tail_and_since(app: App, stranger: Container) -> None:
    name = name_of(stranger)
    wait_for(lambda: len(list(read_logs(app, name))) == 4, "four lines")
    assert {(line.stream, line.text) for line in read_logs(app, name)} == {
        ("stdout", "line 1"), ("stdout", "line 2"), ("stdout", "line 3"), ("stderr", "oops"),
    }  # fmt: skip
    assert len(list(read_logs(app, name, tail=2))) == 2
    assert list(read_logs(app, name, since=datetime.now(UTC) + timedelta(minutes=1))) == []


def test_following_gives_the_lines_while_it_runs(app: App, stranger: Container) -> None:
    lines = list(islice(read_logs(app, name_of(stranger), follow=True), 4))
    assert sorted(line.text for line in lines) == ["line 1", "line 2", "line 3", "oops"]


def test_what_it_uses_and_runs(app: App, stranger: Container) -> None:
    name = name_of(stranger)
    (found,) = measure_containers(app, [name])
    assert (found.name, found.memory_limit, found.pids) == (name, 32 * MIB, 1)
    assert 0 < found.memory < 32 * MIB
    processes = list_processes(app, name)
    assert any("sleep" in " ".join(row) for row in processes.rows)
    assert len(processes.rows[0]) == len(processes.columns)


def test_one_that_does_not_run_is_told_apart_from_one_there_is_not(app: App, stranger: Container) -> None:
    stranger.kill()
    stranger.wait()
    with pytest.raises(Conflict, match="does not run"):
        measure_containers(app, [name_of(stranger)])
    with pytest.raises(NotFound, match="no container"):
        measure_containers(app, ["nobody-has-this-name"])


def test_only_our_own_foundation_carries_the_sites(foundation: App, app: App, stranger: Container) -> None:
    caddy = show_container(foundation, f"{foundation.settings.instance}-caddy")
    assert carries_sites(foundation, caddy)
    assert not carries_sites(app, caddy)
    assert not carries_sites(foundation, show_container(foundation, name_of(stranger)))


def test_the_budget_adds_up_what_runs(foundation: App, stranger: Container) -> None:
    found = read_budget(foundation)
    shares = {(share.kind, share.name): (share.memory, share.cpus, share.uncapped) for share in found.shares}
    assert shares["foundation", "caddy"] == (128 * MIB, 0.5, 0)
    assert shares["foundation", "postgres"] == (512 * MIB, 1.0, 0)
    assert shares["foundation", "redis"] == (128 * MIB, 0.5, 0)
    assert shares["other", name_of(stranger)] == (32 * MIB, 0.25, 0)
    assert found.memory == sum(share.memory for share in found.shares)
    assert found.machine.memory - found.memory == found.memory_left
    stranger.kill()
    stranger.wait()
    assert ("other", name_of(stranger)) not in {(share.kind, share.name) for share in read_budget(foundation).shares}
