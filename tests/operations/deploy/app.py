"""A web app for the tests of deploying: what it answers, how it starts and how it ends is set by its environment."""

import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

VERSION = os.environ.get("VERSION", "1")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path == "/healthz":
            self.health()
        elif url.path == "/slow":
            time.sleep(float(parse_qs(url.query)["seconds"][0]))
            self.answer(200, f"slow {VERSION}")
        elif url.path == "/environment":
            self.answer(200, os.environ.get(parse_qs(url.query)["name"][0], "(not set)"))
        else:
            self.answer(200, VERSION)

    def do_POST(self) -> None:
        self.answer(200, self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode())

    def health(self) -> None:
        mode = os.environ.get("HEALTH", "200")
        if mode == "never":
            time.sleep(3600)
        location = {"Location": "/login"} if mode == "301" else {}
        self.answer(int(mode), "health", location)

    def answer(self, status: int, text: str, headers: dict[str, str] | None = None) -> None:
        body = text.encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        return


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


if os.environ.get("CRASH"):
    print("cannot find the configuration", os.environ.get("PASSWORD", ""), flush=True)
    sys.exit(7)
time.sleep(float(os.environ.get("BOOT") or 0))
if os.environ.get("EXIT_AFTER"):
    threading.Timer(float(os.environ["EXIT_AFTER"]), lambda: os._exit(9)).start()
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # as most apps do: at once, whatever is in flight
print(f"version {VERSION} listens", flush=True)
Server(("", 8000), Handler).serve_forever()
