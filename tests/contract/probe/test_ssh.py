"""SSH keys, tried on a real sshd with the machine's own ssh."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest

from tests.contract.probe.servers import SSHD, TOOLS, container, mounts, programs
from tests.unit.credentials.values import rsa_pem
from tests.waiting import wait_for
from vpsctl.credentials.kinds.check import check_value
from vpsctl.credentials.kinds.generate import generate
from vpsctl.credentials.kinds.ssh_key import public_key
from vpsctl.credentials.probe.probe import Probe, probe
from vpsctl.errors import Invalid, Unavailable
from vpsctl.secret import Secret

pytestmark = pytest.mark.skipif(not shutil.which("ssh"), reason="there is no ssh on this machine")
PASSWD = "root:x:0:0:root:/root:/bin/sh\nsshd:x:74:74::/empty:/bin/false\n"
CONFIG = """Port 2222
HostKey /settings/host
AuthorizedKeysFile /settings/authorized
StrictModes no
UsePAM no
PasswordAuthentication no
PidFile none
"""


@dataclass(frozen=True)
class Sshd:
    port: int
    good: Secret
    forced: Secret
    """Let in for one command only, which fails, as a git host does."""


@pytest.fixture(scope="module")
def sshd(docker_client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    root, settings = programs(SSHD), tmp_path_factory.mktemp("sshd")
    good, forced = generate("ssh-key", None), check_value("ssh-key", Secret(rsa_pem()))
    write(settings / "host", generate("ssh-key", None).reveal())
    write(settings / "authorized", f'{public_key(good)}\nrestrict,command="/bin/false" {public_key(forced)}\n')
    write(settings / "config", CONFIG)
    write(settings / "passwd", PASSWD, 0o644)
    volumes = [*mounts(root, settings=Path(settings)), f"{settings / 'passwd'}:/etc/passwd:ro"]
    command = ["/packages/usr/sbin/sshd", "-D", "-e", "-f", "/settings/config"]
    with container(docker_client, TOOLS, command, 2222, volumes=volumes, tmpfs={"/run/sshd": "mode=755"}) as port:
        wait_for(lambda: tried(good, port).ok, "answer from sshd")
        yield Sshd(port, good, forced)


def write(path: Path, text: str, mode: int = 0o600) -> None:
    path.touch(mode)
    path.write_text(text)


def tried(key: Secret, port: int, seconds: float = 5, **details: str) -> Probe:
    done = probe("ssh-key", key, {"url": f"ssh://root@127.0.0.1:{port}", **details}, seconds=seconds)
    assert not any(line in done.told for line in key.reveal().splitlines() if line)
    return done


def test_a_key_that_is_let_in(sshd: Sshd) -> None:
    before = (set(os.listdir("/dev/shm")), len(os.listdir("/proc/self/fd")))
    done = tried(sshd.good, sshd.port)
    assert (done.ok, done.told) == (True, "root@127.0.0.1 took the key")
    assert tried(sshd.forced, sshd.port).ok is True
    assert (set(os.listdir("/dev/shm")), len(os.listdir("/proc/self/fd"))) == before


def test_another_key_is_refused(sshd: Sshd) -> None:
    done = tried(generate("ssh-key", None), sshd.port)
    assert (done.ok, done.told) == (False, "root@127.0.0.1: the key was refused")


def test_the_host_key_is_kept_and_another_one_is_noticed(sshd: Sshd, tmp_path: Path) -> None:
    known = tmp_path / "known hosts"
    assert tried(sshd.good, sshd.port, known_hosts=str(known)).ok is True
    kept = known.read_text()
    assert f"[127.0.0.1]:{sshd.port} ssh-ed25519 " in kept
    other = public_key(generate("ssh-key", None))
    known.write_text(f"[127.0.0.1]:{sshd.port} {other}\n")
    done = tried(sshd.good, sshd.port, known_hosts=str(known))
    assert done.ok is False
    assert "its host key is not the one it had before" in done.told
    assert other in known.read_text()


def test_a_port_where_nobody_listens(closed_port: int) -> None:
    done = tried(generate("ssh-key", None), closed_port)
    assert (done.ok, done.reached) == (False, False)
    assert "Connection refused" in done.told


def test_a_host_that_never_answers(silent_port: int) -> None:
    done = tried(generate("ssh-key", None), silent_port, 0.5)
    assert (done.ok, done.reached) == (False, False)
    assert "did not answer within 0.5 s" in done.told
    assert done.seconds < 2


def test_without_an_address_the_option_is_named() -> None:
    with pytest.raises(Invalid, match="--url"):
        probe("ssh-key", generate("ssh-key", None), {})


def test_without_ssh_the_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unavailable) as caught:
        tried(generate("ssh-key", None), 22)
    assert "openssh-client" in caught.value.hint
