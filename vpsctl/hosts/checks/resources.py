"""Disk, inodes, memory, swap and clock."""

import ctypes
from collections.abc import Iterator
from contextlib import suppress

from vpsctl.errors import VpsctlError
from vpsctl.hosts.checks.check import Check, Seen
from vpsctl.hosts.machine import Disk, Memory, read_disks, read_machine
from vpsctl.sites.compose.units import parse_size

TIGHT = 0.10
NEARLY_OUT = 0.03
TIME_ERROR = 5
"""adjtimex(2): nothing keeps the clock right."""
TIMEX_BYTES = 512
"""Larger than `struct timex` (208 bytes) anywhere."""


def check_disk(seen: Seen) -> Iterator[Check]:
    """The engine's disk and ours; where the engine does not answer, ours alone."""
    paths = [str(seen.settings.home)]
    with suppress(VpsctlError):  # the check of the engine says so
        paths.insert(0, seen.info().root_dir)
    floor = parse_size(seen.settings.disk_floor)
    for disk in read_disks(*paths):
        yield judge_disk(disk, floor)
        yield judge_inodes(disk)


def judge_disk(disk: Disk, floor: int) -> Check:
    """Fails below the floor under which no deploy starts, warns below a tenth."""
    message = f"{_gib(disk.free)} of {_gib(disk.total)} free below {disk.path}"
    mend = "see what takes it: docker system df; then docker image prune"
    if disk.free < floor:
        return Check("disk", "fail", f"{message}; a deploy needs {_gib(floor)}", mend)
    return Check("disk", "warn", message, mend) if disk.free < disk.total * TIGHT else Check("disk", "ok", message)


def judge_inodes(disk: Disk) -> Check:
    if not disk.inodes:
        return Check("inodes", "ok", f"the file system below {disk.path} makes them as needed")
    share = disk.inodes_free / disk.inodes
    message = f"{share:.0%} of the inodes below {disk.path} are free"
    mend = f"find where the files are: du --inodes -d 2 {disk.path}"
    if share < TIGHT:
        return Check("inodes", "fail" if share < NEARLY_OUT else "warn", message, mend)
    return Check("inodes", "ok", message)


def check_memory(seen: Seen) -> Iterator[Check]:
    yield judge_memory(read_machine().memory)


def judge_memory(memory: Memory) -> Check:
    share = memory.available / memory.total
    used_swap = memory.swap_total - memory.swap_free
    swap = f", {_gib(used_swap)} of {_gib(memory.swap_total)} swap in use" if memory.swap_total else ", no swap"
    message = f"{_gib(memory.available)} of {_gib(memory.total)} available{swap}"
    mend = "see who has it: vpsctl container stats, and the caps: vpsctl budget"
    if share < TIGHT:
        return Check("memory", "fail" if share < NEARLY_OUT else "warn", message, mend)
    return Check("memory", "warn", message, mend) if used_swap > memory.swap_total / 2 else Check("memory", "ok", message)


def check_clock(seen: Seen) -> Iterator[Check]:
    """The kernel knows whether something keeps its clock right: certificates and tokens fail on a wrong one."""
    if ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(TIMEX_BYTES)) == TIME_ERROR:
        yield Check("clock", "warn", "nothing keeps this machine's clock right", "apt install systemd-timesyncd")
    else:
        yield Check("clock", "ok", "kept by a time service")


def _gib(count: int) -> str:
    return f"{count / 1024**3:.1f} GiB"
