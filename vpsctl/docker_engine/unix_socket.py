"""HTTP over the Engine's unix socket, mending one fault of the SDK's: it forgets a socket that could not connect."""

import socket
from typing import Any

from docker.transport import UnixHTTPAdapter
from docker.transport.unixconn import UnixHTTPConnection, UnixHTTPConnectionPool


class _ClosingConnection(UnixHTTPConnection):
    def connect(self) -> None:
        wire = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            wire.settimeout(self.timeout)
            wire.connect(self.unix_socket)
        except BaseException:
            wire.close()
            raise
        self.sock = wire


class _ClosingPool(UnixHTTPConnectionPool):
    def _new_conn(self) -> Any:
        return _ClosingConnection(self.base_url, self.socket_path)


class ClosingAdapter(UnixHTTPAdapter):
    """The SDK's adapter with connections that close what they opened in vain (a ResourceWarning otherwise)."""

    def get_connection(self, url: str | bytes, proxies: object = None) -> UnixHTTPConnectionPool:
        with self.pools.lock:
            pool: UnixHTTPConnectionPool | None = self.pools.get(url)
            if pool is None:
                pool = _ClosingPool(str(url), self.socket_path, self.timeout, maxsize=self.max_pool_size)
                self.pools[url] = pool
            return pool
