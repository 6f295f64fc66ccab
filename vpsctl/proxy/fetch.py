"""Asking a site from this host, through the port that Caddy publishes: what answers, and with which certificate."""

import http.client
import socket
import ssl
import time
from datetime import timedelta

from vpsctl.errors import Failed, NotFound, Unavailable
from vpsctl.proxy.config import MARK_HEADER, UPSTREAM_HEADER
from vpsctl.proxy.types import Answer, Certificate, Route
from vpsctl.secret import Secret

HOST = "127.0.0.1"
BODY_LIMIT = 64 << 10
"""Bytes of the answer that are read: enough to let an ordinary page end, and no download."""
HANDSHAKE_TIMEOUT = 5.0


def fetch(route: Route, path: str, *, method: str, timeout: timedelta, ports: tuple[int, int], token: Secret) -> Answer:
    """One request to the first domain of the route; `ports` are those of HTTP and HTTPS. Redirects are not followed.

    Raises Unavailable when Caddy does not answer, Failed when the site does not within `timeout`.
    """
    domain = asked(route)
    started = time.monotonic()
    deadline = started + timeout.total_seconds()
    connection, secure = _open(route, domain, ports, deadline)
    try:
        headers = {"Host": domain, MARK_HEADER: token.reveal(), "User-Agent": "vpsctl", "Connection": "close"}
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        elapsed = timedelta(seconds=time.monotonic() - started)
        _read_out(response, deadline)
        return Answer(response.status, response.headers.get(UPSTREAM_HEADER, ""), elapsed, secure)
    except TimeoutError as error:
        seconds = timeout.total_seconds()
        raise Failed(
            f"{domain} did not answer {method} {path} within {seconds:g} s", hint=f"vpsctl logs {route.site}"
        ) from error
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(f"Caddy broke off {method} {path} of {domain}: {error!r}", hint="vpsctl doctor") from error
    finally:
        connection.close()


def asked(route: Route) -> str:
    """The host name to ask for; a wildcard stands for any."""
    return route.domains[0].replace("*", "vpsctl", 1)


def certificate(domain: str, https_port: int) -> Certificate:
    """What Caddy presents for the domain. Raises NotFound while there is none, Unavailable when Caddy does not answer."""
    try:
        with _handshake(domain, _dial(https_port, HANDSHAKE_TIMEOUT)) as sock:
            der = sock.getpeercert(binary_form=True)
    except ssl.SSLError as error:
        raise NotFound(
            f"Caddy has no certificate for {domain}", hint="vpsctl doctor (DNS of the domain, port 80)"
        ) from error
    except OSError as error:
        raise Unavailable(f"Caddy broke off the handshake for {domain}: {error}", hint="vpsctl doctor") from error
    if der is None:
        raise NotFound(f"Caddy presents no certificate for {domain}", hint="vpsctl doctor")
    return _parsed(der)


def _parsed(der: bytes) -> Certificate:
    from cryptography import x509  # 10 ms, which every other command of the proxy does without

    found = x509.load_der_x509_certificate(der)
    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        names = []
    return Certificate(
        ", ".join(names) or found.subject.rfc4514_string(), found.issuer.rfc4514_string(), found.not_valid_after_utc
    )


def _open(route: Route, domain: str, ports: tuple[int, int], deadline: float) -> tuple[http.client.HTTPConnection, bool]:
    """A connection to the site: TLS where it wants it and has a certificate, else port 80."""
    http_port, https_port = ports
    left = max(deadline - time.monotonic(), 0.001)
    if route.tls != "off":
        connection = http.client.HTTPConnection(HOST, https_port, timeout=left)
        try:
            connection.sock = _handshake(domain, _dial(https_port, left))
            return connection, True
        except ssl.SSLError:
            connection.close()
        except OSError as error:
            raise Unavailable(f"Caddy broke off the handshake for {domain}: {error}", hint="vpsctl doctor") from error
    connection = http.client.HTTPConnection(HOST, http_port, timeout=left)
    connection.sock = _dial(http_port, left)
    return connection, False


def _dial(port: int, timeout: float) -> socket.socket:
    try:
        return socket.create_connection((HOST, port), timeout=timeout)
    except OSError as error:
        raise Unavailable(
            f"Caddy does not answer on {HOST}:{port}: {error.strerror or error}", hint="vpsctl doctor"
        ) from error


def _handshake(domain: str, sock: socket.socket) -> ssl.SSLSocket:
    """Without verification: the address is our own, and the certificate may be Caddy's own, of staging, or not there yet."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        return context.wrap_socket(sock, server_hostname=domain)
    except BaseException:
        sock.close()
        raise


def _read_out(response: http.client.HTTPResponse, deadline: float) -> None:
    """Take the body to its end or its limit, so that the site's own log does not show a broken-off request."""
    taken = 0
    while taken < BODY_LIMIT and time.monotonic() < deadline:
        chunk = response.read1(8192)
        taken += len(chunk)
        if not chunk:
            return
