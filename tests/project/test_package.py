"""What is shipped and how it is set up: the wheel, the lock, the Makefile, the change log."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.project.sources import ROOT, texts

LOCKS = ("requirements/run.txt", "requirements/dev.txt", "tests/images/wheels.txt")
PIN = re.compile(r"([a-z0-9-]+)==([^ ;]+)( ; [^\\]+)?((?:\s*--hash=sha256:[0-9a-f]{64})+)")


def pins(lock: str) -> dict[str, str]:
    """Name -> version of a lock. Every line must be a pin with its hashes, and nothing else may stand there."""
    logical = (ROOT / lock).read_text().replace("\\\n", " ").splitlines()
    matches = {line: PIN.fullmatch(line.strip()) for line in logical}
    assert [line for line, match in matches.items() if not match] == []
    return {match[1]: match[2] for match in matches.values() if match}


def canonical(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match
    return re.sub(r"[-_.]+", "-", match[0]).lower()


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_hashes_and_no_address(lock: str) -> None:
    assert pins(lock)
    text = (ROOT / lock).read_text()
    assert [word for word in ("://", "file:", "--index", "--find-links", "--extra", "-i ") if word in text] == []


def test_the_locks_hold_what_pyproject_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    run, dev = pins("requirements/run.txt"), pins("requirements/dev.txt")
    assert {canonical(item) for item in project["project"]["dependencies"]} <= run.keys()
    assert {canonical(item) for item in project["dependency-groups"]["dev"]} <= dev.keys()
    assert {canonical(item) for item in project["build-system"]["requires"]} <= dev.keys()
    assert {name: version for name, version in run.items() if dev.get(name) != version} == {}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from this checkout by the pinned build backend, fetching nothing."""
    directory = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return next(directory.glob("*.whl"))


def test_the_wheel_holds_the_code_the_migrations_and_the_foundation(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    code = {name for name in texts() if name.startswith("vpsctl/")}
    data = {
        name.replace(folder, f"vpsctl/_{folder}", 1)
        for folder in ("migrations/", "compose/")
        for name in texts()
        if name.startswith(folder)
    }
    assert "vpsctl/_migrations/env.py" in data
    assert "vpsctl/_compose/foundation.yaml" in data
    assert (code | data) - held == set()
    assert [name for name in held if not name.startswith("vpsctl") or "__pycache__" in name] == []


def test_the_installed_wheel_stands_alone(wheel: Path, tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "-qq", "--no-deps", "--no-index", "--no-compile", "--target"]
    subprocess.run([*pip, str(tmp_path), str(wheel)], check=True, capture_output=True)

    def run(code: str) -> str:
        # -P and PYTHONPATH: the installed copy, not this checkout
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        command = [sys.executable, "-P", "-c", code]
        done = subprocess.run(command, cwd=tmp_path, env=environment, text=True, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.strip()

    assert re.search(r"\d+\.\d+\.\d+", run("from vpsctl.cli.main import main; main(['--version'])"))
    foundation = run("from vpsctl.hosts.foundation import find_foundation; print(find_foundation())")
    assert foundation == str(tmp_path / "vpsctl/_compose/foundation.yaml")
    migrations = run("from vpsctl.db.migrate import find_migrations, head_version; print(find_migrations(), head_version())")
    assert migrations.startswith(f"{tmp_path / 'vpsctl/_migrations'} 0")


@pytest.mark.parametrize(
    "target", ["help", "quickstart", "test", "check", "bench", "lock", "images", "setup-engine", "clean"]
)
def test_make_knows_its_targets(target: str) -> None:
    done = subprocess.run(["make", "-n", target], cwd=ROOT, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_ci_runs_both_and_is_executable() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0
    assert re.findall(r"^make (?:--[a-z-]+ )*(\w+)", script.read_text(), re.MULTILINE) == ["check", "test"]


@pytest.mark.parametrize("script", [name for name in texts() if name.endswith(".sh")])
def test_shell_scripts_parse(script: str) -> None:
    done = subprocess.run(["sh", "-n", str(ROOT / script)], text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_change_log_has_a_place_for_the_next_change() -> None:
    headings = re.findall(r"^## \[?([^\]\n]+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings
    assert headings[0].strip() == "Unreleased"
