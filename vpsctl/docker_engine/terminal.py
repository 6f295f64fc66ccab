"""This process's terminal lent to a command elsewhere: raw mode, its input, its size."""

import os
import select
import shutil
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

    def _resized(self, number: int, frame: FrameType | None) -> None:
        # Only a word to the thread: a signal handler that asks the Engine could meet a lock its own thread holds.
        os.write(self._wake, RESIZE)

    def _copy(self, wire: socket.socket) -> None:
        sources = [self._waking, STDIN]
        while True:
            ready, _, _ = select.select(sources, [], [])
            if self._waking in ready:
                if QUIT in os.read(self._waking, CHUNK):
                    return
                self._tell_size()
            elif not _forward(wire):
                sources.remove(STDIN)

    def _tell_size(self) -> None:
        size = shutil.get_terminal_size()
        # The command may have ended meanwhile, and with it what there is to resize; its exit code tells the rest.
        with suppress(VpsctlError):
            self._resize(size.lines, size.columns)


def _forward(wire: socket.socket) -> bool:
    """One piece of stdin; False at its end, or when the other side no longer listens."""
    try:
        data = os.read(STDIN, CHUNK)
        if data:
            wire.sendall(data)
        else:
            wire.shutdown(socket.SHUT_WR)
        return bool(data)
    except OSError:
        return False


def show(stream: str, payload: bytes) -> None:
    """Write to this process's stdout or stderr, unbuffered."""
    descriptor = 2 if stream == "stderr" else 1
    while payload:
        payload = payload[os.write(descriptor, payload) :]
