"""Builds by BuildKit, through the `docker` program: the Engine offers it only over a session that the SDK lacks."""

import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from vpsctl.docker_engine.types import BuildSpec

DETECT_SECONDS = 10
_NO_PLUGIN_SINCE = 23
"""From this version on the `docker` program has no BuildKit of its own and needs the buildx plugin."""


@cache
def find_client() -> str | None:
    """The first `docker` on the PATH that can build by BuildKit, by asking it, not by building."""
    for directory in os.get_exec_path():
        program = shutil.which("docker", path=directory)
        if program and (_answer([program, "buildx", "version"]) is not None or _has_its_own(program)):
            return program
    return None


def _has_its_own(program: str) -> bool:
    version = re.search(r"version (\d+)\.", _answer([program, "--version"]) or "")
    return version is not None and int(version[1]) < _NO_PLUGIN_SINCE


def _answer(argv: list[str]) -> str | None:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=DETECT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def build_argv(program: str, spec: BuildSpec) -> list[str]:
    argv = [program, "build", "--progress=plain", f"--tag={spec.tag}", f"--file={_dockerfile(spec)}"]
    argv += [f"--target={spec.target}"] if spec.target else []
    argv += [f"--build-arg={name}={value}" for name, value in spec.args.items()]
    argv += [f"--label={name}={value}" for name, value in spec.labels.items()]
    argv += ["--pull"] if spec.pull else []
    return [*argv, "--", spec.context]


def _dockerfile(spec: BuildSpec) -> Path:
    return Path(spec.context) / spec.dockerfile


def run_build(program: str, spec: BuildSpec, url: str) -> Generator[tuple[str, int | None], None, None]:
    """Each line of the build's output with None, then an empty one with the exit code (negative: killed, at the deadline).

    A generator: closing it early, or any exception in it, ends the program and what it started.
    """
    with _process(build_argv(program, spec), _environment(url)) as process:
        late = threading.Timer(spec.deadline.total_seconds(), _end, (process, signal.SIGKILL))
        late.start()
        try:
            assert process.stdout is not None
            for line in process.stdout:
                yield line.rstrip("\r\n"), None
            yield "", process.wait()
        finally:
            late.cancel()


@contextmanager
def _process(argv: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        argv,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                _end(process, signal.SIGTERM)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=5)
                _end(process, signal.SIGKILL)


def _end(process: subprocess.Popen[str], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _environment(url: str) -> dict[str, str]:
    """Ours without vpsctl's settings, some of which are secret, and with the Engine named."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("VPSCTL_", "DOCKER_", "BUILDX_"))}
    if "DOCKER_CONFIG" in os.environ:
        kept["DOCKER_CONFIG"] = os.environ["DOCKER_CONFIG"]
    engine = url.replace("http://", "tcp://", 1)
    return kept | {"DOCKER_HOST": engine, "DOCKER_BUILDKIT": "1", "BUILDX_BUILDER": "default", "NO_COLOR": "1"}
