"""Starting fast is a feature: what `--help` and `--version` may load."""

import re
import subprocess
import sys

import pytest

HEAVY = {
    "sqlalchemy",
    "docker",
    "psycopg",
    "alembic",
    "redis",
    "httpx",
    "requests",
    "urllib3",
    "cryptography",
    "keyring",
    "yaml",
}


def loaded(*arguments: str) -> set[str]:
    """Top-level packages that one command imports, by the interpreter's own record."""
    code = "import sys; from vpsctl.cli.main import main; sys.argv[0] = 'vpsctl'; main()"
    command = [sys.executable, "-X", "importtime", "-c", code, *arguments]
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    names = re.findall(r"^import time:\s+\d+ \|\s+\d+ \|\s+(\S+)$", done.stderr, re.MULTILINE)
    assert "vpsctl.cli.main" in names
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("site", "--help"), ("deploy", "--help")], ids=" ".join)
def test_help_loads_nothing_heavy(arguments: tuple[str, ...]) -> None:
    assert loaded(*arguments) & HEAVY == set()
