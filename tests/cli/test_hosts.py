"""`vpsctl init`, `doctor`, `status`, `budget` and `container`, as an operator and a program see them."""

import io
import json
import os
import secrets
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.models.containers import Container

from tests.cli.commands import RECIPIENT
from tests.machine import bare_machine, free_ports
from tests.waiting import wait_for
from vpsctl.app import App
from vpsctl.cli.main import run as run_command

Vpsctl = Callable[..., tuple[int, str, str]]


@pytest.fixture
def vpsctl(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Vpsctl:
    """`vpsctl(app, "status")` runs the command line on that app's machine: (exit code, stdout, stderr)."""
    config = tmp_path / "config.toml"

    def call(app: App, *words: str, stdin: str = "", **environ: str) -> tuple[int, str, str]:
        with monkeypatch.context() as patch:
            for name in [name for name in os.environ if name.startswith("VPSCTL_")]:
                patch.delenv(name)
            patch.setenv("VPSCTL_HOME", str(app.settings.home))
            patch.setenv("VPSCTL_INSTANCE", app.settings.instance)
            if words[0] == "init":
                patch.setenv("VPSCTL_CONFIG", str(config))
            else:
                patch.setenv("VPSCTL_HTTP_PORT", str(app.settings.http_port))
                patch.setenv("VPSCTL_HTTPS_PORT", str(app.settings.https_port))
            for name, value in environ.items():
                patch.setenv(name, value)
            patch.setattr(sys, "stdin", io.StringIO(stdin))
            code = run_command(list(words))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture
def stranger(docker_client: docker.DockerClient) -> Iterator[Container]:
    """A container that vpsctl did not make."""
    command = ["sh", "-c", "echo to stdout; echo to stderr >&2; exec sleep 600"]
    name = f"s{secrets.token_hex(4)}"
    container = docker_client.containers.run("busybox:latest", command, name=name, detach=True, stop_signal="SIGKILL")
    yield container
    container.remove(force=True)


def data(answer: tuple[int, str, str]) -> Any:
    code, out, err = answer
    assert (code, err) == (0, "")
    return json.loads(out)["data"]


def error(answer: tuple[int, str, str]) -> tuple[int, str]:
    code, out, _ = answer
    return code, str(json.loads(out)["error"]["code"])


COMMANDS = ["init", "doctor", "status", "budget"] + [
    f"container {verb}" for verb in ("list", "show", "start", "stop", "restart", "logs", "stats", "top")
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_an_example(vpsctl: Vpsctl, foundation: App, command: str) -> None:
    code, out, _ = vpsctl(foundation, *command.split(), "--help")
    assert code == 0
    assert f"Example: vpsctl {command}" in " ".join(out.split())


def test_init_remembers_its_options_and_changes_nothing_the_second_time(
    vpsctl: Vpsctl, docker_client: docker.DockerClient, empty_database_url: str, tmp_path: Path
) -> None:
    http, https = (str(port) for port in free_ports(2))
    with bare_machine(docker_client) as app:
        words = ("init", "--http-port", http, "--https-port", https, "--postgres-url", "-")
        code, out, err = vpsctl(app, *words, stdin=empty_database_url + "\n")
        assert code == 0
        assert "This machine is ready" in out
        assert f"container {app.settings.instance}-caddy: create" in err
        assert empty_database_url not in out + err
        config = tmp_path / "config.toml"
        assert stat.S_IMODE(config.stat().st_mode) == 0o600
        assert f"http_port = {http}\n" in config.read_text()
        with socket.create_connection(("127.0.0.1", int(http)), timeout=5):
            pass
        again = data(vpsctl(app, "init", "--json"))
        assert again["changed"] is False
        assert [step["name"] for step in again["steps"] if step["changed"]] == []
        told = vpsctl(app, "init")[1]
        assert "Nothing to do" in told
        assert told.splitlines()[-1].strip() == "vpsctl recovery-kit create --to kit.age --passphrase"
        kit = ("recovery-kit", "create", "--to", str(tmp_path / "kit.age"), "--recipient", RECIPIENT)
        assert vpsctl(app, *kit, VPSCTL_POSTGRES_URL=empty_database_url)[0] == 0
        assert vpsctl(app, "init")[1] == "Nothing to do: everything stands already.\n"


def test_init_says_that_a_variable_overrides_its_option(vpsctl: Vpsctl, foundation: App) -> None:
    code, _, err = vpsctl(foundation, "init", "--http-port", "8081", VPSCTL_HTTP_PORT="8080")
    assert code == 2
    assert "$VPSCTL_HTTP_PORT says otherwise" in err


def test_init_refuses_a_port_that_is_none_and_writes_nothing(vpsctl: Vpsctl, foundation: App, tmp_path: Path) -> None:
    assert error(vpsctl(foundation, "init", "--http-port", "99999", "--json")) == (2, "invalid")
    assert list(tmp_path.iterdir()) == []


def test_init_without_an_engine(vpsctl: Vpsctl, foundation: App) -> None:
    answer = vpsctl(foundation, "init", "--http-port", "8080", "--json", VPSCTL_DOCKER_HOST="unix:///nowhere.sock")
    assert error(answer) == (5, "unavailable")


def test_doctor_on_a_good_machine_and_on_one_before_init(
    vpsctl: Vpsctl, foundation: App, docker_client: docker.DockerClient
) -> None:
    code, out, err = vpsctl(foundation, "doctor")
    assert (code, err) == (0, "")
    assert f"foundation: {foundation.settings.instance}-caddy: Up" in out
    with bare_machine(docker_client) as app:
        code, out, _ = vpsctl(app, "doctor")
        assert code == 6
        assert "mend: vpsctl init" in out
        code, out, _ = vpsctl(app, "doctor", "--json")
        assert code == 6
        assert json.loads(out)["data"]["state"] == "fail"


def test_status_for_people_and_for_programs(vpsctl: Vpsctl, foundation: App) -> None:
    code, out, err = vpsctl(foundation, "status")
    assert (code, err) == (0, "")
    assert "foundation: caddy running, postgres running, redis running" in out
    found = data(vpsctl(foundation, "status", "--json"))
    assert {part["service"] for part in found["foundation"]} == {"caddy", "postgres", "redis"}
    assert found["notes"] == []


def test_status_before_init_is_one_line_for_each_thing_that_is_down(
    vpsctl: Vpsctl, docker_client: docker.DockerClient
) -> None:
    with bare_machine(docker_client) as app:
        code, out, err = vpsctl(app, "status")
    assert code == 0
    assert "foundation: caddy missing" in out
    assert len(err.splitlines()) == 2
    assert "vpsctl is not set up here" in err


def test_budget(vpsctl: Vpsctl, foundation: App) -> None:
    found = data(vpsctl(foundation, "budget", "--json"))
    assert {"kind": "foundation", "name": "redis"}.items() <= found["shares"][2].items()
    code, out, _ = vpsctl(foundation, "budget")
    assert code == 0
    rows = [line.split() for line in out.splitlines()]
    assert ["foundation", "postgres", "1", "512.0", "MiB", "1", "-"] in rows
    assert [row[0] for row in rows[-3:]] == ["total", "machine", "left"]


def test_containers_are_listed_and_shown(vpsctl: Vpsctl, foundation: App, stranger: Container) -> None:
    code, out, _ = vpsctl(foundation, "container", "list")
    assert code == 0
    assert f"\n{stranger.name} " in out
    names = [item["name"] for item in data(vpsctl(foundation, "container", "list", "--all", "--json"))]
    assert {stranger.name, f"{foundation.settings.instance}-caddy"} <= set(names)
    _, out, _ = vpsctl(foundation, "container", "show", str(stranger.name))
    assert "state:    running" in out
    assert data(vpsctl(foundation, "container", "show", str(stranger.name), "--json"))["image"] == "busybox:latest"


def test_a_container_is_stopped_started_and_restarted(vpsctl: Vpsctl, foundation: App, stranger: Container) -> None:
    name = str(stranger.name)
    assert vpsctl(foundation, "container", "stop", name)[:2] == (0, f"{name} is exited\n")
    assert vpsctl(foundation, "container", "start", name)[:2] == (0, f"{name} is running\n")
    assert data(vpsctl(foundation, "container", "restart", name, "--json"))["state"] == "running"


def test_the_foundation_is_not_stopped_unasked(vpsctl: Vpsctl, foundation: App) -> None:
    name = f"{foundation.settings.instance}-redis"
    for verb in ("stop", "restart"):
        code, _, err = vpsctl(foundation, "container", verb, name)
        assert code == 2
        assert "touches every site" in err
    assert foundation.engine.container(name).state == "running"


def test_logs_keep_the_two_streams_apart(vpsctl: Vpsctl, foundation: App, stranger: Container) -> None:
    wait_for(lambda: stranger.logs().count(b"\n") == 2, "both lines", 20)
    stranger.stop(timeout=0)
    assert vpsctl(foundation, "container", "logs", str(stranger.name)) == (0, "to stdout\n", "to stderr\n")
    found = data(vpsctl(foundation, "container", "logs", str(stranger.name), "--json"))
    assert sorted((line["stream"], line["text"]) for line in found) == [("stderr", "to stderr"), ("stdout", "to stdout")]
    code, out, err = vpsctl(foundation, "container", "logs", str(stranger.name), "-f", "--json")
    assert (code, err) == (0, "")
    assert {json.loads(line)["data"]["text"] for line in out.splitlines()} == {"to stdout", "to stderr"}
    assert vpsctl(foundation, "container", "logs", str(stranger.name), "--since", "soon")[0] == 2


def test_stats_and_top(vpsctl: Vpsctl, foundation: App, stranger: Container) -> None:
    name = str(stranger.name)
    assert [item["name"] for item in data(vpsctl(foundation, "container", "stats", name, "--json"))] == [name]
    code, out, _ = vpsctl(foundation, "container", "top", name)
    assert code == 0
    assert "sleep 600" in out


@pytest.mark.parametrize("verb", ["show", "start", "stop", "restart", "logs", "stats", "top"])
def test_a_container_there_is_not(vpsctl: Vpsctl, foundation: App, verb: str) -> None:
    assert error(vpsctl(foundation, "container", verb, "nobody-has-this-name", "--json")) == (3, "not_found")


def test_processes_of_one_that_does_not_run(vpsctl: Vpsctl, foundation: App, stranger: Container) -> None:
    stranger.kill()
    stranger.wait()
    for verb in ("top", "stats"):
        assert error(vpsctl(foundation, "container", verb, str(stranger.name), "--json")) == (4, "conflict")
