"""A way to the engine that can be cut: what `systemctl stop docker` looks like to a command that is under way."""

import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from vpsctl.app import App

CHUNK = 65536


class Forwarder:
    """A Unix socket that passes every connection on to another one, until it is cut."""

    def __init__(self, target: str, path: Path) -> None:
        self._target, self._path = target, path
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(64)
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def cut(self) -> None:
        """Every connection breaks, and no new one is taken."""
        self._path.unlink(missing_ok=True)
        for item in (self._listener, *self._open):
            with suppress(OSError):
                item.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.cut()
        for thread in self._threads:
            thread.join()
        for item in (self._listener, *self._open):
            item.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._target)
            self._open += [client, server]
            for source, sink in ((client, server), (server, client)):
                thread = threading.Thread(target=_pass_on, args=(source, sink), daemon=True)
                self._threads.append(thread)
                thread.start()


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(CHUNK):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


@contextmanager
def cut_off_engine(app: App) -> Iterator[tuple[App, Callable[[], None]]]:
    """The same installation by way of a socket, and what cuts it."""
    directory = Path(tempfile.mkdtemp(prefix="vt-cut-"))
    forwarder = Forwarder(app.settings.docker_host.removeprefix("unix://"), directory / "docker.sock")
    try:
        with App(replace(app.settings, docker_host=f"unix://{directory / 'docker.sock'}"), app.actor) as cuttable:
            yield cuttable, forwarder.cut
    finally:
        forwarder.close()
        shutil.rmtree(directory)
