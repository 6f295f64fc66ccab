"""Throw-away servers in containers, each on a free port of the loopback interface."""

import fcntl
import os
import platform
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import docker
import pytest

from tests.images.apt import Apt, AptFailed
from tests.images.standin import cache_directory
from tests.images.tree import unpack
from tests.waiting import wait_for

RELEASE = "bookworm"
TOOLS = "busybox:latest"
SSHD, CLICKHOUSE = ("openssh-server",), ("clickhouse-server", "tzdata")


@contextmanager
def container(client: docker.DockerClient, image: str, command: list[str], port: int, **more: Any) -> Iterator[int]:
    """A container whose `port` is published; gives the port of this machine once it accepts connections there."""
    name = f"vpsctl-test-probe-{os.getpid()}-{secrets.token_hex(3)}"
    made = client.containers.run(image, command, name=name, ports={f"{port}/tcp": ("127.0.0.1", None)}, detach=True, **more)
    try:
        yield wait_for(lambda: published(made, port), f"port of {name}: {made.logs()!r}")
    finally:
        made.remove(force=True, v=True)


def published(made: Any, port: int) -> int:
    made.reload()
    bound = made.ports.get(f"{port}/tcp")
    return int(bound[0]["HostPort"]) if bound else 0


def programs(packages: tuple[str, ...]) -> Path:
    """The unpacked packages and all they need, fetched into the cache once. Skips the test where they cannot be had."""
    if platform.machine() != "x86_64" or os.geteuid() != 0 or not shutil.which("apt-get"):
        pytest.skip(f"{packages[0]} is unpacked from Debian packages, which needs root, apt-get and x86_64")
    cache = cache_directory("servers")
    root = cache / packages[0]
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.exists():
            try:
                with TemporaryDirectory(dir=cache) as directory:
                    fetched = Apt(cache / "apt", RELEASE).download(packages, Path(directory, "packages"))
                    unpack(Path(directory, "root"), fetched, ())
                    Path(directory, "root").rename(root)
            except AptFailed as error:
                pytest.skip(f"no {packages[0]} can be had here: {error}")
    return root


def mounts(root: Path, **more: Path) -> list[str]:
    """Volumes that put a root's programs under /packages and its libraries where they are looked for."""
    wanted = {
        "/packages": root, "/usr/lib": root / "usr/lib", "/lib": root / "usr/lib", "/lib64": root / "usr/lib64",
        "/usr/share/zoneinfo": root / "usr/share/zoneinfo",
        **{f"/{name}": path for name, path in more.items()},
    }  # fmt: skip
    return [f"{path}:{target}:ro" for target, path in wanted.items() if path.exists()]
