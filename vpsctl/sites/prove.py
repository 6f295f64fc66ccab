"""Traffic of our own during a deployment, and how much of it failed: the proof that nobody noticed.

Each worker keeps its connection, as browsers and API clients do; every tenth request opens a new one. GET only, at a rate
that no site notices, with the site's own host name through the proxy's published port.
"""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vpsctl.app import App
from vpsctl.proxy.fetch import asked
from vpsctl.proxy.types import Route

if TYPE_CHECKING:
    import httpx

WORKERS = 4
PAUSE = 0.02
"""Seconds between the requests of one worker: about 200 a second together."""
FRESH = 10


@dataclass(frozen=True)
class Proof:
    requests: int
    failed: int
    """No answer, or a status of 500 and above."""
    slowest: float
    """Seconds."""
    median: float
    statuses: dict[str, int]
    errors: tuple[str, ...]
    """The first few failures."""


@dataclass
class Traffic:
    """What the workers saw; read it after the context has ended."""

    times: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)

    def proof(self) -> Proof:
        ordered = sorted(self.times) or [0.0]
        return Proof(
            sum(self.statuses.values()),
            sum(count for status, count in self.statuses.items() if failed(status)),
            ordered[-1],
            ordered[len(ordered) // 2],
            dict(sorted(self.statuses.items())),
            tuple(self.errors[:5]),
        )


def failed(status: str) -> bool:
    return not status.isdigit() or int(status) >= 500


@contextmanager
def traffic(app: App, route: Route, path: str) -> Iterator[Traffic]:
    """Send requests from when the block begins until it ends."""
    seen, stop = Traffic(), threading.Event()
    threads = [threading.Thread(target=_send, args=(app, route, path, seen, stop), daemon=True) for _ in range(WORKERS)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _send(app: App, route: Route, path: str, seen: Traffic, stop: threading.Event) -> None:
    import httpx  # 0.1 s, which only a deploy that is proved pays

    settings, secure = app.settings, route.tls != "off"
    scheme, port = ("https", settings.https_port) if secure else ("http", settings.http_port)
    domain = asked(route)
    headers = {"Host": domain, "User-Agent": "vpsctl-prove"}
    extensions = {"sni_hostname": domain} if secure else {}
    count = 0
    client = _client()
    try:
        while not stop.is_set():
            count += 1
            if count % FRESH == 0:
                client.close()
                client = _client()
            begin = time.monotonic()
            try:
                status = str(
                    client.get(f"{scheme}://127.0.0.1:{port}{path}", headers=headers, extensions=extensions).status_code
                )
                if failed(status):
                    seen.errors.append(f"status {status}")
            except httpx.HTTPError as error:
                status = type(error).__name__
                seen.errors.append(f"{status}: {error}")
            seen.times.append(time.monotonic() - begin)
            seen.statuses[status] += 1
            stop.wait(PAUSE)
    finally:
        client.close()


def _client() -> "httpx.Client":
    import httpx

    # The certificate may be Caddy's own; whether it is trusted is not what this measures.
    return httpx.Client(timeout=60, trust_env=False, verify=False)  # noqa: S501
