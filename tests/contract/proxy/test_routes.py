"""Routes in a running Caddy: added without harm to others, kept across restarts, refused with reasons."""

import json
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from docker.models.containers import Container

from tests.contract.proxy.conftest import Stand, answers, free_ports, until
from vpsctl.errors import Conflict, Failed, NotFound
from vpsctl.proxy.admin import Admin, UnixConnection, version_from
from vpsctl.proxy.proxy import MINIMUM_VERSION, Proxy, token_of
from vpsctl.proxy.types import Route

SOON = timedelta(seconds=5)
OFF = timedelta(0)


def last_load(stand: Stand) -> bytes:
    """Caddy's own record of when it last loaded a configuration."""
    with closing(UnixConnection(stand.settings.home / "proxy" / "admin.sock", 10)) as connection:
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().splitlines()
    return next(line for line in lines if line.startswith(b"caddy_config_last_reload_success_timestamp_seconds "))


def config_file(stand: Stand) -> Path:
    return stand.settings.home / "proxy" / "caddy.json"


def test_the_version_is_the_one_of_the_program(stand: Stand, proxy: Proxy) -> None:
    said = stand.caddy.exec_run(["caddy", "version"]).output.decode()
    assert proxy.ping() == version_from(said)
    assert proxy.ping() >= MINIMUM_VERSION


def test_a_second_site_disturbs_neither_the_first_nor_its_websockets(stand: Stand, proxy: Proxy) -> None:
    shop = stand.site("shop", 8001)
    with stand.websocket("shop.test") as chat:
        blog = stand.site("blog", 8002)
        chat.send("still there?")
        assert chat.recv(timeout=5) == "still there?"
    assert json.loads(stand.ask("shop.test")[2])["port"] == 8001
    assert json.loads(stand.ask("blog.test")[2])["port"] == 8002
    assert proxy.routes() == [blog, shop]


def test_what_runs_already_is_not_loaded_again(stand: Stand, proxy: Proxy) -> None:
    shop = stand.site("shop", 8001)
    loaded = last_load(stand)
    assert proxy.ensure_routes([shop]) is False
    assert proxy.ensure_routes([], remove=["nobody"]) is False
    assert last_load(stand) == loaded


def test_a_changed_route_replaces_the_old(stand: Stand, proxy: Proxy) -> None:
    shop = stand.site("shop", 8001)
    moved = replace(shop, domains=("store.test", "www.store.test"), hold=timedelta(seconds=3))
    assert proxy.ensure_routes([moved]) is True
    assert proxy.routes() == [moved]
    assert [stand.ask(host)[0] for host in ("store.test", "www.store.test", "shop.test")] == [200, 200, 404]


def test_a_removed_site_and_an_unknown_host_are_not_found(stand: Stand, proxy: Proxy) -> None:
    stand.site("shop", 8001)
    assert proxy.ensure_routes([], remove=["shop"]) is True
    for host in ("shop.test", "nobody.test"):
        status, headers, body = stand.ask(host)
        assert (status, headers["Content-Type"]) == (404, "text/plain; charset=utf-8")
        assert body == b"No site is served under this name.\n"


def test_a_domain_belongs_to_one_site(stand: Stand, proxy: Proxy) -> None:
    shop = stand.site("shop", 8001)
    with pytest.raises(Conflict, match=r"shop\.test is wanted by two sites, blog and shop"):
        proxy.ensure_routes([Route("blog", ("blog.test", "shop.test"), "off", OFF)])
    assert proxy.routes() == [shop]


def test_what_caddy_refuses_changes_nothing_and_is_said_in_its_words(stand: Stand, proxy: Proxy) -> None:
    shop = stand.site("shop", 8001)
    before = config_file(stand).read_bytes()
    with pytest.raises(Failed, match=r"Caddy refuses the configuration and keeps the old one: .*twice\.test") as caught:
        proxy.ensure_routes([Route("blog", ("twice.test", "twice.test"), "internal", OFF)])
    assert token_of(stand.settings).reveal() not in caught.value.message
    assert config_file(stand).read_bytes() == before
    assert not config_file(stand).with_name("caddy.json.next").exists()
    assert proxy.routes() == [shop]
    assert stand.ask("shop.test")[0] == 200


def test_a_file_left_behind_by_a_kill_is_put_right(stand: Stand, proxy: Proxy) -> None:
    shop = stand.site("shop", 8001)
    config = config_file(stand)
    right = config.read_bytes()
    config.write_bytes(b"{}")
    assert proxy.ensure_routes([shop]) is False
    assert config.read_bytes() == right
    assert config.stat().st_mode & 0o777 == 0o600


def test_several_at_once_lose_no_route(stand: Stand, proxy: Proxy) -> None:
    routes = [Route(f"site-{number}", (f"site-{number}.test",), "off", OFF) for number in range(6)]
    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(lambda route: Proxy(stand.settings).ensure_routes([route]), routes))
    assert proxy.routes() == routes


@pytest.mark.parametrize("signal", ["SIGTERM", "SIGKILL"])
def test_a_restarted_caddy_serves_every_site_again(stand: Stand, proxy: Proxy, signal: str) -> None:
    routes = [stand.site("blog", 8002), stand.site("shop", 8001)]
    stand.caddy.kill(signal)
    stand.caddy.wait(timeout=20)
    proxy.switch("shop", stand.upstreams("2", 8003))
    stand.caddy.start()
    until(lambda: answers(proxy), "Caddy")
    assert proxy.routes() == routes
    assert proxy.fetch(routes[1], "/", timeout=SOON).upstream == stand.address(8003)
    assert proxy.fetch(routes[0], "/", timeout=SOON).upstream == stand.address(8002)
    assert proxy.ensure_routes(routes) is False


def test_only_our_token_shows_the_upstream_and_the_site_never_sees_it(stand: Stand, proxy: Proxy) -> None:
    route = stand.site("shop", 8001)
    token = token_of(stand.settings).reveal()
    answer = proxy.fetch(route, "/headers", timeout=SOON)
    assert (answer.status, answer.upstream, answer.secure) == (200, stand.address(8001), False)
    for sent in ({}, {"X_Vpsctl_Token": "guess"}, {"X_Vpsctl_Token": token}):
        _, headers, body = stand.ask("shop.test", "/headers", **sent)
        assert ("X-Vpsctl-Upstream" in headers) is (sent.get("X_Vpsctl_Token") == token)
        arrived = json.loads(body)
        assert "X-Vpsctl-Token" not in arrived
        assert token not in body.decode()
        assert (arrived["X-Forwarded-Host"], arrived["X-Forwarded-Proto"]) == ("shop.test", "http")


def test_the_token_is_not_in_caddys_log_of_a_failure(stand: Stand, proxy: Proxy) -> None:
    route = stand.site("shop", 8001)
    proxy.hold("shop")
    assert proxy.fetch(route, "/no-such-page", timeout=SOON).status == 502
    until(lambda: b"/no-such-page" in stand.caddy.logs(), "log line")
    assert token_of(stand.settings).reveal().encode() not in stand.caddy.logs()


def test_a_maintenance_page_answers_everyone_but_us(stand: Stand, proxy: Proxy) -> None:
    route = stand.site("shop", 8001)
    stand.site("blog", 8002)
    page = "<h1>Back at noon {http.request.host} {env.PATH}, schön</h1>\n"
    proxy.maintenance("shop", page)
    assert proxy.maintained("shop") == page
    for method, body in (("GET", None), ("POST", b"order")):
        status, headers, shown = stand.ask("shop.test", "/any", method=method, body=body)
        assert (status, shown.decode()) == (503, page.rstrip("\n"))
        assert (headers["Retry-After"], headers["Content-Type"]) == ("60", "text/html; charset=utf-8")
    assert stand.ask("shop.test", X_Vpsctl_Token="guess")[0] == 503
    assert proxy.fetch(route, "/", timeout=SOON).status == 200
    assert stand.ask("blog.test")[0] == 200
    proxy.maintenance("shop", None)
    assert proxy.maintained("shop") is None
    assert stand.ask("shop.test")[0] == 200


def test_a_site_that_is_late_is_not_taken_for_a_caddy_that_is_down(stand: Stand, proxy: Proxy) -> None:
    route = stand.site("shop", 8001)
    stand.command("gate")
    with pytest.raises(Failed, match=r"shop\.test did not answer GET /wait within 0\.2 s"):
        proxy.fetch(route, "/wait", timeout=timedelta(seconds=0.2))
    stand.command("release")


def test_internal_tls_answers_with_a_certificate_of_each_domain(stand: Stand, proxy: Proxy) -> None:
    route = Route("bank", ("bank.test", "www.bank.test"), "internal", OFF)
    proxy.switch("bank", stand.upstreams("1", 8001))
    proxy.ensure_routes([route])
    until(lambda: proxy.fetch(route, "/", timeout=SOON).secure, "certificate")
    assert proxy.fetch(route, "/", timeout=SOON).upstream == stand.address(8001)
    found = proxy.certificate("www.bank.test")
    assert found.subject == "www.bank.test"
    assert "Caddy Local Authority" in found.issuer
    assert timedelta(0) < found.not_after - datetime.now(UTC) < timedelta(days=7)
    status, headers, _ = stand.ask("bank.test", "/a?b=c")
    assert (status, headers["Location"]) == (308, f"https://bank.test:{stand.settings.https_port}/a?b=c")


def test_tls_speaks_http2_says_so_to_the_site_and_serves_no_other_host(stand: Stand, proxy: Proxy) -> None:
    route = stand.site("bank", 8001, tls="internal")
    other = stand.site("vault", 8002, tls="internal")
    until(
        lambda: proxy.fetch(route, "/", timeout=SOON).secure and proxy.fetch(other, "/", timeout=SOON).secure, "certificates"
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    found = {}
    for host in ("bank.test", "vault.test"):
        plain = socket.create_connection(("127.0.0.1", stand.settings.https_port))
        with context.wrap_socket(plain, server_hostname="bank.test") as sock:
            sock.sendall(f"GET /headers HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            found[host] = b"".join(iter(lambda sock=sock: sock.recv(4096), b""))
    assert b'"X-Forwarded-Proto": "https"' in found["bank.test"]
    assert found["vault.test"].startswith(b"HTTP/1.1 421 ")
    context.set_alpn_protocols(["h2", "http/1.1"])
    plain = socket.create_connection(("127.0.0.1", stand.settings.https_port))
    with context.wrap_socket(plain, server_hostname="bank.test") as sock:
        assert sock.selected_alpn_protocol() == "h2"


def test_our_own_calls_do_not_fill_caddys_log(stand: Stand, proxy: Proxy) -> None:
    stand.site("shop", 8001)
    assert proxy.in_flight([stand.address(8001)]) == 0
    stand.ask("shop.test")
    proxy.hold("shop")
    assert stand.ask("shop.test", "/after-the-calls")[0] == 502
    until(lambda: b"/after-the-calls" in stand.caddy.logs(), "log line")
    assert b"/reverse_proxy/upstreams" not in stand.caddy.logs()


def test_a_route_altered_by_hand_is_named_and_mended_by_putting_it_again(stand: Stand, proxy: Proxy) -> None:
    shop, blog = stand.site("shop", 8001), stand.site("blog", 8002)
    admin = Admin(f"unix/{stand.settings.home}/proxy/admin.sock")
    config = admin.config()
    routes = config["apps"]["http"]["servers"]["vpsctl_http"]["routes"]
    next(route for route in routes if route.get("@id") == "vpsctl-shop")["handle"] = []
    assert admin.load(json.dumps(config).encode()) == ""
    for call in (proxy.routes, lambda: proxy.ensure_routes([blog])):
        with pytest.raises(Failed, match="the route of shop in Caddy was altered by hand"):
            call()
    assert proxy.ensure_routes([shop]) is True
    assert proxy.routes() == [blog, shop]


def test_a_site_without_its_certificate_yet_is_asked_past_the_redirect(stand: Stand, proxy: Proxy) -> None:
    route = stand.site("new", 8001, tls="auto")
    assert proxy.routes() == [route]
    answer = proxy.fetch(route, "/headers", timeout=SOON)
    assert (answer.status, answer.upstream, answer.secure) == (200, stand.address(8001), False)
    assert stand.ask("new.test")[0] == 308
    seen = json.loads(stand.ask("new.test", "/headers", X_Vpsctl_Token=token_of(stand.settings).reveal())[2])
    assert seen["X-Forwarded-Proto"] == "https"
    with pytest.raises(NotFound, match=r"Caddy has no certificate for new\.test"):
        proxy.certificate("new.test")


def test_the_admin_socket_is_ours_alone_and_its_path_may_be_long(stand: Stand, proxy: Proxy, tmp_path: Path) -> None:
    route = stand.site("shop", 8001)
    assert (stand.settings.home / "proxy" / "admin.sock").stat().st_mode & 0o777 == 0o600
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    (deep / "home").symlink_to(stand.settings.home)
    assert Proxy(replace(stand.settings, home=deep / "home")).routes() == [route]


@pytest.fixture
def other_caddy(stand: Stand, tmp_path: Path) -> Iterator[tuple[Container, int, int]]:
    """Someone's own Caddy with a site and an open admin port; the container and its admin and HTTP ports."""
    static = {"handler": "static_response", "body": "theirs"}
    server = {"listen": [":80"], "routes": [{"match": [{"host": ["old.test"]}], "handle": [static]}]}
    config = {"admin": {"listen": ":2019"}, "apps": {"http": {"servers": {"srv0": server}}}}
    (tmp_path / "caddy.json").write_text(json.dumps(config))
    admin_port, http_port = free_ports(2)
    container = stand.client.containers.run(
        "caddy:2-alpine",
        ["caddy", "run", "--config", "/theirs/caddy.json"],
        name=f"{stand.prefix}-other",
        network=stand.prefix,
        detach=True,
        volumes=[f"{tmp_path}:/theirs", f"{stand.settings.home / 'proxy'}:/run/vpsctl"],
        ports={"2019/tcp": ("127.0.0.1", admin_port), "80/tcp": ("127.0.0.1", http_port)},
    )
    yield container, admin_port, http_port
    container.remove(force=True)


def test_a_caddy_that_exists_keeps_what_it_serves(
    stand: Stand, proxy: Proxy, other_caddy: tuple[Container, int, int]
) -> None:
    _, admin_port, http_port = other_caddy
    proxy.switch("shop", stand.upstreams("1", 8001))
    address = f"http://127.0.0.1:{admin_port}"
    theirs = Proxy(replace(stand.settings, caddy_admin=address, http_port=http_port))
    until(lambda: answers(theirs), "the other Caddy")
    before = Admin(address).config()
    own_file = config_file(stand).read_bytes()
    shop = Route("shop", ("shop.test",), "off", OFF)
    assert theirs.ensure_routes([shop]) is True
    assert theirs.ensure_routes([shop]) is False
    assert theirs.fetch(shop, "/", timeout=SOON).upstream == stand.address(8001)
    old = Route("theirs", ("old.test",), "off", OFF)
    assert theirs.fetch(old, "/", timeout=SOON).status == 200
    with pytest.raises(Conflict, match=r"old\.test is served by a route of this Caddy that vpsctl did not make"):
        theirs.ensure_routes([old])
    assert theirs.ensure_routes([], remove=["shop"]) is True
    after = Admin(address).config()
    assert after["apps"]["http"]["servers"]["srv0"] == before["apps"]["http"]["servers"]["srv0"]
    assert config_file(stand).read_bytes() == own_file
    assert proxy.routes() == []
