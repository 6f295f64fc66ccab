"""The state directory and the master key in it."""

import stat
from collections.abc import Iterator

from vpsctl.hosts.checks.check import Check, Seen
from vpsctl.vault.key import read_key


def check_home(seen: Seen) -> Iterator[Check]:
    home = seen.settings.home
    if not home.is_dir():
        yield Check("state directory", "fail", f"there is no {home}", "vpsctl init")
    elif stat.S_IMODE(home.stat().st_mode) & 0o077:
        yield Check("state directory", "fail", f"{home} is open to other users of this machine", f"chmod 700 {home}")
    else:
        yield Check("state directory", "ok", str(home))


def check_master_key(seen: Seen) -> Iterator[Check]:
    path = seen.settings.home / "master.key"
    read_key(path)
    yield Check("master key", "ok", str(path))
