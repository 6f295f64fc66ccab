"""`vpsctl` on a database of its own with a project acme: in this process, in one of its own, and on a terminal."""

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Answer, Vpsctl
from tests.e2e.command_line import VPSCTL, CommandLine, write_settings
from tests.screen import Screen
from vpsctl.app import App
from vpsctl.audit.list import Wanted, list_audit
from vpsctl.cli.main import run as run_command
from vpsctl.credentials.read import open_credential
from vpsctl.projects.write import add_project


@pytest.fixture
def vpsctl(app: App, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Vpsctl:
    """`vpsctl("cred", "list")` in this process, on a database of its own with a project acme."""
    assert app.settings.postgres_url
    monkeypatch.setenv("VPSCTL_HOME", str(app.settings.home))
    monkeypatch.setenv("VPSCTL_POSTGRES_URL", app.settings.postgres_url.reveal())
    add_project(app, "acme")

    def call(*words: str, stdin: bytes = b"") -> Answer:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
            code = run_command(list(words))
        captured = capsys.readouterr()
        return Answer(code, captured.out, captured.err)

    return call


@pytest.fixture
def process(app: App, tmp_path: Path) -> CommandLine:
    """The same as processes."""
    assert app.settings.postgres_url
    values = {"home": str(app.settings.home), "postgres_url": app.settings.postgres_url.reveal()}
    return CommandLine(write_settings(tmp_path / "config.toml", **values))


@pytest.fixture
def screen(process: CommandLine) -> Iterator["OpenScreen"]:
    """`screen("cred", "add", …)` is vpsctl on a terminal."""
    opened = OpenScreen(process)
    yield opened
    for item in opened.screens:
        item.close()


class OpenScreen:
    def __init__(self, process: CommandLine) -> None:
        self.process = process
        self.screens: list[Screen] = []

    def __call__(self, *words: str, columns: int = 100) -> Screen:
        environment = {**self.process.environment(), "TERM": "xterm", "COLUMNS": str(columns), "NO_COLOR": "1"}
        self.screens.append(Screen([VPSCTL, *words], environment))
        return self.screens[-1]


def value(app: App, name: str, project: str | None = None) -> str:
    return open_credential(app, name, project=project).value.reveal()


def audited(app: App, action: str) -> int:
    return len(list_audit(app, Wanted(action=action)))
