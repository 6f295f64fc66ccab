"""The engine stops, or the machine loses its power: with no vpsctl at work, everything serves again as it did."""

import re
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from tests.e2e.command_line import CommandLine, refusal
from tests.e2e.conftest import Host
from tests.e2e.engine import OwnEngine
from tests.e2e.sites import PIXEL, form, write_slow
from tests.waiting import wait_for


def squeeze(machine: OwnEngine) -> None:
    """Give the sites' containers addresses that they cannot get again: others have the lower ones, and then go."""
    with closing(machine.client()) as client:
        ingress = client.networks.get("vpsctl-ingress")
        ours = [name for name, networks in machine.running().items() if ingress.name in networks and name != "vpsctl-caddy"]
        for name in ours:
            ingress.disconnect(name)
        others = [
            client.containers.run("busybox:latest", ["sleep", "600"], network=ingress.name, detach=True) for _ in range(4)
        ]
        for name in ours:
            ingress.connect(name)
        for other in others:
            other.remove(force=True)


def power_cut(machine: OwnEngine) -> None:
    machine.kill()
    machine.start()


def restart(machine: OwnEngine) -> None:
    machine.stop()
    machine.start()


@pytest.mark.parametrize("happens", [restart, power_cut])
def test_everything_serves_again(host: Host, happens: Callable[[OwnEngine], None]) -> None:
    machine, vpsctl = host.machine, host.vpsctl
    squeeze(machine)
    wait_for(lambda: machine.request("notes.localhost").status == 200, "notes at their new address")
    body, headers = form(text=f"written before the {happens.__name__}", picture=PIXEL)
    assert machine.request("notes.localhost", "/notes", body=body, headers=headers).status == 303
    page = machine.request("notes.localhost").text
    picture = re.findall(r'/uploads/[^"]+', page)[0]
    running, stopped = machine.running(), machine.containers("exited")
    assert any("-notes-app-" in name for name in stopped), "an old release stands by"

    happens(machine)

    wait_for(lambda: machine.request("notes.localhost").text == page, "notes as they were", 60)
    wait_for(lambda: machine.request("static.localhost").status == 200, "static pages", 60)
    assert machine.request("notes.localhost", picture).status == 200
    wait_for(lambda: machine.running().keys() == running.keys(), "container of each service")
    now = machine.running()
    moved = {name for name in now if now[name] != running[name]}
    assert {name.split("-")[1] for name in moved} >= {"notes", "static"}, "the test must meet new addresses"
    assert machine.containers("exited").keys() == stopped.keys()
    assert_healthy(vpsctl)
    vpsctl.done("env", "set", "notes", f"VERSION={happens.__name__}")
    assert vpsctl.data("deploy", "notes", "--prove")["proof"]["failed"] == 0
    assert machine.request("notes.localhost").headers["x-version"] == happens.__name__


def status(vpsctl: CommandLine) -> Any:
    """With what Postgres knows: it may still be recovering."""
    wait_for(lambda: not vpsctl.data("status")["notes"], "word from Postgres")
    return vpsctl.data("status")


def assert_healthy(vpsctl: CommandLine) -> None:
    """`status` has nothing to complain about."""
    found = status(vpsctl)
    assert {part["service"]: part["state"] for part in found["foundation"]} == dict.fromkeys(
        ("caddy", "postgres", "redis"), "running"
    )
    assert {site["name"]: (site["state"], site["problems"], site["interrupted"]) for site in found["sites"]} == {
        site["name"]: ("serving", [], []) for site in found["sites"]
    }


def test_the_engine_stops_in_the_middle_of_a_deploy(host: Host) -> None:
    machine, vpsctl = host.machine, host.vpsctl
    vpsctl.done("site", "add", str(write_slow(machine.directory / "slow")))
    vpsctl.done("deploy", "slow")
    vpsctl.done("env", "set", "slow", "VERSION=2", "WARM_UP=4")
    with vpsctl.start("deploy", "slow") as deploy:
        wait_for(lambda: "vpsctl-slow-warm-r2-1" in machine.running(), "first container of the new release")
        machine.stop()
        told = refusal(deploy, 5, 6)  # whichever it saw first: its container ending, or the engine
    assert "cannot reach the Docker Engine" in told or "going back was interrupted" in told
    assert "vpsctl deploy resume slow" in told
    machine.start()
    wait_for(lambda: machine.request("slow.localhost").text == "1\n", "the old release", 60)
    assert [len(site["interrupted"]) for site in status(vpsctl)["sites"] if site["name"] == "slow"] == [1]
    settled = vpsctl.data("deploy", "resume", "slow")
    assert (settled["outcome"], settled["serving"]) == ("finished", 2)
    assert machine.request("slow.localhost").text == "2\n"
    assert {name for name in machine.running() if "-slow-" in name} == {
        "vpsctl-slow-warm-r2-1",
        "vpsctl-slow-web-r2-1",
    }
    assert_healthy(vpsctl)
    vpsctl.done("site", "remove", "slow", "--yes")
