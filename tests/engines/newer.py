"""A second, newer Docker Engine for the engine suite: Debian trixie's 26.1 (API 1.45), run from its unpacked packages.

It has a network namespace of its own, and touches neither the machine's `docker0` nor its firewall. A second dockerd in the
machine's own namespace rewrites both; with `--bridge=none` it even deletes `docker0`. What its
containers publish is therefore reached from inside that namespace only.
"""

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import docker

from quickstart.engine import answers
from tests.images.apt import Apt
from tests.images.standin import archives, cache_directory
from tests.images.tree import unpack_package

RELEASE = "trixie"
PACKAGES = ("docker.io", "containerd", "tini")
"""runc is the machine's own: trixie's needs a newer C library than bookworm has."""
START_SECONDS = 30
NAMESPACE = Path(__file__).with_name("namespace.py")


class NotHad(Exception):
    """The engine cannot be had on this machine; the message says why."""


def programs() -> Path:
    """The unpacked packages' root, fetched into the cache on first use. Raises AptFailed."""
    cache = cache_directory("engines")
    root = cache / RELEASE
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.exists():
            with TemporaryDirectory(dir=cache) as directory:
                partial = Path(directory, "root")
                partial.mkdir()
                for package in Apt(cache / f"{RELEASE}-apt", RELEASE).download_alone(PACKAGES, Path(directory, "packages")):
                    unpack_package(partial, package)
                partial.rename(root)
    return root


@dataclass(frozen=True)
class Running:
    """An Engine and the argv that runs a command in its network namespace, where the ports it publishes answer."""

    address: str
    inside: tuple[str, ...]


@contextmanager
def newer_engine(images: tuple[str, ...] = ("busybox:latest",)) -> Iterator[Running]:
    """A running Engine that holds these stand-in images; it ends with the block, its state with it.

    Raises NotHad, AptFailed.
    """
    if os.geteuid() != 0:
        raise NotHad("a second Docker Engine needs root")
    root = programs()
    path = f"{root}/usr/sbin:{root}/usr/bin:/usr/sbin:/sbin:{os.environ.get('PATH', os.defpath)}"
    with TemporaryDirectory(
        prefix="vpsctl-engine-", dir=cache_directory("engines"), ignore_cleanup_errors=True
    ) as directory:
        socket = f"unix://{directory}/docker.sock"
        options = [
            "--data-root",
            f"{directory}/data",
            "--exec-root",
            f"{directory}/exec",
            "--pidfile",
            f"{directory}/pid",
            "--shutdown-timeout",
            "1",
        ]
        command = ["unshare", "--net", "--mount", sys.executable, str(NAMESPACE), "dockerd", *options, "--host", socket]
        with Path(directory, "log").open("wb") as log:
            daemon = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "PATH": path},
                start_new_session=True,
            )
        try:
            wait(socket, daemon, Path(directory, "log"))
            load(socket, images)
            yield Running(socket, ("nsenter", f"--net=/proc/{daemon.pid}/ns/net"))
        finally:
            daemon.terminate()
            daemon.wait(timeout=30)


def wait(socket: str, daemon: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while daemon.poll() is None and time.monotonic() < deadline:
        if answers(socket):
            return
        time.sleep(0.05)
    raise NotHad(f"the second Docker Engine did not start: {log.read_text(errors='replace')[-500:]}")


def load(socket: str, images: tuple[str, ...]) -> None:
    client = docker.DockerClient(socket)
    try:
        for path in archives(list(images)).values():
            with path.open("rb") as file:
                client.images.load(file)
    finally:
        client.close()
