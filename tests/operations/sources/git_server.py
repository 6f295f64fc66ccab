"""A git repository served over http by git's own `http-backend`, open or behind a token, and one that never answers."""

import base64
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


@dataclass
class GitServer:
    url: str
    users: list[str] = field(default_factory=list)
    """The user names that came with the right token."""
    hold: threading.Event = field(default_factory=threading.Event)
    """While it is not set, the data of a fetch stops half way."""
    stopped_half_way: threading.Event = field(default_factory=threading.Event)


@contextmanager
def serve(root: Path, *, token: str | None = None) -> Iterator[GitServer]:
    server = _Server(root, token)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.served
    finally:
        server.served.hold.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    def __init__(self, root: Path, token: str | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.root, self.token = root, token
        self.served = GitServer(f"http://127.0.0.1:{self.server_port}")
        self.served.hold.set()


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if self._allowed():
            self._relay(subprocess.run(["git", "http-backend"], input=body, env=self._cgi(), capture_output=True).stdout)
            return
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="git"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _allowed(self) -> bool:
        if self.server.token is None:
            return True
        kind, _, coded = self.headers.get("Authorization", "").partition(" ")
        user, _, given = base64.b64decode(coded).decode().partition(":")
        if kind != "Basic" or given != self.server.token:
            return False
        self.server.served.users.append(user)
        return True

    def _cgi(self) -> dict[str, str]:
        path, _, query = self.path.partition("?")
        return {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.server.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }

    def _relay(self, output: bytes) -> None:
        head, _, body = output.partition(b"\r\n\r\n")
        headers = BytesParser().parsebytes(head)
        self.send_response(int(headers.get("Status", "200").split()[0]))
        self.send_header("Content-Type", headers["Content-Type"])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        served = self.server.served
        middle = len(body) // 2 if not served.hold.is_set() and b"PACK" in body else len(body)
        try:
            self.wfile.write(body[:middle])
            self.wfile.flush()
            if middle < len(body):
                served.stopped_half_way.set()
                served.hold.wait(30)
            self.wfile.write(body[middle:])
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client was killed, which is what the test is about
