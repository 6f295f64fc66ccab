"""Cutting subnets from the pool, and reading what the host routes."""

from ipaddress import IPv4Network

from hypothesis import given
from hypothesis import strategies as st

from vpsctl.sites.networks import next_subnet, routed_subnets

POOL = IPv4Network("10.231.0.0/16")
ROUTES = """Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
wg0\t4000E70A\t00000000\t0001\t0\t0\t0\tE0FFFFFF\t0\t0\t0
"""

networks = st.builds(
    lambda offset, prefix: IPv4Network((int(POOL.network_address) - 65536 + offset, prefix), strict=False),
    st.integers(0, 3 * 65536 - 1),
    st.integers(14, 32),
)


def test_an_empty_machine_gets_the_first_subnet() -> None:
    assert next_subnet(POOL, 27, []) == IPv4Network("10.231.0.0/27")


def test_a_gap_that_is_too_small_is_passed_over() -> None:
    taken = [IPv4Network("10.231.0.0/28"), IPv4Network("10.231.0.32/27")]
    assert next_subnet(POOL, 27, taken) == IPv4Network("10.231.0.64/27")
    assert next_subnet(POOL, 22, taken) == IPv4Network("10.231.4.0/22")


def test_a_route_over_the_whole_pool_leaves_nothing() -> None:
    assert next_subnet(POOL, 27, [IPv4Network("10.0.0.0/8")]) is None


@given(st.lists(networks, max_size=30), st.integers(18, 30))
def test_what_is_cut_is_the_first_that_is_free(taken: list[IPv4Network], prefix: int) -> None:
    free = [item for item in POOL.subnets(new_prefix=min(prefix, 24)) if not any(item.overlaps(other) for other in taken)]
    found = next_subnet(POOL, min(prefix, 24), taken)
    assert found == (free[0] if free else None)


@given(st.integers(1, 60))
def test_subnets_cut_one_after_the_other_never_overlap(count: int) -> None:
    taken = [IPv4Network("10.231.3.64/26")]
    for _ in range(count):
        found = next_subnet(POOL, 27, taken)
        assert found is not None
        assert found.subnet_of(POOL)
        assert not any(found.overlaps(other) for other in taken)
        taken.append(found)


def test_the_default_route_does_not_count() -> None:
    assert routed_subnets(ROUTES) == [IPv4Network("172.17.0.0/16"), IPv4Network("10.231.0.64/27")]
