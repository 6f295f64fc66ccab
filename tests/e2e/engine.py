"""A machine for tests that must stop, kill or fill an engine: namespaces of its own, with its own Docker Engine in them.

Nothing of the shared engine is touched: network, mounts, /run and processes are the machine's own, so that ending its
first process ends everything on it at once, as a power cut does. It has no way out to any network.
"""

import ctypes
import http.client
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

from quickstart.engine import answers
from tests.waiting import wait_for

BOOT = Path(__file__).with_name("boot.py")
PROGRAMS = Path(sys.executable).parent
PATH = os.pathsep.join([str(PROGRAMS), os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])
CLONE_NEWNET = 0x40000000


@dataclass(frozen=True)
class Answer:
    """What a site said through Caddy; status 0 when nobody answered."""

    status: int
    text: str
    headers: Mapping[str, str]


class OwnEngine:
    """A machine whose `dockerd` can be stopped, started and killed, and what runs on that machine."""

    def __init__(self, directory: Path, disks: Mapping[str, str]) -> None:
        self.directory = directory
        self.address = f"unix://{directory}/docker.sock"
        self._disks = [f"{directory / name}={size}" for name, size in disks.items()]
        for name in {"docker", *disks}:
            (directory / name).mkdir()
        self._first: subprocess.Popen[str] | None = None
        self._daemon: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Boot the machine if it is down, start its dockerd, and wait until that answers."""
        if self._first is None:
            self._boot()
        options = ["--data-root", f"{self.directory}/docker", "--host", "unix:///var/run/docker.sock"]
        with (self.directory / "dockerd.log").open("ab") as output:
            self._daemon = subprocess.Popen(
                [*self.inside(), "dockerd", *options, "--host", self.address],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, "PATH": PATH},
            )
        wait_for(self._answers, "answer from our own dockerd", 60)

    def stop(self) -> None:
        """`systemctl stop docker`: SIGTERM, and wait until it has ended."""
        assert self._daemon
        self.run("kill", "-TERM", self.run("cat", "/var/run/docker.pid").strip())
        self._daemon.wait(60)
        self._daemon = None

    def kill(self) -> None:
        """Pull the plug: every process on the machine gets SIGKILL, and with them go network, mounts and /run."""
        if self._first:
            assert self._first.stdin
            self._first.stdin.close()
            self._first.wait(30)
            assert self._first.stdout
            self._first.stdout.close()
        if self._daemon:
            self._daemon.wait(30)
        self._first = self._daemon = None

    def end(self) -> None:
        """As `kill`, and the containers' control groups go too: they belong to no namespace."""
        containers = [path.name for path in self.path("docker/containers").glob("*")] if self._first else []
        self.kill()
        for name in containers:
            for pattern in (f"docker/{name}", f"*/docker/{name}", f"system.slice/docker-{name}.scope"):
                for group in Path("/sys/fs/cgroup").glob(pattern):
                    with suppress(OSError):
                        group.rmdir()

    def inside(self) -> list[str]:
        """The argv before a command that runs on this machine."""
        assert self._first
        spaces = Path("/proc", str(self._first.pid), "ns")
        return ["nsenter", f"--net={spaces}/net", f"--mount={spaces}/mnt", f"--pid={spaces}/pid_for_children", "--"]

    def run(self, *command: str) -> str:
        """What a command on this machine prints."""
        done = subprocess.run([*self.inside(), *command], capture_output=True, text=True, check=True)
        return done.stdout

    def client(self) -> docker.DockerClient:
        """The engine itself, behind vpsctl's back."""
        return docker.DockerClient(self.address, timeout=60)

    def containers(self, state: str) -> dict[str, dict[str, str]]:
        """vpsctl's containers in this state: name to the address on each network."""
        with closing(self.client()) as client:
            found = client.api.containers(all=True, filters={"label": "vpsctl.instance=vpsctl", "status": state})
        return {
            item["Names"][0].removeprefix("/"): {
                name: network["IPAddress"] for name, network in item["NetworkSettings"]["Networks"].items()
            }
            for item in found
        }

    def running(self) -> dict[str, dict[str, str]]:
        return self.containers("running")

    def load(self, source: docker.DockerClient, images: Iterable[str]) -> None:
        """Images from another engine."""
        with closing(self.client()) as client:
            for image in images:
                client.images.load(source.api.get_image(image))

    def request(
        self, host: str, path: str = "/", *, port: int = 80, body: bytes | None = None, headers: Mapping[str, str] = {}
    ) -> Answer:
        """A visitor's request to a port of this machine: a POST with a body, else a GET."""
        connection = _Inside(self, port)
        with closing(connection):
            try:
                connection.request("POST" if body is not None else "GET", path, body, {"Host": host, **headers})
                response = connection.getresponse()
                return Answer(
                    response.status,
                    response.read().decode(errors="replace"),
                    {key.lower(): value for key, value in response.getheaders()},
                )
            except (OSError, http.client.HTTPException) as error:
                return Answer(0, str(error), {})

    def connect(self, port: int) -> socket.socket:
        """A socket in this machine's network. Only the thread that opens it moves there, and it ends at once."""
        found: list[socket.socket | OSError] = []

        def open_there() -> None:
            assert self._first
            try:
                with open(f"/proc/{self._first.pid}/ns/net") as space:
                    if ctypes.CDLL(None, use_errno=True).setns(space.fileno(), CLONE_NEWNET):
                        raise OSError(ctypes.get_errno(), "setns")
                found.append(socket.create_connection(("127.0.0.1", port), timeout=20))
            except OSError as error:
                found.append(error)

        thread = threading.Thread(target=open_there)
        thread.start()
        thread.join()
        if isinstance(found[0], OSError):
            raise found[0]
        return found[0]

    def path(self, name: str) -> Path:
        """A file below this machine's directory as the machine sees it, small disks included."""
        assert self._first
        return Path(f"/proc/{self._first.pid}/root{self.directory}", name)

    def _boot(self) -> None:
        spaces = ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc"]
        self._first = subprocess.Popen(
            [*spaces, sys.executable, str(BOOT), *self._disks],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._first.stdout
        if self._first.stdout.readline().strip() != "booted":
            pytest.fail("the tests in tests/e2e make namespaces with unshare and mount in them, which was refused here")

    def _answers(self) -> bool:
        assert self._daemon
        if self._daemon.poll() is not None:
            pytest.fail(f"our own dockerd ended: {(self.directory / 'dockerd.log').read_text(errors='replace')[-600:]}")
        return answers(self.address)


class _Inside(http.client.HTTPConnection):
    def __init__(self, machine: OwnEngine, port: int) -> None:
        super().__init__("127.0.0.1", port, timeout=20)
        self._machine = machine

    def connect(self) -> None:
        self.sock = self._machine.connect(self.port)


@contextmanager
def own_engine(disks: Mapping[str, str] = {}) -> Iterator[OwnEngine]:
    """A running one; it and all it holds are gone afterwards. `disks`: its directories that are small disks, and how small.

    The path is short, for Unix sockets. Without root or dockerd the test fails, saying so.
    """
    missing = [name for name in ("dockerd", "unshare", "nsenter", "mount") if not shutil.which(name, path=PATH)]
    if missing or os.geteuid() != 0:
        pytest.fail(f"tests/e2e needs root and {', '.join(missing) or 'nothing else'}: run make test as root on Debian")
    directory = Path(tempfile.mkdtemp(prefix="ve-"))
    machine = OwnEngine(directory, disks)
    try:
        machine.start()
        yield machine
    finally:
        machine.end()
        shutil.rmtree(directory)
