"""Disks that really run full in the middle of a deploy: what serves goes on, and the operator reads a sentence."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import docker
import pyrage  # type: ignore[import-untyped]
import pytest

from tests.e2e.command_line import CommandLine, refusal, write_settings
from tests.e2e.conftest import FOUNDATION, Host
from tests.e2e.engine import own_engine
from tests.e2e.sites import SLOW, write_slow
from tests.waiting import wait_for


@pytest.fixture(scope="module")
def small(docker_client: docker.DockerClient) -> Iterator[Host]:
    """A machine whose engine and whose home have small disks; `slow` serves there."""
    with own_engine({"docker": "800m", "home": "20m"}) as machine:
        machine.load(docker_client, (*FOUNDATION, "busybox:latest"))
        config = machine.directory / "config.toml"
        write_settings(config, home=f"{machine.directory}/home", disk_floor="1M")
        vpsctl = CommandLine(config, machine.inside)
        vpsctl.done("init")
        vpsctl.done("site", "add", str(write_slow(machine.directory / "slow")))
        vpsctl.done("deploy", "slow")
        yield Host(machine, vpsctl)


@contextmanager
def filled(directory: Path, *, leaving: int = 0) -> Iterator[None]:
    """No more than this many bytes are left on the directory's disk meanwhile."""
    filler = directory / "filler"
    try:
        with filler.open("wb", buffering=0) as file, suppress(OSError):
            while free(directory) > leaving and file.write(bytes(min(1 << 20, max(4096, free(directory) - leaving)))):
                pass
        assert free(directory) <= max(leaving, 1 << 16)
        yield
    finally:
        filler.unlink()


def free(directory: Path) -> int:
    disk = os.statvfs(directory)
    return disk.f_bavail * disk.f_frsize


def refused(vpsctl: CommandLine, *words: str) -> str:
    with vpsctl.start(*words) as process:
        return refusal(process, 6)


@pytest.mark.parametrize(
    ("disk", "sentence"), [("home", "cannot switch the traffic of slow"), ("docker", "container vpsctl-slow-web-")]
)
def test_the_disk_fills_up_during_a_deploy(small: Host, disk: str, sentence: str) -> None:
    machine, vpsctl = small.machine, small.vpsctl
    before, served = machine.running(), machine.request("slow.localhost").text
    vpsctl.done("env", "set", "slow", f"VERSION={disk}", "WARM_UP=4")
    with vpsctl.start("deploy", "slow") as deploy:
        wait_for(lambda: machine.running().keys() - before.keys(), "container of the new release, which warms up")
        with filled(machine.path(disk)):
            told = refusal(deploy, 6)
            assert all(word in told.lower() for word in (sentence, "no space left on device", "still serves")), told
            assert machine.request("slow.localhost").text == served
            assert machine.running().keys() == before.keys()
            (site,) = vpsctl.data("status")["sites"]
            assert (site["state"], site["running"]) == ("serving", site["wanted"])
            assert "nothing was changed" in refused(vpsctl, "deploy", "slow")
    vpsctl.done("env", "set", "slow", "WARM_UP=0")
    vpsctl.done("deploy", "slow")
    assert machine.request("slow.localhost").text == f"{disk}\n"


@pytest.mark.parametrize("dockerfile", ["RUN dd if=/dev/zero of=/big bs=1M", "COPY big /"])
def test_a_build_fills_the_disk(small: Host, dockerfile: str) -> None:
    machine, vpsctl = small.machine, small.vpsctl
    directory = machine.directory / "slow"
    before = machine.running()
    served = machine.request("slow.localhost").text
    (directory / "Dockerfile").write_text(f"FROM busybox:latest\n{dockerfile}\n")
    (directory / "compose.yaml").write_text(SLOW.replace("image: busybox:latest", "build: .", 1))
    with (directory / "big").open("wb") as file:
        file.truncate(40 << 20)
    with filled(machine.path("docker"), leaving=20 << 20):
        told = refused(vpsctl, "deploy", "slow")
    (directory / "compose.yaml").write_text(SLOW)
    assert "no space left on device" in told.lower()
    assert "make room" in told
    assert machine.request("slow.localhost").text == served
    assert machine.running().keys() == before.keys()
    vpsctl.done("deploy", "slow")


def test_the_vault_on_a_full_disk(small: Host) -> None:
    vpsctl, home = small.vpsctl, small.machine.path("home")
    vpsctl.done("cred", "set", "TOKEN", "--from-stdin", stdin="hunter22")
    vpsctl.done("audit", "verify")
    to = ["--to", f"{small.machine.directory}/home/new"]
    sealed = [*to, "--recipient", str(pyrage.x25519.Identity.generate().to_public())]
    before, key = {path.name for path in home.iterdir()}, vpsctl.data("key", "status")["active"]
    with filled(home):
        for file, words in (
            ("master.key.next", ["key", "rotate"]),
            ("audit-anchor", ["audit", "verify"]),
            ("new", ["audit", "export", *to]),
            ("new", ["cred", "export", *sealed, "--reason", "the disk is full"]),
            ("new", ["recovery-kit", "create", *sealed]),
        ):
            told = refused(vpsctl, *words)
            assert f"/{file}: No space left on device" in told
            assert {path.name for path in home.iterdir()} == {*before, "filler"}
    assert vpsctl.data("key", "status")["active"] == key
    reveal = ["cred", "reveal", "TOKEN", "--stdout", "--reason", "after the full disk"]
    assert vpsctl.done(*reveal).strip() == "hunter22"
    vpsctl.done("key", "rotate")
    assert vpsctl.done(*reveal).strip() == "hunter22"
    vpsctl.done("audit", "verify")
