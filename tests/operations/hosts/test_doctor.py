"""Doctor on the real machine: each thing that is wrong is found, named and given a mend; nothing is raised."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.models.containers import Container

from tests.cli.commands import RECIPIENT
from tests.machine import free_ports
from tests.waiting import wait_for
from vpsctl.app import App
from vpsctl.credentials.set import set_credential
from vpsctl.hosts.checks.check import Check
from vpsctl.hosts.checks.dns import judge
from vpsctl.hosts.doctor import Diagnosis, doctor
from vpsctl.hosts.machine import own_addresses
from vpsctl.keys.kit import create_kit
from vpsctl.keys.rotate import rotate_key
from vpsctl.secret import Secret

Run = Callable[..., Container]
LIMITED = docker.types.LogConfig(type="json-file", config={"max-size": "1m"})


@pytest.fixture
def run(docker_client: docker.DockerClient, instance: str) -> Run:
    """Start a container of this test's installation: gone after the test."""

    def run(image: str = "busybox:latest", **options: Any) -> Container:
        labels = {"vpsctl.instance": instance, **options.pop("labels", {})}
        command = options.pop("command", ["sleep", "600"])
        return docker_client.containers.run(image, command, detach=True, labels=labels, init=True, **options)

    return run


def of(diagnosis: Diagnosis, name: str) -> list[Check]:
    return [check for check in diagnosis.checks if check.name == name]


def one(diagnosis: Diagnosis, name: str) -> Check:
    (found,) = of(diagnosis, name)
    return found


@contextmanager
def with_settings(app: App, **changes: Any) -> Iterator[App]:
    with App(replace(app.settings, **changes), app.actor) as changed:
        yield changed


def test_an_initialised_machine_has_no_failure(foundation: App) -> None:
    found = doctor(foundation)
    assert [check for check in found.checks if check.state == "fail"] == []
    names = ("foundation", "caddy", "postgres", "schema", "redis", "web ports")
    assert {check.state for name in names for check in of(found, name)} == {"ok"}


def test_everything_wrong_has_a_mend(app: App) -> None:
    found = doctor(app)
    assert found.state == "fail"
    assert [check for check in found.checks if check.state == "fail" and not check.mend] == []


def test_a_recovery_kit_is_missed_but_never_a_failure(app: App, tmp_path: Path) -> None:
    set_credential(app, "TOKEN", Secret("x"))
    never = one(doctor(app), "recovery kit")
    assert (never.state, never.message.partition(":")[0]) == ("warn", "none was ever made")
    assert never.mend.startswith("vpsctl recovery-kit create ")
    create_kit(app, to=tmp_path / "kit.age", recipients=[RECIPIENT])
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    assert (one(doctor(app), "recovery kit").state, one(doctor(app), "recovery kit").message) == ("ok", f"made {today}")
    rotate_key(app)
    old = one(doctor(app), "recovery kit")
    assert (old.state, old.mend) == ("warn", never.mend)
    assert old.message == f"the last one, made {today}, is from before the last rotation of the master key"
    create_kit(app, to=tmp_path / "new.age", recipients=[RECIPIENT])
    assert one(doctor(app), "recovery kit").state == "ok"


def test_without_an_engine_the_rest_is_still_examined(app: App) -> None:
    with with_settings(app, docker_host="unix:///nowhere.sock") as lost:
        found = doctor(lost)
    assert one(found, "engine").state == "fail"
    assert "cannot reach the Docker Engine" in one(found, "engine").message
    for name in ("foundation", "published ports", "log rotation", "dns"):
        assert [check.state for check in of(found, name)] == ["skipped"]
    assert {one(found, name).state for name in ("postgres", "schema", "master key")} == {"ok"}
    assert of(found, "disk")


def test_without_postgres_the_rest_is_still_examined(
    app: App, postgres_gone: Callable[[], AbstractContextManager[None]]
) -> None:
    with postgres_gone():
        found = doctor(app)
    assert one(found, "postgres").state == "fail"
    assert one(found, "schema").state == "skipped"
    assert one(found, "engine").state == "ok"


def test_a_machine_before_init(app: App) -> None:
    found = doctor(app)
    assert [(check.state, check.mend) for check in of(found, "foundation")] == [("fail", "vpsctl init")] * 2
    assert one(found, "caddy").state == "skipped"
    assert one(found, "caddy admin").state == "fail"
    assert one(found, "redis").state == "fail"


def test_a_database_without_the_schema(app: App, empty_database_url: str) -> None:
    with with_settings(app, postgres_url=Secret(empty_database_url)) as empty:
        found = one(doctor(empty), "schema")
    assert (found.state, found.mend) == ("fail", "vpsctl init")
    assert "the schema is at nothing" in found.message


def test_a_key_that_others_may_read(app: App) -> None:
    (app.settings.home / "master.key").chmod(0o644)
    found = one(doctor(app), "master key")
    assert (found.state, found.mend) == ("fail", f"chmod 600 {app.settings.home}/master.key")


def test_a_key_that_is_gone(app: App) -> None:
    (app.settings.home / "master.key").unlink()
    assert one(doctor(app), "master key").state == "fail"


def test_a_home_that_is_open(app: App) -> None:
    app.settings.home.chmod(0o755)
    found = one(doctor(app), "state directory")
    assert (found.state, found.mend) == ("fail", f"chmod 700 {app.settings.home}")


def test_a_disk_below_the_floor(app: App) -> None:
    with with_settings(app, disk_floor="900T") as short:
        assert "fail" in {check.state for check in of(doctor(short), "disk")}


def test_a_caddy_too_old_for_the_switch(app: App, run: Run) -> None:
    run("caddy:2.6.2", name=f"{app.settings.instance}-caddy", command=None)
    found = one(doctor(app), "caddy")
    assert found.state == "fail"
    assert "Caddy 2.6.2 cannot switch traffic" in found.message
    assert found.mend == "docker pull caddy:2-alpine, then vpsctl init"


def test_a_stopped_and_an_unhealthy_part_of_the_foundation(app: App, run: Run, docker_client: docker.DockerClient) -> None:
    instance = app.settings.instance
    run(name=f"{instance}-redis").stop(timeout=0)
    health = {"test": ["CMD", "false"], "interval": 100_000_000, "retries": 1}
    sick = run(name=f"{instance}-caddy", healthcheck=health)
    wait_for(lambda: docker_client.containers.get(sick.name or "").health == "unhealthy", "unhealthy container")
    messages = {check.message: check.state for check in of(doctor(app), "foundation")}
    assert messages == {f"{instance}-caddy is unhealthy": "fail", f"{instance}-redis is exited": "fail"}


def test_a_redis_that_does_not_answer(app: App) -> None:
    (port,) = free_ports(1)
    with with_settings(app, redis_url=Secret(f"redis://:hunter22@127.0.0.1:{port}/0")) as lost:
        found = one(doctor(lost), "redis")
    assert found.state == "fail"
    assert "hunter22" not in found.message + found.mend


def test_a_web_port_that_someone_else_holds(app: App) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, with_settings(app, http_port=server.getsockname()[1]) as other:
        held, free = of(doctor(other), "web ports")
    assert held.state == free.state == "fail"
    assert f"(pid {os.getpid()})" in held.message
    assert "--http-port" in held.mend


def test_a_web_port_that_a_container_holds(app: App, run: Run) -> None:
    (port,) = free_ports(1)
    run(name=f"{app.settings.instance}-squatter", ports={"80/tcp": ("127.0.0.1", port)})
    with with_settings(app, https_port=port) as other:
        found = next(check for check in of(doctor(other), "web ports") if str(port) in check.message)
    assert f"container {app.settings.instance}-squatter" in found.message


def test_a_process_that_listens_for_the_world(app: App) -> None:
    with socket.create_server(("0.0.0.0", 0)) as public, socket.create_server(("127.0.0.1", 0)) as private:
        found = one(doctor(app), "listeners")
        ports = [item.getsockname()[1] for item in (public, private)]
    assert found.state == "warn"
    assert f"{ports[0]} (" in found.message
    assert f"(pid {os.getpid()})" in found.message
    assert f"{ports[1]} (" not in found.message


def test_a_port_published_past_the_firewall(app: App, run: Run) -> None:
    instance = app.settings.instance
    public, private = free_ports(2)
    run(name=f"{instance}-open", ports={"80/tcp": ("0.0.0.0", public)})
    run(name=f"{instance}-shut", ports={"80/tcp": ("127.0.0.1", private)})
    messages = [check.message for check in of(doctor(app), "published ports") if check.state == "warn"]
    assert any(f"{instance}-open publishes {public} " in message for message in messages)
    assert not any(f"{instance}-shut" in message for message in messages)


def test_a_sites_public_port_is_meant_once_the_operator_allows_it(app: App, run: Run) -> None:
    (public,) = free_ports(1)
    name = f"{app.settings.instance}-mail"
    run(name=name, ports={"80/tcp": ("0.0.0.0", public)}, labels={"vpsctl.site": "mail"})
    with with_settings(app, allow=("public_ports",)) as allowed:
        assert not any(name in check.message for check in of(doctor(allowed), "published ports"))
    assert any(name in check.message for check in of(doctor(app), "published ports"))


def test_a_log_without_an_end(app: App, run: Run) -> None:
    instance = app.settings.instance
    run(name=f"{instance}-endless")
    run(name=f"{instance}-limited", log_config=LIMITED)
    found = one(doctor(app), "log rotation")
    assert found.state == "warn"
    assert f"{instance}-endless" in found.message
    assert f"{instance}-limited" not in found.message


def test_domains_that_lead_here_and_nowhere(app: App, run: Run) -> None:
    run(labels={"vpsctl.site": "shop", "vpsctl.domains": "shop.invalid,shop.localhost", "vpsctl.tls": "auto"})
    found = [(check.state, check.message.split()[0]) for check in of(doctor(app), "dns")]
    assert found == [("fail", "shop.invalid")]
    own = own_addresses()
    assert judge("here.example", "auto", own, own).state == "ok"
