"""A pseudo-terminal with a process on it, for what is only so on a terminal."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from contextlib import suppress


class Screen:
    """The process has it as its controlling terminal: a typed ^C interrupts it."""

    def __init__(self, argv: list[str], environment: dict[str, str] | None = None) -> None:
        self.master, follower = pty.openpty()
        self.resize(30, 90)
        self.before = termios.tcgetattr(follower)
        self.follower = follower
        self.process = subprocess.Popen(
            ["setsid", "--ctty", *argv],
            stdin=follower,
            stdout=follower,
            stderr=follower,
            env=environment,
        )
        self.seen = b""

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def expect(self, text: str, seconds: float = 15) -> None:
        deadline = time.monotonic() + seconds
        while text.encode() not in self.seen:
            ready, _, _ = select.select([self.master], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"no {text!r} on the screen, but {self.seen!r}"
            self.seen += os.read(self.master, 65_536)

    def end(self, seconds: float = 30) -> tuple[int, str]:
        """The process's exit code, and all that stood on the screen."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"it goes on: {self.seen!r}"
            self._read(0.05)
        self._read(0)
        return self.process.returncode, self.seen.decode(errors="replace")

    def _read(self, seconds: float) -> None:
        while select.select([self.master], [], [], seconds)[0]:
            self.seen += os.read(self.master, 65_536)
            seconds = 0

    def close(self) -> None:
        with suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.follower)
