"""What detection sees of a directory, and what it concludes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Kind = Literal["node", "python", "php", "static"]

READ_LIMIT = 256 * 1024
"""Bytes of a file that are looked at."""

LEFT_OUT = (
    *(
        "**/.git",
        "**/.env",
        "**/.env.*",
        "**/.DS_Store",
        "**/node_modules",
        "**/__pycache__",
        "**/*.pyc",
        "**/.venv",
        "**/venv",
    ),
    *("**/.vscode", "**/.idea", "Dockerfile*", ".dockerignore", ".gitignore", ".gitattributes"),
    *("compose.yaml", "compose.yml", "compose.*.yaml", "compose.*.yml", "docker-compose*.yaml", "docker-compose*.yml"),
)
"""What a generated build leaves out, in the words of .dockerignore: what is secret, made again, or about building."""


WRITABLE_APP = ("WORKDIR /app", "RUN chown 1000:1000 .")
"""Where a recognised app stands: it runs as this user and may write beside itself, as it could on a laptop."""


@dataclass(frozen=True)
class Tree:
    """What detection sees: the paths of the two top levels (directories end in "/"), and the texts of telling files."""

    paths: frozenset[str]
    texts: Mapping[str, str] = field(default_factory=dict)

    def has(self, *paths: str) -> bool:
        return any(path in self.paths for path in paths)

    def text(self, path: str) -> str:
        return self.texts.get(path, "")


@dataclass(frozen=True)
class Detected:
    kind: Kind
    reason: tuple[str, ...]
    """Each thing that was concluded, and from which file: shown in the plan beside the Dockerfile."""
    dockerfile: str
    port: int
    """Where the app listens in its container."""
    ignore: tuple[str, ...] = LEFT_OUT


TELLING = (
    *("package.json", "requirements.txt", "pyproject.toml", "Procfile", "composer.json"),
    *("app.py", "main.py", "wsgi.py", "asgi.py", "server.py"),
)


def read_tree(directory: Path) -> Tree:
    """Two levels of names, and the telling files; symbolic links that lead out of the directory are not followed."""
    paths, root = set[str](), directory.resolve()
    for entry in _entries(root):
        if entry.is_dir():
            paths.add(f"{entry.name}/")
            paths.update(f"{entry.name}/{child.name}" for child in _entries(entry))
        else:
            paths.add(entry.name)
    texts = {name: _read(root / name) for name in TELLING if name in paths}
    return Tree(frozenset(paths), texts)


def _entries(directory: Path) -> list[Path]:
    if directory.name in ("node_modules", ".git", ".venv", "venv"):
        return []
    return [path for path in directory.iterdir() if not path.is_symlink()]


def _read(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(READ_LIMIT).decode(errors="replace")
