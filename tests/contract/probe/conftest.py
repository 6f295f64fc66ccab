"""What credentials are tried on: real servers, pages behind a password, and sockets that never answer."""

import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.contract.probe.pages import Site


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Accepts connections, in its backlog, and never says a word."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=8)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def site() -> Iterator[Site]:
    with closing(Site()) as site:
        yield site
