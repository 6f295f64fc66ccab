"""Every command on a machine where `vpsctl init` never ran, and for a user who may not look into the state directory."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.cli.commands import LINES, line
from tests.cli.conftest import Vpsctl
from tests.e2e.command_line import write_settings
from vpsctl.app import App

CONTAINERS = tuple(name for name in LINES if name.startswith("container "))
WORKS = ("init", "doctor", "status", "budget", "site new", "recovery-kit show", "key restore", *CONTAINERS)
"""What an operator needs before `vpsctl init`, or to find out why it does not work."""


@pytest.fixture
def untouched(tmp_path: Path) -> Path:
    """Settings of an installation that was never made."""
    return write_settings(tmp_path / "config.toml", home=str(tmp_path / "home"), instance="tnever")


@pytest.mark.parametrize("command", [name for name in LINES if name not in WORKS])
def test_it_says_to_run_init(cli: Vpsctl, untouched: Path, tmp_path: Path, command: str) -> None:
    words = line(command, site="shop", directory=tmp_path)
    answer = cli(*words, VPSCTL_CONFIG=str(untouched))
    assert answer.code == 5
    assert answer.sentence.startswith("vpsctl is not set up on this machine")
    assert answer.hint == "vpsctl init"
    assert cli(*words[:1], "--json", *words[1:], VPSCTL_CONFIG=str(untouched)).error["code"] == "unavailable"
    assert [item.name for item in tmp_path.iterdir()] == ["config.toml"]


def test_status_and_doctor_say_it_too(cli: Vpsctl, untouched: Path) -> None:
    found = cli("status", VPSCTL_CONFIG=str(untouched))
    assert found.code == 0
    assert "foundation: caddy missing, postgres missing, redis missing" in found.out
    assert "vpsctl is not set up here" in found.err
    examined = cli("doctor", VPSCTL_CONFIG=str(untouched))
    assert examined.code == 6
    assert "mend: vpsctl init\n" in examined.out


def test_budget_and_containers_work(cli: Vpsctl, untouched: Path, foundation: App) -> None:
    caddy = f"{foundation.settings.instance}-caddy"
    assert f" {caddy} " in cli("budget", VPSCTL_CONFIG=str(untouched)).out
    assert cli("container", "show", caddy, "--json", VPSCTL_CONFIG=str(untouched)).data["state"] == "running"


AS_NOBODY = """
import io, os, sys
from contextlib import redirect_stderr, redirect_stdout
from vpsctl.cli.main import run
lines = [line.split() for line in sys.stdin.read().splitlines()]
with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
    for words in lines:  # so that every module is loaded: nobody may not even read those
        run(words)
os.setgroups([]), os.setgid(65534), os.setuid(65534)
for words in lines:
    print("$", *words, file=sys.stderr, flush=True)
    print(run(words), file=sys.stderr, flush=True)
"""
QUIET = ("init", "site new", "exec", "cred use", "site adopt", "recovery-kit show")
"""Left out: they would do something as root, or need nothing of root's."""


@pytest.fixture
def told(config: Path, tmp_path: Path) -> dict[str, list[str]]:
    """What every command tells a user who is not root: command line to the lines on stderr, the exit code last."""
    directory = tmp_path / "empty"
    directory.mkdir()
    lines = [" ".join(line(name, site="nosuch", directory=directory)) for name in LINES if name not in QUIET]
    settings = tomllib.loads(config.read_text())
    done = subprocess.run(
        [sys.executable, "-c", AS_NOBODY],
        input="\n".join(lines),
        # not by the file: pytest's directory is closed to nobody as well
        env={f"VPSCTL_{key.upper()}": str(value) for key, value in settings.items()},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    blocks = [block.splitlines() for block in done.stderr.split("$ ")[1:]]
    return {block[0]: block[1:] for block in blocks}


def test_a_user_who_is_not_root_gets_a_sentence(told: dict[str, list[str]]) -> None:
    assert len(told) == len(LINES) - len(QUIET)
    wrong = {line: said for line, said in told.items() if not said[0].startswith("error: no permission") or len(said) != 3}
    assert wrong == {}
    assert {said[1] for said in told.values()} == {"hint:  run as root, such as by sudo"}
    assert {said[2] for said in told.values()} == {"6"}
