"""A small HTTP server that keeps what it was asked, and answers as the test says."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: Mapping[str, str]
    body: str = ""


@dataclass(frozen=True)
class Page:
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""


class Site:
    """Answers each request with `answer(asked)`."""

    def __init__(self, answer: Callable[[Asked], Page] = lambda asked: Page()) -> None:
        self.answer = answer
        self.asked: list[Asked] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                asked = Asked(self.command, self.path, headers, self.rfile.read(length).decode())
                site.asked.append(asked)
                page = site.answer(asked)
                self.send_response(page.status)
                for name, value in {**page.headers, "Content-Length": str(len(page.body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(page.body.encode())

            do_POST = do_GET

            def log_message(self, format: str, *args: object) -> None:
                """Nothing on stderr."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
