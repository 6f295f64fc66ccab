"""The command line on the session's machine, in this process or in one of its own."""

import io
import json
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command_line import CommandLine, write_settings
from tests.operations.deploy.conftest import COMPOSE, web_image
from vpsctl.app import App
from vpsctl.cli.main import run as run_command
from vpsctl.errors import NotFound
from vpsctl.secret import Secret
from vpsctl.settings import Settings
from vpsctl.sites.add import add_site
from vpsctl.sites.deploy import deploy
from vpsctl.sites.remove import remove_site
from vpsctl.sites.sources.source import Source

__all__ = ["web_image"]  # a fixture
NOWHERE = "unix:///nowhere/docker.sock"


@dataclass(frozen=True)
class Answer:
    """What one command line came to."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """Of a success under --json: the one thing on stdout."""
        assert self.code == 0, self
        document = json.loads(self.out)
        assert list(document) == ["data"]
        return document["data"]

    @property
    def error(self) -> dict[str, str]:
        """Of a failure under --json: the one thing on stdout, and the same in words on stderr."""
        document = json.loads(self.out)
        assert list(document) == ["error"]
        told: dict[str, str] = document["error"]
        assert set(told) == {"code", "message", "hint"}
        assert told["message"] in self.err
        return told

    @property
    def sentence(self) -> str:
        """Of a failure in words: nothing on stdout; on stderr one sentence, and one hint that says what to type next."""
        assert self.code, self
        assert self.out == ""
        lines = self.err.splitlines()
        at = next(place for place, line in enumerate(lines) if line.startswith("error: "))
        assert [line.partition(":")[0] for line in lines[at:]] == ["error", "hint"], self.err
        assert len(lines[at + 1]) > len("hint:  ")
        assert "Traceback" not in self.err
        return lines[at].removeprefix("error: ")

    @property
    def hint(self) -> str:
        assert self.sentence
        return self.err.splitlines()[-1].removeprefix("hint:  ")


Vpsctl = Callable[..., Answer]


def as_document(settings: Settings) -> dict[str, str | int]:
    """What of the settings a test changes, as config.toml has it."""
    keys = ("home", "instance", "docker_host", "postgres_url", "caddy_admin", "http_port", "https_port")
    values = {key: getattr(settings, key) for key in keys}
    plain = {key: value.reveal() if isinstance(value, Secret) else value for key, value in values.items()}
    return {key: value if isinstance(value, int) else str(value) for key, value in plain.items() if value is not None}


@pytest.fixture(scope="session")
def config(foundation: App, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The settings file of the session's machine."""
    return write_settings(tmp_path_factory.mktemp("config") / "config.toml", **as_document(foundation.settings))


@pytest.fixture(scope="session")
def process(config: Path) -> CommandLine:
    """The command line as a process of its own."""
    return CommandLine(config)


@pytest.fixture
def cli(config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Vpsctl:
    """`cli("site", "list", VPSCTL_…="…")`, in this process, on the session's machine unless a variable says otherwise."""

    def call(*words: str, stdin: bytes = b"", **environ: str) -> Answer:
        with monkeypatch.context() as patch:
            for name in [name for name in os.environ if name.startswith("VPSCTL_")]:
                patch.delenv(name)
            for name, value in {"VPSCTL_CONFIG": str(config), **environ}.items():
                patch.setenv(name, value)
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
            code = run_command(list(words))
        captured = capsys.readouterr()
        return Answer(code, captured.out, captured.err)

    return call


MakeDirectory = Callable[..., Path]


@pytest.fixture(scope="session")
def make_directory(web_image: str) -> Iterator[MakeDirectory]:
    """`make_directory("shop")`: a site's directory, with a compose file of the image that the tests of deploying use."""
    made: list[Path] = []

    def make(site: str, compose: str = COMPOSE) -> Path:
        directory = Path(tempfile.mkdtemp(prefix="vpsctl-test-site-"))
        made.append(directory)
        (directory / "compose.yaml").write_text(compose.format(image=web_image, site=site))
        return directory

    yield make
    for directory in made:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def shop(foundation: App, make_directory: MakeDirectory) -> Iterator[str]:
    """A site with one release that serves; whoever changes it puts it back."""
    with added(foundation, make_directory) as (name, _):
        deploy(foundation, name)
        yield name


@pytest.fixture(scope="session")
def bare(foundation: App, make_directory: MakeDirectory) -> Iterator[str]:
    """A site that was added and never deployed."""
    with added(foundation, make_directory) as (name, _):
        yield name


@contextmanager
def added(foundation: App, make_directory: MakeDirectory, compose: str = COMPOSE) -> Iterator[tuple[str, Path]]:
    """A site's name and directory; it is gone afterwards, unless the test has removed it."""
    name = f"s{secrets.token_hex(3)}"
    directory = make_directory(name, compose)
    add_site(foundation, Source("directory", str(directory)), name=name)
    yield name, directory
    with suppress(NotFound):
        remove_site(foundation, name, with_data=True)
