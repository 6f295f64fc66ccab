"""The files of this project, as git sees them, for the guards beside this module."""

import ast
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


@cache
def files() -> tuple[Path, ...]:
    """Tracked files and new ones that are not ignored, without those that are deleted but not yet committed."""
    # safe.directory: CI may own the checkout as another user
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return tuple(sorted(path for name in listed.split("\0") if name and (path := ROOT / name).is_file()))


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def modules() -> dict[str, ast.Module]:
    """Every Python module by its path below the root."""
    return {name(path): ast.parse(path.read_text()) for path in files() if path.suffix == ".py"}


@cache
def texts() -> dict[str, str]:
    """Every file that is text, by its path below the root."""
    found = {}
    for path in files():
        try:
            found[name(path)] = path.read_text()
        except UnicodeDecodeError:
            continue
    return found
