"""Networks that a token may be used from, in each way that an address is written."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpsctl.errors import Invalid
from vpsctl.users.addresses import allowed_from, checked_network, normal_address


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        ("203.0.113.0/24", "203.0.113.0/24"),
        ("203.0.113.5", "203.0.113.5/32"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("::1", "::1/128"),
        ("::ffff:203.0.113.0/120", "203.0.113.0/24"),
        ("::ffff:203.0.113.5", "203.0.113.5/32"),
        ("0.0.0.0/0", "0.0.0.0/0"),
    ],
)
def test_a_network_is_kept_in_one_form(given_: str, kept: str) -> None:
    assert checked_network(given_) == kept


@pytest.mark.parametrize(
    "text", ["", "203.0.113.5/24", "203.0.113.0/33", "example.com", "10", "1.2.3", "203.0.113.0/24\n", "fe80::1%eth0/64"]
)
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="neither a network nor an address"):
        checked_network(text)


@pytest.mark.parametrize(
    ("networks", "address", "allowed"),
    [
        ([], None, True),
        ([], "203.0.113.5", True),
        ([], "rubbish", True),
        (["203.0.113.0/24"], "203.0.113.5", True),
        (["203.0.113.0/24"], "::ffff:203.0.113.5", True),
        (["203.0.113.0/24"], "::FFFF:CB00:7105", True),
        (["203.0.113.0/24"], "203.0.114.5", False),
        (["203.0.113.0/24"], "::ffff:203.0.114.5", False),
        (["203.0.113.0/24"], None, False),
        (["203.0.113.0/24"], "", False),
        (["203.0.113.0/24"], "rubbish", False),
        (["203.0.113.0/24"], "203.0.113.5, 10.0.0.1", False),
        (["203.0.113.0/24"], "2001:db8::5", False),
        (["0.0.0.0/0"], "2001:db8::5", False),
        (["::/0"], "::ffff:203.0.113.5", False),
        (["2001:db8::/32"], "2001:db8::5%eth0", True),
        (["10.0.0.0/8", "203.0.113.5/32"], "203.0.113.5", True),
    ],
)
def test_who_is_let_in(networks: list[str], address: str | None, allowed: bool) -> None:
    assert allowed_from(networks, address) is allowed


@given(st.ip_addresses(v=4), st.integers(0, 32), st.ip_addresses(v=4))
def test_a_mapped_address_is_the_same_one(base: ipaddress.IPv4Address, prefix: int, address: ipaddress.IPv4Address) -> None:
    network = checked_network(str(ipaddress.ip_network((base, prefix), strict=False)))
    assert allowed_from([network], str(address)) == (address in ipaddress.ip_network(network))
    assert allowed_from([network], f"::ffff:{address}") == allowed_from([network], str(address))
    assert normal_address(f"::ffff:{address}") == str(address)
