"""Switching, draining and holding the traffic of a running Caddy: no request fails that need not."""

import http.client
import json
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from tests.contract.proxy.conftest import FULL, Stand, until
from vpsctl.errors import Failed
from vpsctl.proxy.proxy import Proxy

SOON = timedelta(seconds=5)


class Visitors:
    """Keep-alive clients that send GET and POST in turn, without a pause or a second try, until stopped."""

    def __init__(self, stand: Stand, host: str, count: int) -> None:
        self.stand, self.host = stand, host
        self.answered: Counter[int] = Counter()
        self.failed: list[str] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(count)]

    def __enter__(self) -> "Visitors":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, number: int) -> None:
        with closing(self.stand.open()) as connection:
            while not self._stop.is_set():
                number += 1
                method, body = ("GET", None) if number % 2 else ("POST", b"x" * 1000)
                try:
                    connection.request(method, "/", body=body, headers={"Host": self.host})
                    response = connection.getresponse()
                    data = response.read()
                except (OSError, http.client.HTTPException) as error:
                    self.failed.append(f"{method}: {error!r}")
                    connection.close()
                    continue
                found = json.loads(data) if response.status == 200 else {}
                if found.get("body") == len(body or b""):
                    self.answered[found["port"]] += 1
                else:
                    self.failed.append(f"{method}: {response.status} {data[:80]!r}")


def test_ten_switches_under_load_with_the_old_release_ended_each_time_fail_no_request(stand: Stand, proxy: Proxy) -> None:
    stand.site("chat", 8006)
    stand.site("shop", 8001, 8002)
    releases = [(8001, 8002), (8003, 8004, 8005)]
    served: list[int] = []
    with stand.websocket("chat.test") as chat, Visitors(stand, "shop.test", 4) as visitors:
        for turn in range(10):
            old, new = releases[turn % 2], releases[(turn + 1) % 2]
            for port in new:
                stand.command("open", port)
            before = visitors.answered.total()
            proxy.switch("shop", stand.upstreams(str(turn), *new))
            assert proxy.drain([stand.address(port) for port in old], timeout=SOON) == 0
            for port in old:
                stand.command("close", port)
            until(lambda before=before: visitors.answered.total() > before + 250, "traffic")
            served.append(visitors.answered.total() - before)
        chat.send("still there?")
        assert chat.recv(timeout=5) == "still there?"
    assert visitors.failed == []
    assert set(visitors.answered) == {8001, 8002, 8003, 8004, 8005}


def test_every_replica_gets_its_share(stand: Stand, proxy: Proxy) -> None:
    stand.site("shop", 8001, 8002, 8003)
    with Visitors(stand, "shop.test", 2) as visitors:
        until(lambda: visitors.answered.total() >= 600, "traffic")
    total = visitors.answered.total()
    assert {port for port, count in visitors.answered.items() if 0.23 < count / total < 0.44} == {8001, 8002, 8003}


@pytest.fixture(autouse=True)
def all_open(stand: Stand) -> Iterator[None]:
    """What a test closed is open for the next one, also when it failed half way."""
    yield
    for port in range(8001, 8007):
        stand.command("open", port)


@pytest.fixture
def gate(stand: Stand) -> Iterator[None]:
    stand.command("gate")
    yield
    stand.command("release")


@pytest.mark.usefixtures("gate")
def test_a_request_in_flight_ends_on_the_old_release_and_draining_waits_for_it(stand: Stand, proxy: Proxy) -> None:
    stand.site("shop", 8001)
    old, new = [stand.address(8001)], [stand.address(8002)]
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(stand.ask, "shop.test", "/wait")
        until(lambda: proxy.in_flight(old) == 1, "request in flight")
        proxy.switch("shop", stand.upstreams("2", 8002))
        assert json.loads(stand.ask("shop.test")[2])["port"] == 8002
        assert proxy.drain(new, timeout=SOON) == 0
        assert proxy.drain(old, timeout=timedelta(milliseconds=120)) == 1
        draining = pool.submit(proxy.drain, old, timeout=SOON)
        stand.command("release")
        assert draining.result() == 0
        status, _, data = slow.result()
    assert (status, json.loads(data)["port"]) == (200, 8001)


@pytest.mark.usefixtures("gate")
def test_a_request_of_a_site_whose_route_is_gone_is_still_counted(stand: Stand, proxy: Proxy) -> None:
    stand.site("shop", 8001)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(stand.ask, "shop.test", "/wait")
        until(lambda: proxy.in_flight([stand.address(8001)]) == 1, "request in flight")
        assert proxy.ensure_routes([], remove=["shop"])
        assert proxy.in_flight([stand.address(8001)]) == 1
        stand.command("release")
        assert slow.result()[0] == 200
    assert proxy.drain([stand.address(8001)], timeout=SOON) == 0


def test_a_websocket_counts_as_in_flight(stand: Stand, proxy: Proxy) -> None:
    stand.site("chat", 8006)
    address = [stand.address(8006)]
    with stand.websocket("chat.test") as chat:
        chat.send("hello")
        assert chat.recv(timeout=5) == "hello"
        assert proxy.drain(address, timeout=timedelta(0)) == 1
    assert proxy.drain(address, timeout=SOON) == 0


def test_held_requests_wait_and_are_answered_by_what_comes(stand: Stand, proxy: Proxy) -> None:
    stand.site("shop", 8001, hold=10)
    assert proxy.hold("shop") == stand.upstreams("1", 8001)
    with ThreadPoolExecutor(4) as pool:
        bodies = [None, None, b"y" * 100_000, b"z"]
        waiting = [pool.submit(stand.ask, "shop.test", method="POST" if body else "GET", body=body) for body in bodies]
        with pytest.raises(TimeoutError):
            waiting[0].result(timeout=0.5)
        assert not any(future.done() for future in waiting)
        proxy.switch("shop", stand.upstreams("2", 8002))
        found = [(future.result()[0], json.loads(future.result()[2])) for future in waiting]
    assert found == [(200, {"port": 8002, "body": len(body or b"")}) for body in bodies]


def connected(stand: Stand, port: int) -> bool:
    """Whether anything is connected to the application, as the kernel of its container tells."""
    stand.applications.reload()
    rows = Path(f"/proc/{stand.applications.attrs['State']['Pid']}/net/tcp").read_text().splitlines()[1:]
    return any(row.split()[1].endswith(f":{port:04X}") and row.split()[3] == "01" for row in rows)


def test_a_container_that_restarts_is_waited_for(stand: Stand, proxy: Proxy) -> None:
    stand.site("shop", 8001, hold=10)
    assert stand.ask("shop.test")[0] == 200
    # A POST on a connection that is cut at that moment cannot be sent again; Caddy gives an idle one up after 1.5 s.
    until(lambda: not connected(stand, 8001), "end of idle connections")
    stand.command("close", 8001)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(stand.ask, "shop.test", method="POST", body=b"b" * 5000)
        with pytest.raises(TimeoutError):
            waiting.result(timeout=0.3)
        stand.command("open", 8001)
        status, _, data = waiting.result()
    assert (status, json.loads(data)["body"]) == (200, 5000)


@pytest.mark.parametrize(("hold", "least", "most"), [(0.0, 0.0, 0.3), (0.6, 0.5, 1.5)])
def test_a_hold_lasts_as_long_as_the_route_says(stand: Stand, proxy: Proxy, hold: float, least: float, most: float) -> None:
    route = stand.site("shop", 8001, hold=hold)
    proxy.hold("shop")
    answer = proxy.fetch(route, "/", timeout=SOON, method="POST")
    assert answer.status == 502
    assert least <= answer.elapsed.total_seconds() <= most


def test_a_full_disk_leaves_the_old_release_serving(stand: Stand, proxy: Proxy) -> None:
    route = stand.site(FULL, 8001)
    small = stand.settings.home / "proxy" / "upstreams" / FULL
    filler = small / "filler"
    with pytest.raises(OSError, match="No space left"), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    refused = 0
    for size in range(filler.stat().st_size, 0, -4096):  # one page more is free each time
        with filler.open("r+b") as file:
            file.truncate(size)
        try:
            proxy.switch(FULL, stand.upstreams("2", 8002, 8003))
        except Failed as error:
            refused += 1
            assert "cannot switch the traffic of full; what served it goes on: No space left on device" in error.message
            assert proxy.current(FULL) == stand.upstreams("1", 8001)
            assert proxy.fetch(route, "/", timeout=SOON).upstream == stand.address(8001)
        else:
            break
    filler.unlink()
    assert refused >= 3  # nothing is free, then one file fits, then two
    assert proxy.current(FULL) == stand.upstreams("2", 8002, 8003)
    assert proxy.fetch(route, "/", timeout=SOON).upstream in {stand.address(8002), stand.address(8003)}
