"""Commands inside a running container: with captured output, or wired to this process's terminal."""

import socket
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from types import MappingProxyType
from typing import Any

import requests

from vpsctl.docker_engine.connection import Connection, duplicate_socket
from vpsctl.docker_engine.encode import encode_environment
from vpsctl.docker_engine.frames import Stream, read_frames, read_raw
from vpsctl.docker_engine.refusals import shorten
from vpsctl.docker_engine.terminal import Terminal, show
from vpsctl.docker_engine.types import ExecResult
from vpsctl.errors import Failed, NotFound
from vpsctl.secret import Secret

NOTHING: Mapping[str, str | Secret] = MappingProxyType({})
CODE_SECONDS = 10.0
"""How long after the end of its output a command may take to have an exit code."""


class Execs(Connection):
    """Running commands in containers, by argument lists: no shell unless the caller names one."""

    def exec(
        self,
        ref: str,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str | Secret] = NOTHING,
        user: str | None = None,
        workdir: str | None = None,
        stdin: bytes | None = None,
    ) -> ExecResult:
        """Run a command to its end. No limit on its time: give the command one of its own, as `timeout 30 …`.

        The exit code is read after the output: a container that is killed meanwhile ends the output without an error,
        and only its 137 tells. 126 and 127: the command cannot be executed, does not exist. Raises Conflict when the
        container does not run, Failed when it vanished.
        """
        options = {"environment": encode_environment(environment), "user": user or "", "workdir": workdir}
        made = self._made(ref, argv, stdin=stdin is not None, **options)
        with self._started(ref, made, tty=False) as response, _feeding(response, stdin):
            output = b"".join(payload for _, payload in read_frames(response))
        return ExecResult(self._exit_code(ref, made), output.decode(errors="replace"))

    def exec_terminal(
        self, ref: str, argv: Sequence[str], *, user: str | None = None, workdir: str | None = None, tty: bool
    ) -> int:
        """Run a command on this process's stdin and stdout (raw, when `tty`), and return its exit code.

        The terminal's settings are put back whatever happens. Raises as `exec`.
        """
        made = self._made(ref, argv, stdin=True, tty=tty, user=user or "", workdir=workdir)
        with Terminal(raw=tty, resize=lambda rows, columns: self._resize(ref, made, rows, columns)) as terminal:
            with closing(self._output(ref, made, tty, terminal)) as output:
                for stream, payload in output:
                    show(stream, payload)
            return self._exit_code(ref, made)

    def _output(self, ref: str, made: str, tty: bool, terminal: Terminal) -> Generator[tuple[Stream, bytes], None, None]:
        """A generator, so that a stdout of ours that is closed is not taken for the Engine's failure."""
        with self._started(ref, made, tty=tty) as response:
            terminal.connect(duplicate_socket(response))
            yield from read_raw(response) if tty else read_frames(response)

    def _made(self, ref: str, argv: Sequence[str], **options: Any) -> str:
        with self.asking("container", ref) as api:
            made: str = api.exec_create(ref, list(argv), **options)["Id"]
            return made

    @contextmanager
    def _started(self, ref: str, made: str, *, tty: bool) -> Iterator[requests.Response]:
        # Without the SDK's `Upgrade` header the answer is plain HTTP that ends with the connection: nothing that came
        # with the headers is lost, as it is when one reads the bare socket (docker-py#3332).
        body = {"Detach": False, "Tty": tty}
        with (
            self.asking("container", ref),
            self.streaming("POST", f"/exec/{made}/start", json=body, timeout=None) as response,
        ):
            yield response

    def _resize(self, ref: str, made: str, rows: int, columns: int) -> None:
        with self.asking("container", ref) as api:
            api.exec_resize(made, height=rows, width=columns)

    def _exit_code(self, ref: str, made: str) -> int:
        until = time.monotonic() + CODE_SECONDS
        pause = 0.002
        try:
            while True:
                with self.asking("container", ref) as api:
                    state = api.exec_inspect(made)
                if not state["Running"] and state["ExitCode"] is not None:
                    return int(state["ExitCode"])
                if time.monotonic() > until:
                    break
                time.sleep(pause)
                pause = min(pause * 2, 0.25)
        except NotFound as error:
            raise Failed(f"container {shorten(ref)} was removed while a command ran in it", hint="start it again") from error
        raise Failed(f"a command in container {shorten(ref)} closed its output and runs on", hint="see vpsctl container top")


@contextmanager
def _feeding(response: requests.Response, stdin: bytes | None) -> Iterator[None]:
    """Send stdin and close it, in a thread: a command that answers before it has read all would block us both."""
    if stdin is None:
        yield
        return
    with duplicate_socket(response) as wire:
        thread = threading.Thread(target=_send, args=(wire, stdin), name="exec-stdin", daemon=True)
        thread.start()
        try:
            yield
        finally:
            with suppress(OSError):
                wire.shutdown(socket.SHUT_RDWR)
            thread.join()


def _send(wire: socket.socket, stdin: bytes) -> None:
    # A command may end without reading its input: that is for its exit code to tell.
    with suppress(OSError):
        wire.sendall(stdin)
        wire.shutdown(socket.SHUT_WR)
