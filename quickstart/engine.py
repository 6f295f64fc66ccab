"""Makes a Docker Engine answer on this machine: installs it where it is missing, starts it where it is stopped.

Uses the standard library only. Says nothing and changes nothing when all is there.
"""

import fcntl
import http.client
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

DEFAULT = "unix:///var/run/docker.sock"
PACKAGES = {"git": "git", "iptables": "iptables", "ps": "procps", "dockerd": "docker.io"}
"""Program -> Debian package. The Engine runs iptables, and `ps` for `docker top`: its package does not pull in both."""
START_SECONDS = 60
ENDED_SECONDS = 5
PATH_DIRECTORIES = ("/usr/local/sbin", "/usr/sbin", "/sbin")


class SocketConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket, as far as `GET /_ping` needs it."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=3)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def answers(url: str) -> bool:
    """Whether an Engine answers at a `unix://` or `tcp://` address; others (ssh) are taken as yes and left to vpsctl."""
    parts = urlsplit(url)
    if parts.scheme not in ("unix", "tcp", "http"):
        return True
    host = f"{parts.hostname}:{parts.port or 2375}"
    connection = SocketConnection(parts.path) if parts.scheme == "unix" else http.client.HTTPConnection(host, timeout=3)
    try:
        connection.request("GET", "/_ping")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def say(text: str) -> None:
    print(f"engine: {text}", file=sys.stderr, flush=True)


def fail(text: str) -> None:
    say(text)
    raise SystemExit(1)


def install(packages: list[str]) -> None:
    """apt-get install; the package lists are refreshed only when the first attempt fails."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        fail(f"missing: {' '.join(packages)}. Install them, or run this as root on Debian or Ubuntu.")
    say(f"installing {' '.join(packages)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    apt = ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120", "-o", "Dpkg::Use-Pty=0"]
    wanted = [*apt, "install", "-y", "--no-install-recommends", *packages]
    if subprocess.run(wanted, env=environment, stdout=sys.stderr, check=False).returncode:
        subprocess.run([*apt, "update"], env=environment, stdout=sys.stderr, check=False)
        if subprocess.run(wanted, env=environment, stdout=sys.stderr, check=False).returncode:
            fail(f"apt-get could not install {' '.join(packages)}: its reason stands above.")


def start(url: str, cache: Path) -> None:
    """Starts the local Engine through systemd where that runs, else by hand, detached from this process."""
    if os.geteuid() != 0:
        fail(f"no Docker Engine answers at {url}, and starting one needs root.")
    if Path("/run/systemd/system").is_dir():
        say("starting the Docker Engine with systemctl")
        subprocess.run(["systemctl", "enable", "--now", "docker"], stdout=sys.stderr, check=False)
        if not wait(url):
            fail(f"the Docker Engine does not answer at {url}. See: journalctl -u docker")
        return
    forget_dead(Path("/var/run/docker.pid"), "dockerd")
    forget_dead(Path("/var/run/docker/containerd/containerd.pid"), "containerd")
    log = cache / "dockerd.log"
    say(f"no systemd runs here: starting dockerd by hand, its log is {log}")
    with log.open("wb") as output:
        daemon = subprocess.Popen(
            ["dockerd"], stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, cwd="/"
        )
    if not wait(url, daemon):
        last = log.read_text(errors="replace").strip().splitlines()[-1:]
        fail(f"the Docker Engine does not answer at {url}. The last line of {log}: {''.join(last)}")


def forget_dead(file: Path, program: str) -> None:
    """Remove the pid file of a daemon that was killed: its number may be another process's by now, and dockerd would
    refuse to start, or take that process for its containerd."""
    try:
        number = int(file.read_text())
    except (OSError, ValueError):
        return
    try:
        alive = Path(f"/proc/{number}/comm").read_text().strip() == program
    except OSError:
        alive = False
    if not alive:
        file.unlink()


def wait(url: str, daemon: "subprocess.Popen[bytes] | None" = None) -> bool:
    """Until the Engine answers. A daemon that ended gets a little time: the package may have started another one first."""
    deadline = time.monotonic() + START_SECONDS
    while not answers(url):
        if daemon and daemon.poll() is not None:
            deadline = min(deadline, time.monotonic() + ENDED_SECONDS)
            daemon = None
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    say(f"the Docker Engine answers at {url}")
    return True


def main() -> None:
    os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", os.defpath), *PATH_DIRECTORIES])
    chosen = os.environ.get("DOCKER_HOST")
    url = chosen or DEFAULT
    running = answers(url)
    if chosen and not running:
        fail(f"no Docker Engine answers at {url} ($DOCKER_HOST). Unset DOCKER_HOST to use one on this machine.")
    missing = [package for program, package in PACKAGES.items() if not shutil.which(program)]
    if running:
        missing = [package for package in missing if package == "git"]
    if running and not missing:
        return
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "vpsctl")
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "engine.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if missing:
            install(missing)
        if not answers(url):
            start(url, cache)


if __name__ == "__main__":
    main()
