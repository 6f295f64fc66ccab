"""Which sockets listen on this machine, and which process holds each."""

import os
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

PROC = Path("/proc")
LISTEN = "0A"
GONE = (FileNotFoundError, ProcessLookupError, PermissionError)
"""The process ended meanwhile, or is another user's."""


@dataclass(frozen=True)
class Listener:
    address: str
    port: int
    inode: int
    process: str = ""
    """As "nginx (pid 812)"; empty when it could not be found."""

    @property
    def public(self) -> bool:
        """Whether it can be reached from outside the machine."""
        return not ip_address(self.address).is_loopback


def read_listeners() -> list[Listener]:
    """Every listening TCP socket, one a line of `/proc/net/tcp` and `tcp6`, by port."""
    files = [PROC / "net/tcp", PROC / "net/tcp6"]
    found = [item for file in files if file.exists() for item in parse_sockets(file.read_text())]
    owners = _owners({item.inode for item in found})
    named = [Listener(item.address, item.port, item.inode, owners.get(item.inode, "")) for item in found]
    return sorted(named, key=lambda item: (item.port, item.address))


def parse_sockets(text: str) -> list[Listener]:
    """The listening sockets in a `/proc/net/tcp` or `tcp6`."""
    rows = [line.split() for line in text.splitlines()[1:]]
    return [_listener(row[1], int(row[9])) for row in rows if len(row) > 9 and row[3] == LISTEN]


def _listener(local: str, inode: int) -> Listener:
    """`local` is "0100007F:0050": the address in words of 4 bytes, each little-endian, and the port in hexadecimal."""
    address, port = local.split(":")
    raw = bytes.fromhex(address)
    words = b"".join(raw[start : start + 4][::-1] for start in range(0, len(raw), 4))
    found = IPv4Address(words) if len(words) == 4 else IPv6Address(words)
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return Listener(str(mapped or found), int(port, 16), inode)


def _owners(inodes: Collection[int]) -> dict[int, str]:
    """Socket inode to process, from the links in `/proc/<pid>/fd`; processes we may not look into are left out."""
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    owners: dict[int, str] = {}
    for directory in PROC.glob("[0-9]*/fd"):
        with suppress(*GONE):
            for entry in os.listdir(directory):
                inode = wanted.get(_target(directory / entry))
                if inode is not None:
                    name = (directory.parent / "comm").read_text().strip()
                    owners.setdefault(inode, f"{name} (pid {directory.parent.name})")
    return owners


def _target(link: Path) -> str:
    """Where a link in /proc leads; empty when it went away meanwhile."""
    with suppress(*GONE):
        return os.readlink(link)
    return ""
