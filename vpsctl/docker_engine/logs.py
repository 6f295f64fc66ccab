"""The logs of a container, line by line, and the Engine's events."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from vpsctl.docker_engine.connection import ANSWER_SECONDS, Connection, label_filters
from vpsctl.docker_engine.decode import decode_time
from vpsctl.docker_engine.frames import Stream, read_frames, read_raw
from vpsctl.docker_engine.images import read_messages
from vpsctl.docker_engine.types import LogLine


class Logs(Connection):
    """What containers say and what happens to them. The iterators are generators: `close()` one to end it early."""

    def logs(
        self, ref: str, *, tail: int | None = None, since: datetime | None = None, follow: bool = False
    ) -> Iterator[LogLine]:
        """Lines from the oldest on, the last `tail` of them, from `since` on; `follow` goes on until the container stops.

        Raises NotFound at once, not at the first line.
        """
        with self.asking("container", ref) as api:
            tty: bool = api.inspect_container(ref)["Config"]["Tty"]
        query: dict[str, Any] = {"stdout": 1, "stderr": 1, "timestamps": 1, "follow": int(follow)}
        query["tail"] = "all" if tail is None else tail
        if since is not None:
            query["since"] = _seconds(since)
        return self._lines(ref, tty, query)

    def _lines(self, ref: str, tty: bool, query: dict[str, Any]) -> Iterator[LogLine]:
        timeout = None if query["follow"] else ANSWER_SECONDS
        with (
            self.asking("container", ref),
            self.streaming("GET", f"/containers/{ref}/logs", params=query, timeout=timeout) as response,
        ):
            if tty:
                yield from _join(_split(read_raw(response)))
            else:
                yield from _join(read_frames(response))

    def events(self, *, labels: Mapping[str, str], since: datetime | None = None) -> Iterator[dict[str, Any]]:
        """The Engine's own documents on what happens to containers with these labels, for as long as one listens.

        From `since`, if it still knows (it keeps a few hundred), else from now.
        """
        query: dict[str, Any] = {"filters": json.dumps(label_filters(labels, type=["container"]))}
        if since is not None:
            query["since"] = _seconds(since)
        with self.asking(), self.streaming("GET", "/events", params=query, timeout=None) as response:
            yield from read_messages(response)


def _seconds(moment: datetime) -> str:
    return f"{moment.timestamp():.6f}"


def _split(chunks: Iterator[tuple[Stream, bytes]]) -> Iterator[tuple[Stream, bytes]]:
    """Chunks cut anywhere as lines, each with its end; the last may lack it."""
    rest = b""
    for stream, chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield stream, line + b"\n"
    if rest:
        yield "stdout", rest


def _join(entries: Iterator[tuple[Stream, bytes]]) -> Iterator[LogLine]:
    """Log lines from log entries: the Engine cuts a line over 16 KiB into several, each with a timestamp of its own."""
    begun: dict[Stream, LogLine] = {}
    for stream, entry in entries:
        stamp, _, text = entry.decode(errors="replace").partition(" ")
        before = begun.pop(stream, None) or LogLine(decode_time(stamp), stream, "")
        line = LogLine(before.at, stream, before.text + text.removesuffix("\n").removesuffix("\r"))
        if text.endswith("\n"):
            yield line
        else:
            begun[stream] = line
    yield from begun.values()
