"""The load of `load`, in a process of its own: keep-alive GETs and POSTs at a fixed rate, and a WebSocket on another site.

Run as a program it sends until its standard input ends, then prints what it saw as JSON. A request is sent once: no
retry hides a connection that was closed under it. Its time counts from when it was due, not from when a late
connection came to send it.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.benchmarks.figures import percentile

BODY = b"a body that comes back" * 10
WHOLE_LIMIT = 30.0
"""Seconds after which an answer that has not come counts as failed."""


@dataclass(frozen=True)
class Plan:
    port: int
    host: str
    socket_host: str
    connections: int
    rate: float
    """Requests a second, over all connections."""


@dataclass
class Seen:
    sent: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    times: list[float] = field(default_factory=list)
    reopened: int = 0
    """Connections that the server closed while no request was on them: nothing is lost by it."""
    echoes: int = 0
    sockets_lost: int = 0
    """WebSockets that were closed under us."""
    stopping: bool = False


@dataclass(frozen=True)
class Summary:
    requests: int
    gets: int
    failed: int
    failed_posts: int
    reasons: dict[str, int]
    p50: float
    p99: float
    slowest: float
    reopened: int
    echoes: int
    sockets_lost: int


async def generate(plan: Plan) -> Summary:
    seen = Seen()
    tasks = [asyncio.create_task(_client(plan, seen, number)) for number in range(plan.connections)]
    tasks.append(asyncio.create_task(_socket(plan, seen)))
    await asyncio.to_thread(sys.stdin.read)
    seen.stopping = True
    await asyncio.gather(*tasks)
    return Summary(
        seen.sent.total(),
        seen.sent["GET"],
        seen.failed.total(),
        seen.failed["POST"],
        dict(seen.reasons),
        percentile(seen.times, 0.5),
        percentile(seen.times, 0.99),
        max(seen.times),
        seen.reopened,
        seen.echoes,
        seen.sockets_lost,
    )


async def _client(plan: Plan, seen: Seen, number: int) -> None:
    """GET and POST in turn on one connection, each when it is due."""
    period = plan.connections / plan.rate
    due = time.monotonic() + period * number / plan.connections
    reader, writer = await _open(plan, seen)
    while not seen.stopping:
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        method = "POST" if seen.sent.total() % 2 else "GET"
        if reader.at_eof():  # closed while idle: any client notices, and opens another
            seen.reopened += 1
            writer.close()
            reader, writer = await _open(plan, seen)
        seen.sent[method] += 1
        reason = await _ask(plan, reader, writer, method)
        seen.times.append(time.monotonic() - due)
        if reason:
            seen.failed[method] += 1
            seen.reasons[reason] += 1
            writer.close()
            reader, writer = await _open(plan, seen)
        due = max(due + period, time.monotonic() - WHOLE_LIMIT)
    writer.close()


async def _open(plan: Plan, seen: Seen) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection; each one that is refused counts as a failed request."""
    while True:
        try:
            return await asyncio.open_connection("127.0.0.1", plan.port)
        except OSError as error:
            seen.sent["GET"] += 1
            seen.failed["GET"] += 1
            seen.reasons[f"connecting: {type(error).__name__}"] += 1
            await asyncio.sleep(0.01)


async def _ask(plan: Plan, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, method: str) -> str:
    """One request; what was wrong with its answer, "" when nothing was."""
    body = BODY if method == "POST" else b""
    head = f"{method} / HTTP/1.1\r\nHost: {plan.host}\r\nContent-Length: {len(body)}\r\n\r\n"
    try:
        async with asyncio.timeout(WHOLE_LIMIT):
            writer.write(head.encode() + body)
            status, answer = await _answer(reader)
    except (OSError, asyncio.IncompleteReadError) as error:
        return type(error).__name__
    if status != 200:
        return f"status {status}"
    return "" if method == "GET" or answer == body else "a wrong body"


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    status = int(head.split(b" ", 2)[1])
    if b"content-length:" in head:
        return status, await reader.readexactly(int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0]))
    body = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):  # chunked, as node answers a body of unknown length
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readexactly(2)
    return status, body


async def _socket(plan: Plan, seen: Seen) -> None:
    """A WebSocket on another site, that is asked ten times a second; opened again when it is lost."""
    while not seen.stopping:
        async with connect(
            f"ws://{plan.socket_host}:{plan.port}/", host="127.0.0.1", proxy=None, close_timeout=1, ping_interval=None
        ) as socket:
            try:
                await _echo(socket, seen)
            except ConnectionClosed:
                seen.sockets_lost += 1


async def _echo(socket: ClientConnection, seen: Seen) -> None:
    while not seen.stopping:
        await socket.send(str(seen.echoes))
        if await socket.recv() != str(seen.echoes):
            raise AssertionError("the WebSocket answered something else")
        seen.echoes += 1
        await asyncio.sleep(0.1)


if __name__ == "__main__":
    port, host, socket_host, connections, rate = sys.argv[1:]
    plan = Plan(int(port), host, socket_host, int(connections), float(rate))
    print(json.dumps(asdict(asyncio.run(generate(plan)))))
