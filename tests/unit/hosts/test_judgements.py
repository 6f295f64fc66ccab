"""What doctor makes of figures."""

from ipaddress import ip_address

import pytest

from vpsctl.hosts.checks.dns import judge
from vpsctl.hosts.checks.resources import judge_disk, judge_inodes, judge_memory
from vpsctl.hosts.machine import Disk, Memory

GIB = 1024**3
HERE, THERE = ip_address("192.0.2.2"), ip_address("198.51.100.9")


@pytest.mark.parametrize(("free", "state"), [(50, "ok"), (9, "warn"), (0.5, "fail")])
def test_a_disk_warns_below_a_tenth_and_fails_below_the_floor(free: float, state: str) -> None:
    found = judge_disk(Disk("/var", 100 * GIB, int(free * GIB), 10, 10), GIB)
    assert found.state == state
    assert bool(found.mend) == (state != "ok")


@pytest.mark.parametrize(("free", "state"), [(500, "ok"), (60, "warn"), (10, "fail")])
def test_inodes(free: int, state: str) -> None:
    assert judge_inodes(Disk("/var", GIB, GIB, 1000, free)).state == state


def test_a_file_system_without_fixed_inodes_is_fine() -> None:
    assert judge_inodes(Disk("/var", GIB, GIB, 0, 0)).state == "ok"


@pytest.mark.parametrize(
    ("available", "swap_free", "state"), [(50, 100, "ok"), (9, 100, "warn"), (2, 100, "fail"), (50, 40, "warn")]
)
def test_memory(available: int, swap_free: int, state: str) -> None:
    assert judge_memory(Memory(100 * GIB, available * GIB, 100 * GIB, swap_free * GIB)).state == state


def test_a_domain_that_leads_here_is_fine_and_one_that_leads_elsewhere_warns() -> None:
    own = frozenset([HERE])
    assert judge("a.example", "auto", frozenset([HERE, THERE]), own).state == "ok"
    elsewhere = judge("a.example", "auto", frozenset([THERE]), own)
    assert elsewhere.state == "warn"
    assert "198.51.100.9" in elsewhere.message


def test_a_domain_without_an_address_fails_only_where_a_certificate_depends_on_it() -> None:
    assert judge("a.example", "auto", frozenset(), frozenset([HERE])).state == "fail"
    assert judge("a.example", "internal", frozenset(), frozenset([HERE])).state == "warn"
    assert judge("a.example", "auto", None, frozenset([HERE])).state == "warn"
