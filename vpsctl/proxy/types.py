"""What the proxy takes and answers: frozen values, no I/O."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

Tls = Literal["auto", "internal", "off"]


@dataclass(frozen=True)
class Route:
    """What Caddy serves for one site."""

    site: str
    domains: tuple[str, ...]
    tls: Tls
    hold: timedelta
    """How long a request waits for an upstream that refuses; zero: it is answered 502 at once."""


@dataclass(frozen=True)
class Upstreams:
    """The containers that answer for a site."""

    release: str
    addresses: tuple[str, ...]
    """`name:port`, one a replica."""


@dataclass(frozen=True)
class Answer:
    """What came back through Caddy."""

    status: int
    upstream: str
    """The address that answered; empty when Caddy answered by itself."""
    elapsed: timedelta
    secure: bool
    """False when the site wants TLS but its certificate is not there yet, so that port 80 was asked instead."""


@dataclass(frozen=True)
class Certificate:
    """What a domain presents in the TLS handshake."""

    subject: str
    issuer: str
    not_after: datetime
