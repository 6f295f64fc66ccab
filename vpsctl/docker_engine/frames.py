"""The Engine's stream of stdout and stderr: frames of eight bytes of header and a payload, or raw for a terminal."""

import struct
from collections.abc import Iterator
from typing import Literal

import requests

Stream = Literal["stdout", "stderr"]
CHUNK = 65_536


def read_frames(response: requests.Response) -> Iterator[tuple[Stream, bytes]]:
    """Each frame as it comes. An Engine that dies leaves a frame cut short: ConnectionError."""
    while header := _exactly(response, 8):
        kind, length = struct.unpack(">BxxxL", header)
        payload = _exactly(response, length)
        if len(payload) < length:
            raise ConnectionError("the stream ended inside a frame")
        yield ("stderr" if kind == 2 else "stdout"), payload


def read_raw(response: requests.Response) -> Iterator[tuple[Stream, bytes]]:
    """What a container with a terminal says, as it comes: one stream, no frames."""
    while payload := response.raw.read1(CHUNK):
        yield "stdout", payload


def _exactly(response: requests.Response, length: int) -> bytes:
    """`length` bytes, or fewer at the end of the stream."""
    found = bytearray()
    while len(found) < length:
        part = response.raw.read(length - len(found))
        if not part:
            break
        found += part
    return bytes(found)
