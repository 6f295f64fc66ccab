"""What the machine itself says: processors, load, memory, swap, disks, its own addresses."""

import os
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from itertools import pairwise
from pathlib import Path

PROC = Path("/proc")
Address = IPv4Address | IPv6Address


@dataclass(frozen=True)
class Memory:
    """Bytes."""

    total: int
    available: int
    swap_total: int
    swap_free: int


@dataclass(frozen=True)
class Disk:
    path: str
    total: int
    """Bytes."""
    free: int
    """Bytes that a process other than root could still take."""
    inodes: int
    """0 on a file system that makes them as it needs them (btrfs)."""
    inodes_free: int


@dataclass(frozen=True)
class MachineState:
    cpus: int
    load: tuple[float, float, float]
    """Processes that run or wait, over 1, 5 and 15 minutes."""
    memory: Memory
    disks: tuple[Disk, ...]
    uptime: float
    """Seconds."""


def read_machine(*paths: str | Path) -> MachineState:
    """The machine now, with the disk below each of `paths` (each file system once)."""
    return MachineState(
        os.cpu_count() or 1,
        os.getloadavg(),
        parse_meminfo((PROC / "meminfo").read_text()),
        read_disks(*paths),
        float((PROC / "uptime").read_text().split()[0]),
    )


def parse_meminfo(text: str) -> Memory:
    """The four figures we use of `/proc/meminfo`, whose unit "kB" is 1024 bytes."""
    rows = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    names = ("MemTotal", "MemAvailable", "SwapTotal", "SwapFree")
    return Memory(*(int(rows[name].split()[0]) * 1024 for name in names))


def read_disks(*paths: str | Path) -> tuple[Disk, ...]:
    """The file system below each path, or below its nearest parent that exists; one that holds several comes once."""
    disks: dict[int, Disk] = {}
    for path in paths:
        there = Path(path)
        while not there.exists():
            there = there.parent
        found = os.statvfs(there)
        disk = Disk(
            str(path), found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize, found.f_files, found.f_ffree
        )
        disks.setdefault(there.stat().st_dev, disk)
    return tuple(disks.values())


def own_addresses() -> frozenset[Address]:
    """Every address of this machine's interfaces, loopback included."""
    v6 = PROC / "net/if_inet6"
    return frozenset(
        [*parse_fib_trie((PROC / "net/fib_trie").read_text()), *(parse_if_inet6(v6.read_text()) if v6.exists() else ())]
    )


def parse_fib_trie(text: str) -> set[IPv4Address]:
    """Local IPv4 addresses: in `/proc/net/fib_trie` each stands on the line above its "/32 host LOCAL"."""
    lines = [line.strip() for line in text.splitlines()]
    pairs = pairwise(lines)
    return {IPv4Address(above.removeprefix("|-- ")) for above, line in pairs if line == "/32 host LOCAL"}


def parse_if_inet6(text: str) -> set[IPv6Address]:
    """The addresses in `/proc/net/if_inet6`: 32 hexadecimal digits at the start of each line."""
    return {IPv6Address(bytes.fromhex(line.split()[0])) for line in text.splitlines() if line.strip()}
