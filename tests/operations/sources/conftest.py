"""Real repositories for the source tests: a working tree, and the bare repository it pushes to."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Repository:
    tree: Path
    bare: Path

    def git(self, *arguments: str) -> str:
        who = {f"GIT_{role}_{key}": "t@example.com" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
        environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1", **who}
        done = subprocess.run(["git", "-C", self.tree, *arguments], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def commit(self, files: Mapping[str, str | bytes], subject: str = "a change", *, branch: str = "main") -> str:
        """Commits the files, pushes them to the branch whatever was there, and returns the commit."""
        for name, content in files.items():
            path = self.tree / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        self.git("add", "--all", "--force")
        self.git("commit", "--quiet", "--allow-empty", "-m", subject)
        self.git("push", "--quiet", "--force", "origin", f"HEAD:refs/heads/{branch}")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    repository = Repository(tmp_path / "tree", tmp_path / "served" / "shop.git")
    for arguments in (
        ["init", "-q", "-b", "main", repository.tree],
        ["init", "-q", "-b", "main", "--bare", repository.bare],
    ):
        subprocess.run(["git", *arguments], check=True)
    repository.git("remote", "add", "origin", str(repository.bare))
    return repository


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "home" / "sources" / "shop"
