"""Where the person at the command line is: for the audit trail."""

import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path

VARIABLE = "SSH_CONNECTION"
"""Client's address and port, server's address and port (ssh(1)); sudo does not hand it on."""
CRON = ("cron", "crond")
GENERATIONS = 16


def find_origin(environ: Mapping[str, str] = os.environ) -> str:
    """The address that this SSH session comes from; "cron" for a job of cron; empty for this machine itself.

    What the environment does not say is looked for in the parents'; those of other users only root may read.
    """
    address = _address(environ.get(VARIABLE, ""))
    pid = os.getppid()
    for _ in range(GENERATIONS):
        if address or pid <= 1:
            break
        try:
            name, pid, address = _look(Path(f"/proc/{pid}"))
        except (OSError, ValueError):  # it has ended meanwhile
            break
        if name in CRON:
            return "cron"
    return address


def _look(process: Path) -> tuple[str, int, str]:
    """A process's name, its parent, and the address in its environment."""
    before, _, after = (process / "stat").read_text(errors="replace").rpartition(") ")
    try:
        environment = (process / "environ").read_bytes().split(b"\0")
    except OSError:
        environment = []
    told = next((item for item in environment if item.startswith(VARIABLE.encode() + b"=")), b"")
    address = _address(told.partition(b"=")[2].decode("ascii", "replace"))
    return before.partition(" (")[2], int(after.split()[1]), address


def _address(connection: str) -> str:
    """Only what is an address: anyone may write anything into their environment."""
    first = connection.partition(" ")[0]
    try:
        return str(ipaddress.ip_address(first))
    except ValueError:
        return ""
