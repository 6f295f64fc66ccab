"""An Engine that is not there, is another thing, is too old or too new, or dies in the middle of an answer."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from tests.conftest import docker_host
from vpsctl.docker_engine.connection import CEILING
from vpsctl.docker_engine.engine import Engine
from vpsctl.docker_engine.types import BuildSpec, ContainerSpec
from vpsctl.errors import Invalid, Unavailable

SPEC = ContainerSpec("x", "busybox:latest")
Answer = Callable[[bytes], bytes]


def http(body: bytes = b"", *headers: str, status: str = "200 OK", length: int | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def ping(version: str) -> bytes:
    return http(b"OK", f"Api-Version: {version}")


class Broken:
    """A server on a unix socket that answers a ping, and then as it is told before it closes."""

    def __init__(self, path: Path, answer: Answer) -> None:
        self.url = f"unix://{path}"
        self.asked: list[str] = []
        self._answer = answer
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            client, _ = self._server.accept()
            with client:
                request = client.recv(65_536)
                if not request:
                    return
                self.asked.append(request.decode(errors="replace").splitlines()[0])
                client.sendall(self._answer(request))

    def close(self) -> None:
        with socket.socket(socket.AF_UNIX) as last:
            last.connect(self.url.removeprefix("unix://"))
            last.shutdown(socket.SHUT_WR)
            self._thread.join(10)
        self._server.close()


@pytest.fixture
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Broken]]:
    opened: list[Broken] = []

    def served(rest: bytes, version: str = "1.41") -> Broken:
        path = tmp_path_factory.mktemp("e") / "s"
        opened.append(Broken(path, lambda request: ping(version) if b"/_ping" in request else rest))
        return opened[-1]

    yield served
    for item in opened:
        item.close()


CALLS: dict[str, Callable[[Engine, str], object]] = {
    "info": lambda engine, _: engine.info(),
    "summaries": lambda engine, _: engine.summaries(),
    "container": lambda engine, _: engine.container("x"),
    "find_container": lambda engine, _: engine.find_container("x"),
    "create": lambda engine, _: engine.create(SPEC),
    "start": lambda engine, _: engine.start("x"),
    "stop": lambda engine, _: engine.stop("x", grace=timedelta(0)),
    "wait": lambda engine, _: engine.wait("x", timeout=timedelta(seconds=5)),
    "set_restart": lambda engine, _: engine.set_restart("x", "no"),
    "logs": lambda engine, _: list(engine.logs("x")),
    "exec": lambda engine, _: engine.exec("x", ["true"]),
    "stats": lambda engine, _: engine.stats(["x", "y"]),
    "events": lambda engine, _: list(engine.events(labels={})),
    "put_file": lambda engine, _: engine.put_file("x", "/x", b"x" * 1_000_000),
    "get_file": lambda engine, _: engine.get_file("x", "/x"),
    "images": lambda engine, _: engine.images(),
    "pull": lambda engine, _: engine.pull("x", on_line=lambda line: None),
    "build": lambda engine, context: engine.build(
        BuildSpec(context, "Dockerfile", "x", memory=1 << 28), on_line=lambda line: None
    ),
    "networks": lambda engine, _: engine.networks(),
    "create_volume": lambda engine, _: engine.create_volume("x", labels={}),
    "volume_sizes": lambda engine, _: engine.volume_sizes(),
}
calls = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
ENDINGS = {
    "at once": b"",
    "before the headers": b"HTTP/1.1 20",
    "in the body": http(b'{"Id": "x", "Conf', length=1000),
    "in a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n{",
}


@pytest.fixture
def context(tmp_path: Path) -> str:
    (tmp_path / "Dockerfile").write_text("FROM busybox\n")
    return str(tmp_path)


@calls
def test_an_engine_that_is_not_there(call: Callable[[Engine, str], object], tmp_path: Path, context: str) -> None:
    with closing(Engine(f"unix://{tmp_path}/none.sock")) as engine, pytest.raises(Unavailable) as caught:
        call(engine, context)
    assert "no such socket" in caught.value.message
    assert f"{tmp_path}/none.sock" in caught.value.message
    assert "systemctl start docker" in caught.value.hint


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
@calls
def test_an_engine_that_dies_in_its_answer(
    call: Callable[[Engine, str], object], serve: Callable[..., Broken], context: str, ending: bytes
) -> None:
    broken = serve(ending)
    with closing(Engine(broken.url)) as engine, pytest.raises(Unavailable) as caught:
        call(engine, context)
    assert "half way" in caught.value.message
    assert "\n" not in caught.value.message
    assert "vpsctl doctor" in caught.value.hint


def test_an_engine_that_nobody_listens_for(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "s"))
    for url in (f"unix://{tmp_path}/s", "tcp://127.0.0.1:1"):
        with closing(Engine(url)) as engine, pytest.raises(Unavailable, match="nothing listens there"):
            engine.info()


def test_an_engine_that_comes_back_is_reached_again(serve: Callable[..., Broken], tmp_path: Path) -> None:
    with closing(Engine(f"unix://{tmp_path}/s")) as engine:
        with pytest.raises(Unavailable):
            engine.networks()
        broken = Broken(tmp_path / "s", lambda request: ping("1.41") if b"/_ping" in request else http(b"[]"))
        try:
            assert engine.networks() == []
        finally:
            broken.close()
        with pytest.raises(Unavailable):
            engine.networks()


def test_something_else_that_answers(serve: Callable[..., Broken], tmp_path: Path) -> None:
    other = Broken(tmp_path / "s", lambda request: http(b"<html>"))
    try:
        with closing(Engine(other.url)) as engine, pytest.raises(Invalid, match="not a Docker Engine"):
            engine.info()
    finally:
        other.close()


def test_an_answer_that_makes_no_sense(serve: Callable[..., Broken]) -> None:
    with closing(Engine(serve(http(b"<html>")).url)) as engine, pytest.raises(Unavailable, match="not what an Engine says"):
        engine.info()


def test_an_engine_too_old_is_named(serve: Callable[..., Broken]) -> None:
    with closing(Engine(serve(b"", "1.40").url)) as engine, pytest.raises(Invalid, match=r"1\.40.*1\.41"):
        engine.info()


@pytest.mark.parametrize(("engines", "spoken"), [("1.41", "1.41"), ("1.45", "1.45"), ("1.100", CEILING)])
def test_the_version_spoken_is_one_that_both_know(serve: Callable[..., Broken], engines: str, spoken: str) -> None:
    broken = serve(http(b"[]"), engines)
    with closing(Engine(broken.url)) as engine:
        assert engine.networks() == []
    assert broken.asked[-1].startswith(f"GET /v{spoken}/networks")


@pytest.mark.parametrize("url", ["", "ssh://root@example.com", "/var/run/docker.sock", "npipe://x"])
def test_an_address_of_another_kind_is_invalid_at_once(url: str) -> None:
    with pytest.raises(Invalid, match="docker_host"):
        Engine(url)


def test_making_an_engine_opens_nothing(tmp_path: Path) -> None:
    Engine(f"unix://{tmp_path}/none.sock").close()


def test_what_the_engine_tells_about_itself(engine: Engine) -> None:
    info = engine.info()
    assert tuple(int(part) for part in info.api_version.split(".")) >= (1, 41)
    assert info.architecture in ("amd64", "arm64")
    assert info.cpus >= 1
    assert info.memory > 1 << 28
    assert info.root_dir.startswith("/")
    assert info.cgroup_driver in ("cgroupfs", "systemd")


def test_an_engine_is_shared_by_threads(resident: str) -> None:
    with closing(Engine(docker_host())) as engine:
        names: list[str] = []
        threads = [threading.Thread(target=lambda: names.append(engine.container(resident).name)) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert names == [resident] * 20
