"""A lock in a file that dies with the processes that hold it: for what the machine does one at a time."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from vpsctl.errors import Conflict, Failed

_POLL_SECONDS = 0.1


@contextmanager
def hold_lock(path: Path, what: str, *, timeout: timedelta, on_wait: Callable[[str], None]) -> Iterator[int]:
    """Holds the lock while the block runs and yields its descriptor: a child that inherits it holds the lock too.

    `what` is told to those who wait, through their `on_wait`, once. Raises Conflict after
    `timeout`, Failed on a full disk.
    """
    with _written(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _wait(descriptor, time.monotonic() + timeout.total_seconds(), on_wait)
        with _written(path):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{what} (process {os.getpid()})".encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _written(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Failed(f"cannot write {path}: {error.strerror}", hint="vpsctl doctor shows the disk") from error


def _wait(descriptor: int, deadline: float, on_wait: Callable[[str], None]) -> None:
    told = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            holder = os.pread(descriptor, 200, 0).decode(errors="replace") or "another process"
        if not told:
            on_wait(f"waiting for {holder}")
            told = True
        if time.monotonic() >= deadline:
            raise Conflict(f"{holder} still holds it up", hint="vpsctl run list shows what runs; try again when it is done")
        time.sleep(_POLL_SECONDS)
