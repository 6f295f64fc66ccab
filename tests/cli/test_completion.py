"""Completion: what the shell is told, how it is installed, and that it costs and breaks nothing."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project.test_start import HEAVY
from vpsctl.cli.catalogue import COMMANDS
from vpsctl.cli.known_sites import complete_site

VPSCTL = str(Path(sys.executable).with_name("vpsctl"))


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A machine whose state directory knows the sites shop and shed, and blog, which was never deployed."""
    for directory in ("proxy/upstreams/shop", "proxy/upstreams/shed", "sources/blog", "sources/shop"):
        (tmp_path / "home" / directory).mkdir(parents=True)
    (tmp_path / "config.toml").write_text(f'home = "{tmp_path}/home"\n')
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VPSCTL_")}
    return {**kept, "HOME": str(tmp_path), "VPSCTL_CONFIG": str(tmp_path / "config.toml")}


def completed(environment: dict[str, str], line: str) -> list[str]:
    """What bash is offered for the last word of `line`."""
    words = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1), "_VPSCTL_COMPLETE": "complete_bash"}
    done = subprocess.run([VPSCTL], env={**environment, **words}, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("vpsctl ", list(COMMANDS)),
        ("vpsctl de", ["deploy"]),
        ("vpsctl container st", ["start", "stop", "stats"]),
        ("vpsctl rollback --t", ["--to"]),
        ("vpsctl logs sh", ["shed", "shop"]),
        ("vpsctl deploy ", ["resume", "abort", "blog", "shed", "shop"]),
        ("vpsctl deploy resume sho", ["shop"]),
        ("vpsctl site maintenance on b", ["blog"]),
        ("vpsctl run list s", ["shed", "shop"]),
    ],
)
def test_what_is_offered(environment: dict[str, str], line: str, offered: list[str]) -> None:
    assert completed(environment, line) == offered


@pytest.mark.parametrize("config", ["/nonexistent/config.toml", "broken", "unknown_home"])
def test_where_nothing_can_be_read_nothing_is_offered_and_nothing_is_said(
    environment: dict[str, str], tmp_path: Path, config: str
) -> None:
    (tmp_path / "broken").write_text("home = [")
    (tmp_path / "unknown_home").write_text('home = "/nonexistent"')
    assert completed({**environment, "VPSCTL_CONFIG": str(tmp_path / config)}, "vpsctl logs ") == []


def test_names_come_from_directories_only(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VPSCTL_CONFIG", environment["VPSCTL_CONFIG"])
    (Path(environment["HOME"]) / "home" / "sources" / "shovel").touch()
    assert complete_site("sh") == ["shed", "shop"]


def test_a_tab_loads_nothing_heavy(environment: dict[str, str]) -> None:
    words = {"COMP_WORDS": "vpsctl logs s", "COMP_CWORD": "2", "_VPSCTL_COMPLETE": "complete_bash"}
    command = [sys.executable, "-X", "importtime", "-c", "from vpsctl.cli.main import main; main()"]
    done = subprocess.run(command, env={**environment, **words}, capture_output=True, text=True, timeout=30)
    assert done.stdout.split() == ["shed", "shop"]
    names = re.findall(r"^import time:\s+\d+ \|\s+\d+ \|\s+(\S+)$", done.stderr, re.MULTILINE)
    assert {name.partition(".")[0] for name in names} & HEAVY == set()


def test_it_is_installed_for_bash_and_completes_there(environment: dict[str, str], tmp_path: Path) -> None:
    named = {**environment, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    done = subprocess.run([VPSCTL, "--install-completion", "bash"], env=named, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    script = tmp_path / ".bash_completions" / "vpsctl.sh"
    assert f"source '{script}'" in (tmp_path / ".bashrc").read_text()
    tab = 'source "$1"; COMP_WORDS=(vpsctl dep); COMP_CWORD=1; _vpsctl_completion "$2"; echo "${COMPREPLY[@]}"'
    done = subprocess.run(
        ["bash", "-c", tab, "bash", str(script), VPSCTL], env=environment, capture_output=True, text=True, timeout=30
    )
    assert (done.stdout, done.stderr) == ("deploy\n", "")
