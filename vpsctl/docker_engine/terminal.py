"""This process's terminal lent to a command elsewhere: raw mode, its input, its size."""

import os
import select
import signal
import socket
import termios
import threading
import tty
from collections.abc import Callable
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any, Self

from vpsctl.errors import VpsctlError

STDIN = 0
CHUNK = 65_536
QUIT = b"q"
RESIZE = b"r"
RESIZE_TRIES = 50
RETRY_SECONDS = 0.02
END_OF_TRANSMISSION = b"\x04"


class Terminal:
    """Copies stdin to a socket in a thread, and reports the window's size; leaving it restores everything."""

    def __init__(self, *, raw: bool, resize: Callable[[int, int], None]) -> None:
        self._raw = raw
        self._resize = resize
        self._settings: list[Any] | None = None
        self._handler: Any = None
        self._wire: socket.socket | None = None
        self._pump: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._waking, self._wake = os.pipe()
        if self._raw and os.isatty(STDIN):
            self._settings = termios.tcgetattr(STDIN)
            tty.setraw(STDIN)
        if self._raw and threading.current_thread() is threading.main_thread():
            self._handler = signal.signal(signal.SIGWINCH, self._resized)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._settings is not None:
            termios.tcsetattr(STDIN, termios.TCSADRAIN, self._settings)
        if self._handler is not None:
            signal.signal(signal.SIGWINCH, self._handler)
        os.write(self._wake, QUIT)
        if self._wire is not None and self._pump is not None:
            with suppress(OSError):
                self._wire.shutdown(socket.SHUT_RDWR)
            self._pump.join()
            self._wire.close()
        os.close(self._waking)
        os.close(self._wake)

    def connect(self, wire: socket.socket) -> None:
        """Start copying stdin to `wire`, which is closed on leaving."""
        self._wire = wire
        self._pump = threading.Thread(target=self._copy, args=(wire,), name="terminal-input", daemon=True)
        self._pump.start()
        if self._raw:
            os.write(self._wake, RESIZE)

    def _resized(self, number: int, _frame: FrameType | None) -> None:
        # Only a word to the thread: a signal handler that asks the Engine could meet a lock its own thread holds.
        os.write(self._wake, RESIZE)

    def _copy(self, wire: socket.socket) -> None:
        sources = [self._waking, STDIN]
        tries = 0
        while True:
            ready, _, _ = select.select(sources, [], [], RETRY_SECONDS if tries else None)
            if self._waking in ready:
                if QUIT in os.read(self._waking, CHUNK):
                    return
                tries = RESIZE_TRIES
            if STDIN in ready and not self._forward(wire):
                sources.remove(STDIN)
            if tries:
                tries = 0 if self._told_size() else tries - 1

    def _told_size(self) -> bool:
        """False while the command has not begun, which is a little after the Engine says so; or when it has ended."""
        try:
            # Not shutil's: that one believes a stale $COLUMNS.
            size = os.get_terminal_size(STDIN)
        except OSError:
            return True
        try:
            self._resize(size.lines, size.columns)
        except VpsctlError:
            return False
        return True

    def _forward(self, wire: socket.socket) -> bool:
        """One piece of stdin; False at its end, or when the other side no longer listens."""
        with suppress(OSError):
            data = os.read(STDIN, CHUNK)
            if data:
                wire.sendall(data)
                return True
            if self._raw:
                # A terminal has no end but this character; to close the connection would lose what it still shows.
                wire.sendall(END_OF_TRANSMISSION)
            else:
                wire.shutdown(socket.SHUT_WR)
        return False


def show(stream: str, payload: bytes) -> None:
    """Write to this process's stdout or stderr, unbuffered."""
    descriptor = 2 if stream == "stderr" else 1
    while payload:
        payload = payload[os.write(descriptor, payload) :]
