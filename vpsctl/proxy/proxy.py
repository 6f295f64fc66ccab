"""Caddy as one installation sees it: routes through its admin API, traffic through the files it reads.

Only `ensure_routes` reloads Caddy, and only when something differs. Everything else works on files or reads counters.
"""

import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from vpsctl import private_file
from vpsctl.errors import Conflict, Failed
from vpsctl.proxy import fetch
from vpsctl.proxy import upstreams as files
from vpsctl.proxy.admin import Admin
from vpsctl.proxy.config import Frame, Json, bare, install, merge, routes_of
from vpsctl.proxy.types import Answer, Certificate, Route, Upstreams
from vpsctl.secret import Secret, redact
from vpsctl.settings import Settings

MINIMUM_VERSION = (2, 11, 4)
"""File upstreams need 2.8, in-flight counts of addresses no longer dialled 2.11.2, a held POST its body 2.11.4 (#7719)."""
POLL = 0.05
QUIET = 6
"""Polls in a row that see nothing in flight, 0.3 s: a request that has read its upstream and is not counted yet may wait
that long for the processor, since Caddy's own cap pauses it for up to 0.1 s at a time."""
LOCK_TIMEOUT = 30.0
CONFIG_FILE = "caddy.json"


class Proxy:
    """The Caddy of `settings`: the foundation's, or the one at `settings.caddy_admin`.

    One that exists already needs `{home}/proxy` mounted (or linked) at `/run/vpsctl` and readable, listens on ports 80
    and 443, and keeps what it serves beside our routes. It forgets ours when its own configuration is loaded again,
    unless it runs with `--resume`: `ensure_routes` brings them back.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._directory = settings.home / "proxy"
        self._root = self._directory / "upstreams"
        self._admin = Admin(settings.caddy_admin or f"unix/{self._directory / 'admin.sock'}")

    def close(self) -> None:
        """Nothing stays open between calls; here so that every part of App closes alike."""

    def prepare(self) -> bool:
        """Make `{home}/proxy`, our token and the first caddy.json, before Caddy starts; returns whether one was missing.

        Raises Failed when they cannot be written.
        """
        path = self._directory / CONFIG_FILE
        try:
            (self._directory / "upstreams").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Failed(f"cannot make {self._directory}: {error.strerror or error}", hint="vpsctl doctor") from error
        token_of(self._settings)
        if self._settings.caddy_admin or path.exists():
            return False
        _write(path, initial_config(self._settings))
        return True

    def ping(self) -> tuple[int, int, int]:
        """Caddy's version. Raises Unavailable when it does not answer, Invalid when it does not tell (`Admin.version`)."""
        return self._admin.version()

    def routes(self) -> list[Route]:
        """What Caddy runs now for our sites, by site. Raises Unavailable."""
        return routes_of(self._admin.config())

    def ensure_routes(self, routes: Sequence[Route], *, remove: Sequence[str] = ()) -> bool:
        """Let Caddy run exactly these routes for their sites, none for `remove`, and what it has for the others.

        Returns whether Caddy was reloaded. Raises Unavailable when it does not answer; Conflict for a domain that
        another site has; Failed with Caddy's words when it refuses: then the old configuration keeps running.
        """
        with self._lock():
            running = self._admin.config()
            config = self._wanted(running, routes, remove)
            if config != running:
                self._load(config)
                return True
            self._keep(config)
            return False

    def switch(self, site: str, upstreams: Upstreams) -> Upstreams | None:
        """Send the site's traffic to these addresses from the next request on; returns what was before.

        Raises Failed when the files cannot be written: what served goes on serving.
        """
        return files.swap(self._root, site, upstreams)

    def current(self, site: str) -> Upstreams | None:
        """Whom the traffic goes to, from the files; None before the first switch and while the site is held."""
        return files.current(self._root, site)

    def hold(self, site: str) -> Upstreams | None:
        """Let requests wait for the next `switch`, each for `Route.hold` at most; returns what was before."""
        return files.hold(self._root, site)

    def held(self, site: str) -> bool:
        return files.held(self._root, site)

    def forget(self, site: str) -> None:
        """Remove the site's files. Its route goes by `ensure_routes(remove=…)`, first."""
        files.forget(self._root, site)

    def in_flight(self, addresses: Sequence[str]) -> int:
        """Requests and WebSockets that Caddy has open to these addresses, switched away from or not."""
        wanted = set(addresses)
        return sum(row["num_requests"] for row in self._admin.upstreams() if row["address"] in wanted)

    def drain(self, addresses: Sequence[str], *, timeout: timedelta) -> int:
        """Wait until none is in flight; returns how many were left at the deadline.

        Zero counts when it stays (`QUIET`): a request may have read its upstream just before the switch, uncounted yet.
        """
        deadline = time.monotonic() + timeout.total_seconds()
        quiet = 0
        while True:
            left = self.in_flight(addresses)
            quiet = 0 if left else quiet + 1
            if quiet == QUIET or time.monotonic() >= deadline:
                return left
            time.sleep(POLL)

    def fetch(self, route: Route, path: str, *, timeout: timedelta, method: str = "GET") -> Answer:
        """One request through Caddy with the site's host name, and TLS without verification; passes a maintenance page.

        Raises Unavailable when Caddy does not answer, Failed when the site does not within `timeout`.
        """
        ports = (self._settings.http_port, self._settings.https_port)
        return fetch.fetch(route, path, method=method, timeout=timeout, ports=ports, token=token_of(self._settings))

    def certificate(self, domain: str) -> Certificate:
        """Raises NotFound while Caddy has none for the domain, Unavailable when it does not answer."""
        return fetch.certificate(domain, self._settings.https_port)

    def maintenance(self, site: str, page: str | None) -> None:
        """Answer 503 with this HTML page; None: serve the site again. No reload."""
        files.set_maintenance(self._root, site, page)

    def maintained(self, site: str) -> str | None:
        return files.maintained(self._root, site)

    def _wanted(self, running: Json | None, routes: Sequence[Route], remove: Sequence[str]) -> Json:
        frame = frame_of(self._settings)
        base = (running or {}) if self._settings.caddy_admin else bare(frame)
        # Read without those that go or change: one that was altered by hand is mended by putting it again.
        staying = routes_of(running, skip={*remove, *(route.site for route in routes)})
        return install(base, merge(staying, routes, remove), frame)

    def _load(self, config: Json) -> None:
        """The file comes first, so that a full disk is met before Caddy has changed."""
        following = self._directory / f"{CONFIG_FILE}.next"
        if not self._settings.caddy_admin:
            _write(following, rendered(config))
        try:
            refusal = self._admin.load(rendered(config))
            if refusal:
                words = redact(refusal, [token_of(self._settings)])
                raise Failed(f"Caddy refuses the configuration and keeps the old one: {words}", hint="vpsctl proxy show")
        except BaseException:
            following.unlink(missing_ok=True)
            raise
        if not self._settings.caddy_admin:
            os.replace(following, self._directory / CONFIG_FILE)

    def _keep(self, config: Json) -> None:
        """The file may lag behind when vpsctl was killed between the load and the rename."""
        path = self._directory / CONFIG_FILE
        data = rendered(config)
        if not self._settings.caddy_admin and (not path.exists() or path.read_bytes() != data):
            _write(path, data)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        """Alone among the processes of this installation; the lock dies with its owner."""
        deadline = time.monotonic() + LOCK_TIMEOUT
        with _opened_lock(self._settings.home / "proxy.lock") as handle:
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError as error:
                    if time.monotonic() >= deadline:
                        raise Conflict("another vpsctl is changing Caddy's routes", hint="try again in a moment") from error
                    time.sleep(POLL)
            yield


def initial_config(settings: Settings) -> bytes:
    """The configuration the foundation's Caddy starts with: no site, its admin API on the socket in `{home}/proxy`."""
    frame = frame_of(settings)
    return rendered(install(bare(frame), [], frame))


def token_of(settings: Settings) -> Secret:
    """What marks our own requests to a site, made on first use in `{home}/proxy-token` (0600)."""
    path = settings.home / "proxy-token"
    try:
        if not path.exists():
            private_file.write_new(path, secrets.token_urlsafe(32).encode() + b"\n")
    except OSError as error:
        raise Failed(f"cannot write {path}: {error.strerror or error}", hint="run it as root, after vpsctl init") from error
    return Secret(private_file.read(path, "proxy token").decode().strip())


def frame_of(settings: Settings) -> Frame:
    return Frame(
        token=token_of(settings),
        https_port=settings.https_port,
        acme_email=settings.acme_email,
        acme_ca=settings.acme_ca,
        acme_root=(settings.home / "proxy" / "acme-root.pem").exists(),
    )


def rendered(config: Json) -> bytes:
    return json.dumps(config, indent=1).encode() + b"\n"


def _write(path: Path, data: bytes) -> None:
    try:
        files.write_file(path, data, mode=0o600)
    except OSError as error:
        raise Failed(f"cannot write {path}: {error.strerror or error}", hint="vpsctl doctor") from error


@contextmanager
def _opened_lock(path: Path) -> Iterator[int]:
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise Failed(f"cannot open {path}: {error.strerror or error}", hint="vpsctl init") from error
    try:
        yield handle
    finally:
        os.close(handle)
