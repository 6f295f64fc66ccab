"""A key file that holds a key itself, and what it looks like in a directory."""

import base64
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vpsctl.secret import Secret

KEY = bytes(range(32))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "home" / "master.key"
    path.parent.mkdir(mode=0o700)
    path.write_bytes(base64.b64encode(KEY))
    path.chmod(0o600)
    return path


def names(directory: Path) -> list[str]:
    return sorted(item.name for item in directory.iterdir()) if directory.exists() else []


def write_private(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    path.chmod(0o600)


class Person:
    """Types these, one after the other, and remembers what they were asked."""

    def __init__(self, *texts: str) -> None:
        self._texts = list(texts)
        self.asked: list[str] = []

    def __call__(self, prompt: str) -> Secret:
        self.asked.append(prompt)
        return Secret(self._texts.pop(0))


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], None]]:
    """`program("name", "script")`: what $PATH finds under that name, and nothing else is found."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", str(directory))

    def make(name: str, script: str) -> None:
        (directory / name).write_text(script)
        os.chmod(directory / name, 0o755)

    yield make
