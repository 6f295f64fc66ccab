"""A site's applications in one container, each on a port of its own (8001 to 8006) and named by it.

Port 8000 commands them: `/close/PORT` ends one as a stopped container ends, `/open/PORT` starts it, `/release` lets the
requests to `/wait` go. `/headers` answers with the headers that arrived; an upgrade is answered with a WebSocket echo.
"""

import base64
import hashlib
import json
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

GATE = threading.Event()
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Application(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, *args):
        """Nothing."""

    def do_GET(self):
        if self.headers.get("Upgrade") == "websocket":
            self.echo()
            return
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if self.path == "/wait":
            GATE.wait(20)
        found = (
            dict(self.headers.items()) if self.path == "/headers" else {"port": self.server.server_port, "body": len(body)}
        )
        data = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_POST = do_GET

    def echo(self):
        """Frames under 126 bytes."""
        accept = base64.b64encode(hashlib.sha1((self.headers["Sec-WebSocket-Key"] + GUID).encode()).digest()).decode()
        self.send_response(101)
        for name, value in (("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept)):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.flush()
        self.close_connection = True
        while len(head := self.rfile.read(2)) == 2:
            mask = self.rfile.read(4)
            data = bytes(byte ^ mask[index % 4] for index, byte in enumerate(self.rfile.read(head[1] & 127)))
            self.wfile.write(bytes([head[0], len(data)]) + data)
            self.wfile.flush()
            if head[0] & 15 == 8:  # a close is answered and ends it
                return


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, port):
        self.connections = set()
        super().__init__(("", port), Application)
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def process_request(self, request, address):
        self.connections.add(request)
        super().process_request(request, address)

    def end(self):
        """As the kernel ends a process that exits: its connections are cut, and new ones refused."""
        self.shutdown()
        self.server_close()
        for connection in list(self.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


class Command(BaseHTTPRequestHandler):
    def log_message(self, *args):
        """Nothing."""

    def do_GET(self):
        _, verb, *port = self.path.split("/")
        if verb == "open" and int(port[0]) not in SERVERS:
            SERVERS[int(port[0])] = Server(int(port[0]))
        elif verb == "close":
            SERVERS.pop(int(port[0])).end()
        elif verb == "release":
            GATE.set()
        elif verb == "gate":
            GATE.clear()
        self.send_response(200)
        self.end_headers()


SERVERS = {port: Server(port) for port in range(8001, 8007)}
sys.stdout.write("ready\n")
ThreadingHTTPServer(("", 8000), Command).serve_forever()
