"""Without Caddy: what works on files works, and the rest says what cannot be reached."""

import socket
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from vpsctl.errors import Failed, Invalid, Unavailable
from vpsctl.proxy.admin import Admin, version_from
from vpsctl.proxy.proxy import Proxy, initial_config, token_of
from vpsctl.proxy.types import Route, Upstreams
from vpsctl.settings import Settings

ROUTE = Route("shop", ("shop.test",), "off", timedelta(0))
SECURE = Route("shop", ("shop.test",), "internal", timedelta(0))


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, http_port=closed_port(), https_port=closed_port())


@pytest.mark.parametrize(
    "call",
    [
        lambda proxy: proxy.ping(),
        lambda proxy: proxy.routes(),
        lambda proxy: proxy.ensure_routes([ROUTE]),
        lambda proxy: proxy.in_flight(["a:1"]),
        lambda proxy: proxy.drain(["a:1"], timeout=timedelta(seconds=1)),
        lambda proxy: proxy.fetch(ROUTE, "/", timeout=timedelta(seconds=1)),
        lambda proxy: proxy.fetch(SECURE, "/", timeout=timedelta(seconds=1)),
        lambda proxy: proxy.certificate("shop.test"),
    ],
)
def test_what_needs_caddy_says_that_it_cannot_be_reached(settings: Settings, call: Callable[[Proxy], object]) -> None:
    with pytest.raises(Unavailable, match="Caddy") as caught:
        call(Proxy(settings))
    assert caught.value.hint == "vpsctl doctor"


def test_traffic_is_switched_while_caddy_is_down(settings: Settings) -> None:
    proxy = Proxy(settings)
    upstreams = Upstreams("1", ("a:1",))
    assert proxy.switch("shop", upstreams) is None
    assert proxy.current("shop") == upstreams
    assert proxy.hold("shop") == upstreams
    assert proxy.held("shop")


def test_prepare_writes_what_caddy_starts_with_once(settings: Settings) -> None:
    proxy = Proxy(settings)
    assert proxy.prepare()
    written = settings.home / "proxy" / "caddy.json"
    assert written.read_bytes() == initial_config(settings)
    assert written.stat().st_mode & 0o777 == 0o600
    assert (settings.home / "proxy-token").stat().st_mode & 0o777 == 0o600
    written.write_text("what ensure_routes wrote")
    assert not proxy.prepare()
    assert written.read_text() == "what ensure_routes wrote"


def test_the_token_is_made_once_and_does_not_print(settings: Settings) -> None:
    token = token_of(settings)
    assert token_of(settings) == token
    assert len(token.reveal()) >= 32
    assert token.reveal() not in f"{token} {token!r}"


def test_a_home_that_is_missing_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(Failed, match=r"cannot open .*proxy\.lock"):
        Proxy(Settings(home=tmp_path / "nowhere")).ensure_routes([ROUTE])
    with pytest.raises(Failed, match=r"cannot write .*proxy-token"):
        token_of(Settings(home=tmp_path / "nowhere"))


@pytest.mark.parametrize("address", ["caddy:2019", "https://caddy:2019", "http://", "http://caddy/path", ""])
def test_what_is_no_admin_address_is_refused(address: str) -> None:
    with pytest.raises(Invalid, match="is not the address of an admin API"):
        Admin(address).config()


@pytest.mark.parametrize(
    ("text", "version"),
    [("v2.11.7 h1:yj0Y4fYZGPk=\n", (2, 11, 7)), ("2.6.2\n", (2, 6, 2)), ("v2.12.0-beta.1", (2, 12, 0))],
)
def test_versions(text: str, version: tuple[int, int, int]) -> None:
    assert version_from(text) == version


def test_no_version() -> None:
    with pytest.raises(Invalid, match="is not a version of Caddy"):
        version_from("(devel)")
