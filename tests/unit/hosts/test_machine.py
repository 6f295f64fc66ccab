"""Reading what the kernel says of the machine."""

from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from vpsctl.hosts.listeners import parse_sockets
from vpsctl.hosts.machine import parse_fib_trie, parse_if_inet6, parse_meminfo, read_disks

TCP = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0
   1: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 100 0 0 10 0
   2: 020200C0:0016 010200C0:D431 01 00000000:00000000 02:000A7B9C 00000000     0        0 4713 2 0 20 4 30 10 -1
"""
TCP6 = """  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm
   0: 00000000000000000000000001000000:0277 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 0 0 0 4714
   1: 0000000000000000FFFF00000100007F:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 0 0 0 4715
   2: B80D0120000000000000000001000000:01BB 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 0 0 0 4716
"""
FIB = """Main:
  +-- 127.0.0.0/8 2 0 2
     |-- 127.0.0.1
        /32 host LOCAL
  |-- 127.255.255.255
     /32 link BROADCAST
     |-- 192.0.2.0
        /24 link UNICAST
     |-- 192.0.2.2
        /32 host LOCAL
"""


def test_only_sockets_that_listen_count() -> None:
    assert [(item.address, item.port, item.inode) for item in parse_sockets(TCP)] == [
        ("127.0.0.1", 5432, 4711),
        ("0.0.0.0", 80, 4712),
    ]


def test_loopback_is_not_public_in_either_family() -> None:
    assert [item.public for item in parse_sockets(TCP)] == [False, True]
    found = parse_sockets(TCP6.replace(" 00:00000000 0 0 0", " 00:00000000 00000000 0 0"))
    assert [(item.address, item.port, item.public) for item in found] == [
        ("::1", 631, False),
        ("127.0.0.1", 8080, False),
        ("2001:db8::1", 443, True),
    ]


def test_local_addresses_are_those_of_the_interfaces() -> None:
    assert parse_fib_trie(FIB) == {IPv4Address("127.0.0.1"), IPv4Address("192.0.2.2")}
    line = "20010db8000000000000000000000001 02 40 00 80     eth0\n"
    assert parse_if_inet6(line) == {IPv6Address("2001:db8::1")}


def test_memory_is_in_bytes() -> None:
    found = parse_meminfo("MemTotal:  2048 kB\nMemFree: 1 kB\nMemAvailable: 1024 kB\nSwapTotal: 10 kB\nSwapFree: 4 kB\n")
    assert (found.total, found.available, found.swap_total, found.swap_free) == (2097152, 1048576, 10240, 4096)


def test_a_disk_comes_once_and_a_path_that_is_not_there_yet_counts(tmp_path: Path) -> None:
    found = read_disks(tmp_path, tmp_path / "not" / "yet")
    assert len(found) == 1
    assert found[0].path == str(tmp_path)
    assert 0 < found[0].free <= found[0].total
