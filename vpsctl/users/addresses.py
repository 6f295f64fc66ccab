"""Where a token may be used from: networks as they are given, and whether an address is in one of them."""

import ipaddress
from collections.abc import Iterable

from vpsctl.errors import Invalid

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
"""IPv4 as a socket for both shows it (RFC 4291 §2.5.5.2)."""


def checked_network(text: str) -> str:
    """A network or a single address in its shortest form: "203.0.113.0/24". Raises Invalid."""
    try:
        found = ipaddress.ip_network(text)
    except ValueError:
        hint = "write it like 203.0.113.0/24, 203.0.113.5 or 2001:db8::/32, without bits behind the prefix"
        raise Invalid(f"{text!r} is neither a network nor an address", hint=hint) from None
    return str(_plain_network(found))


def normal_address(text: str) -> str | None:
    """The address in its shortest form, an IPv4-mapped IPv6 one as IPv4; None for what is no address."""
    found = _address(text)
    return None if found is None else str(found)


def allowed_from(networks: Iterable[str], address: str | None) -> bool:
    """Whether `address` is in one of `networks`. No networks: from anywhere. An unknown address is in none."""
    wanted = list(networks)
    found = _address(address) if wanted and address is not None else None
    return not wanted or (found is not None and any(_within(found, network) for network in wanted))


def _within(address: Address, network: str) -> bool:
    known = ipaddress.ip_network(network)
    return address.version == known.version and address in known


def _address(text: str) -> Address | None:
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, ipaddress.IPv6Address) else found


def _plain_network(network: Network) -> Network:
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(MAPPED):
        mapped = network.network_address.ipv4_mapped
        assert mapped is not None
        return ipaddress.IPv4Network((mapped, network.prefixlen - MAPPED.prefixlen))
    return network
