"""Whether a process of this machine lives: a pid alone is used again, a pid and its birth are not."""

from pathlib import Path


def born(pid: int) -> int | None:
    """When process `pid` started, in clock ticks since the boot; None when it is dead (a zombie is)."""
    try:
        state, *rest = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return None
    return None if state in "ZX" else int(rest[18])  # proc(5): the state is field 3, the start field 22
