"""`ports:` of a service, short and long form."""

import ipaddress
import re
from typing import Literal

from vpsctl.sites.compose.field import Field, shown
from vpsctl.sites.compose.spec import Port
from vpsctl.sites.compose.units import parse_port

MAX_RANGE = 100
_SHORT = re.compile(
    r"(?:(?:(?P<address>\[[0-9a-fA-F:.]+\]|[0-9.]+):)?(?P<published>[0-9-]*):)?(?P<target>[0-9-]+)(?:/(?P<protocol>\w+))?"
)
_LOOPBACK = ("127.0.0.1", "::1")


def read_ports(field: Field) -> tuple[Port, ...]:
    """A port without an address is bound to 127.0.0.1; one without a published number gets one from our range.

    Raises Invalid for an address that others can reach, unless the operator allows `public_ports`.
    """
    ports = [port for item in field.items() for port in (_short(item) if item.scalar else [_long(item)])]
    seen = set()
    for port in ports:
        if port in seen:
            raise field.invalid(f"port {port.target} stands there twice", "keep one of the two")
        seen.add(port)
    return tuple(ports)


def _short(item: Field) -> list[Port]:
    text = item.text()
    match = _SHORT.fullmatch(text)
    if match is None:
        raise item.invalid(f"{shown(text)} is not a port", 'write it like "8080:80", "127.0.0.1:8080:80" or "80"')
    protocol = _protocol(item, match["protocol"] or "tcp")
    address = _address(item, match["address"])
    targets = _range(item, match["target"])
    published = _range(item, match["published"]) if match["published"] else [None] * len(targets)
    if len(published) != len(targets):
        raise item.invalid(f"the two ranges in {shown(text)} differ in length", "write one port a line")
    return [Port(target, out, address, protocol) for target, out in zip(targets, published, strict=True)]


def _long(item: Field) -> Port:
    keys = item.keys(
        ("target", "published", "host_ip", "protocol"),
        {"mode": "remove it: there is one machine", "name": "remove it", "app_protocol": "remove it"},
    )
    if "target" not in keys:
        raise item.invalid("has no target", "add target: with the port inside the container")
    host_ip = keys.get("host_ip")
    published = keys.get("published")
    return Port(
        target=keys["target"].parsed(parse_port),
        published=published.parsed(parse_port) if published else None,
        host_ip=_address(host_ip, host_ip.text()) if host_ip else None,
        protocol=_protocol(keys["protocol"], keys["protocol"].text()) if "protocol" in keys else "tcp",
    )


def _range(item: Field, text: str) -> list[int]:
    """`80` or `8000-8010`."""
    first, _, last = text.partition("-")
    try:
        low = parse_port(first)
        high = parse_port(last) if last or "-" in text else low
    except ValueError as error:
        raise item.invalid(f"{shown(text)} {error}", 'write it like "8080:80"') from None
    if not low <= high < low + MAX_RANGE:
        raise item.invalid(f"{shown(text)} is not a range of 1 to {MAX_RANGE} ports", "write the lower port first")
    return list(range(low, high + 1))


def _address(item: Field, text: str | None) -> str | None:
    if text is None:
        return None
    try:
        address = str(ipaddress.ip_address(text.strip("[]")))
    except ValueError:
        raise item.invalid(f"{shown(text)} is not an IP address", "write 127.0.0.1, or no address") from None
    if address not in _LOOPBACK:
        item.require(item.scope.allow.public_ports, "public_ports", f"a port on {address}, past the firewall and the proxy,")
    return address


def _protocol(item: Field, text: str) -> Literal["tcp", "udp"]:
    if text == "tcp":
        return "tcp"
    if text == "udp":
        return "udp"
    raise item.invalid(f"the protocol {shown(text)} is not tcp or udp")
