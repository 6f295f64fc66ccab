"""Caddy's admin API: one connection for each call, over its unix socket or a URL."""

import http.client
import json
import os
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from vpsctl.errors import Invalid, Unavailable

SOCKET_PATH_LIMIT = 107
"""Bytes in `sockaddr_un.sun_path` without the closing zero (unix(7))."""
CALL_TIMEOUT = 10.0
LOAD_TIMEOUT = 60.0
"""Seconds; a load of 500 sites takes 0.6 to 1.0 s."""


@dataclass(frozen=True)
class Admin:
    """Where Caddy is administered: `unix/` and the socket's path, or `http://host:port`."""

    address: str

    def config(self) -> Any:
        """The configuration that runs; None when there is none. Raises Unavailable."""
        return self._json("GET", "/config/")

    def load(self, config: bytes) -> str:
        """Replace the whole configuration; returns Caddy's words when it refuses and keeps the old one, else nothing."""
        status, body = self._call("POST", "/load", config, timeout=LOAD_TIMEOUT)
        return "" if status == 200 else _words(body) or f"status {status}"

    def upstreams(self) -> list[dict[str, Any]]:
        """What Caddy proxies to: `address` and `num_requests` in flight, for each slot and each real address."""
        answer: list[dict[str, Any]] = self._json("GET", "/reverse_proxy/upstreams")
        return answer

    def version(self) -> tuple[int, int, int]:
        """Caddy's version, which its API tells nowhere but in the module paths of a stack trace.

        Raises Invalid for a build without them, as distributions make (Debian's 2.6.2).
        """
        status, body = self._call("GET", "/debug/pprof/goroutine?debug=2", None, timeout=CALL_TIMEOUT)
        found = re.search(rb"/caddy/v2@v(\d+\.\d+\.\d+)", body) if status == 200 else None
        if not found:
            hint = "use caddy:2-alpine or a release of caddyserver.com: vpsctl init"
            raise Invalid(f"the Caddy at {self.address} does not tell its version: it is a distribution's build", hint=hint)
        return version_from(found[1].decode())

    def _json(self, method: str, path: str) -> Any:
        status, body = self._call(method, path, None, timeout=CALL_TIMEOUT)
        if status != 200:
            raise Unavailable(f"Caddy answers {method} {path} with {status}: {_words(body)}", hint="vpsctl doctor")
        try:
            return json.loads(body)
        except ValueError as error:
            raise Unavailable(
                f"Caddy answers {method} {path} with something that is not JSON", hint="vpsctl doctor"
            ) from error

    def _call(self, method: str, path: str, body: bytes | None, *, timeout: float) -> tuple[int, bytes]:
        connection = _connection(self.address, timeout)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json", "Connection": "close"})
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise Unavailable(f"cannot reach Caddy's admin API at {self.address}: {reason}", hint="vpsctl doctor") from error
        finally:
            connection.close()


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket, whatever the length of its path."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        if len(os.fsencode(self.path)) <= SOCKET_PATH_LIMIT:
            self.sock.connect(str(self.path))
            return
        directory = os.open(self.path.parent, os.O_PATH | os.O_DIRECTORY)
        try:
            self.sock.connect(f"/proc/self/fd/{directory}/{self.path.name}")
        finally:
            os.close(directory)


def version_from(text: str) -> tuple[int, int, int]:
    """The version in the output of `caddy version`, such as `v2.11.7 h1:yj0Y…`. Raises Invalid when there is none."""
    found = re.match(r"v?(\d+)\.(\d+)\.(\d+)", text.strip())
    if not found:
        raise Invalid(f"{text.strip()[:60]!r} is not a version of Caddy", hint="caddy version")
    major, minor, patch = (int(part) for part in found.groups())
    return major, minor, patch


def _connection(address: str, timeout: float) -> http.client.HTTPConnection:
    if address.startswith("unix/"):
        return UnixConnection(Path("/" + address.removeprefix("unix/").lstrip("/")), timeout)
    url = urlsplit(address)
    if url.scheme != "http" or not url.hostname or url.path not in ("", "/"):
        hint = "http://host:port, or unix//path of its socket"
        raise Invalid(f"caddy_admin: {address!r} is not the address of an admin API", hint=hint)
    return http.client.HTTPConnection(url.hostname, url.port or 80, timeout=timeout)


def _words(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"])
    except (ValueError, LookupError, TypeError):
        return body.decode(errors="replace").strip()[:500]
