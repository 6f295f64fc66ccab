"""Images: what they declare, their names, and a registry that does not answer, refuses, or does not have it."""

import base64
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.contract.docker_engine.conftest import IMAGE
from vpsctl.docker_engine.engine import Engine
from vpsctl.docker_engine.types import BuildSpec, ContainerSpec
from vpsctl.errors import Failed, Invalid, NotFound, Unavailable, VpsctlError
from vpsctl.secret import Secret


def ignore(line: str) -> None: ...


@pytest.fixture
def made(engine: Engine, spec: ContainerSpec, instance: str, tmp_path: Path) -> str:
    """The tag of an image that declares everything an image can."""
    (tmp_path / "Dockerfile").write_text(
        f"FROM {IMAGE}\n"
        'EXPOSE 3000 53/udp 80/tcp\nVOLUME ["/data", "/a"]\nENV GREETING="a=b c"\nUSER 1000:1000\n'
        'STOPSIGNAL SIGINT\nENTRYPOINT ["echo"]\nCMD ["one", "two"]\n'
    )
    tag = f"{instance}:one"
    engine.build(BuildSpec(str(tmp_path), "Dockerfile", tag, labels=spec.labels, memory=256 << 20), on_line=ignore)
    return tag


def test_what_an_image_declares_is_told(engine: Engine, spec: ContainerSpec, made: str) -> None:
    image = engine.image(made)
    assert image.tags == (made,)
    assert image.exposed_ports == (80, 3000)
    assert image.volumes == ("/a", "/data")
    assert image.environment["GREETING"] == "a=b c"
    assert (image.user, image.stop_signal) == ("1000:1000", "SIGINT")
    assert (image.entrypoint, image.command) == (("echo",), ("one", "two"))
    assert image.architecture == engine.info().architecture
    assert image.size > 1 << 20
    assert dict(image.labels) == dict(spec.labels)
    assert engine.images(spec.labels) == [image]
    assert engine.image(image.id) == image


def test_the_names_in_some_repositories_are_told_together(engine: Engine, instance: str, made: str) -> None:
    names = {f"{instance}/shop/app:r1", f"{instance}/shop/app:r2", f"{instance}/shop/db:r2"}
    for name in (*names, f"{instance}/shop2/app:r1", f"{instance}/shop/deep/app:r1"):
        engine.tag(made, name)
    assert engine.image_names(f"{instance}/shop/*") == names
    assert engine.image_names(f"{instance}/nobody/*") == set()


def test_names_come_and_go_and_an_image_in_use_stays(
    engine: Engine, start: Callable[..., str], instance: str, made: str
) -> None:
    engine.tag(made, f"{instance}:two")
    assert set(engine.image(made).tags) == {made, f"{instance}:two"}
    assert engine.remove_image(f"{instance}:two")
    assert engine.image(made).tags == (made,)
    name = start("", image=made, entrypoint=("sleep",), command=("100",))
    assert not engine.remove_image(engine.image(made).id)
    engine.remove(name, force=True)
    assert engine.remove_image(made)
    assert engine.find_image(made) is None
    with pytest.raises(NotFound, match=f"no image {made}"):
        engine.remove_image(made)


@pytest.mark.parametrize("ref", ["nothing:1", "", "../containers/json", "UPPER"])
def test_an_image_that_is_not_there(engine: Engine, ref: str) -> None:
    assert ref == "UPPER" or engine.find_image(ref) is None
    with pytest.raises((NotFound, Invalid)):
        engine.image(ref)


class Registry(BaseHTTPRequestHandler):
    """As much of a registry as it takes to refuse."""

    status, code, message = 404, "MANIFEST_UNKNOWN", "manifest unknown"
    challenge = False
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.headers.get("Authorization", ""))
        if self.challenge and not self.asked[-1]:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="here"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = b"{}"
        if self.path != "/v2/":
            body = json.dumps({"errors": [{"code": self.code, "message": self.message}]}).encode()
        self.send_response(200 if self.path == "/v2/" else self.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, format: str, *args: object) -> None: ...


@contextmanager
def registry(**answers: object) -> Iterator[tuple[str, list[str]]]:
    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Answering", (Registry,), {**answers, "asked": asked}))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def pull_error(engine: Engine, ref: str, **options: object) -> VpsctlError:
    with pytest.raises(VpsctlError) as caught:
        engine.pull(ref, on_line=ignore, **options)  # type: ignore[arg-type]
    assert "\n" not in caught.value.message
    assert ref in caught.value.message
    return caught.value


def test_an_image_the_registry_does_not_have(engine: Engine) -> None:
    with registry() as (host, _):
        error = pull_error(engine, f"{host}/shop:1")
    assert isinstance(error, NotFound)
    assert "credentials" in error.hint


def test_a_registry_that_refuses(engine: Engine) -> None:
    answers = {"status": 401, "code": "UNAUTHORIZED", "message": "authentication required"}
    with registry(**answers) as (host, _):
        error = pull_error(engine, f"{host}/shop:1", username="me", password=Secret("c4nary"))
    assert isinstance(error, Invalid)
    assert "credentials" in error.hint
    assert "c4nary" not in error.message


def test_the_credentials_given_are_those_sent(engine: Engine) -> None:
    answers = {"challenge": True, "status": 403, "code": "DENIED", "message": "requested access to the resource is denied"}
    with registry(**answers) as (host, asked):
        error = pull_error(engine, f"{host}/shop:1", username="me", password=Secret("c4nary"))
    assert isinstance(error, Invalid)
    assert "c4nary" not in error.message
    assert f"Basic {base64.b64encode(b'me:c4nary').decode()}" in asked


@pytest.mark.filterwarnings("ignore:docker-credential-is-not-installed")
def test_a_credential_helper_that_fails_is_an_error_of_ours(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.json").write_text('{"credsStore": "is-not-installed"}')
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with pytest.raises(Failed, match="is-not-installed"):
        engine.pull("127.0.0.1:1/shop:1", on_line=ignore)


def test_a_registry_that_does_not_listen(engine: Engine) -> None:
    assert isinstance(pull_error(engine, "127.0.0.1:1/shop:1"), Unavailable)


def test_a_registry_that_says_nothing_is_given_up_at_the_deadline(engine: Engine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        error = pull_error(engine, f"127.0.0.1:{silent.getsockname()[1]}/shop:1", deadline=timedelta(seconds=0.5))
        with suppress(OSError):
            silent.shutdown(socket.SHUT_RDWR)
    assert isinstance(error, Unavailable)


@pytest.mark.parametrize("ref", ["Shop:1", "a b", "shop:tag:tag"])
def test_a_reference_that_is_none(engine: Engine, ref: str) -> None:
    with pytest.raises(Invalid, match="not an image reference"):
        engine.pull(ref, on_line=ignore)


def test_a_failure_of_another_kind_says_what_the_engine_says(engine: Engine) -> None:
    with registry(status=418, code="UNKNOWN", message="a teapot") as (host, _):
        error = pull_error(engine, f"{host}/shop:1")
    assert isinstance(error, Failed | Unavailable)
    assert "teapot" in error.message
