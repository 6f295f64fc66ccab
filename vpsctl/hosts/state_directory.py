"""The state directory: root's alone, with the directories in which the foundation's sockets stand."""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vpsctl.errors import Conflict, Failed, Invalid
from vpsctl.hosts.foundation import SOCKET_DIRECTORIES, own_services
from vpsctl.settings import Settings

LONGEST_SOCKET = "postgres/.s.PGSQL.5432"
SOCKET_LIMIT = 107
"""Bytes of a Unix socket's path (sun_path holds 108 with its end mark)."""
OURS = ("master.key", "init.lock", "networks.lock")


def make_home(settings: Settings) -> bool:
    """Make the state directory (0700) and what must stand in it; True when anything was missing.

    Raises Invalid for a home that cannot be one: too long, not a directory, or someone else's open directory.
    """
    home = settings.home
    if not home.is_absolute() or len(os.fsencode(home / LONGEST_SOCKET)) > SOCKET_LIMIT:
        raise Invalid(
            f"home {home} must be absolute and at most {SOCKET_LIMIT - len(LONGEST_SOCKET) - 1} bytes", hint="set home"
        )
    changed = _make(home, 0o700)
    if stat.S_IMODE(home.stat().st_mode) & 0o077:
        _close(home)
        changed = True
    for name in SOCKET_DIRECTORIES:
        if name in own_services(settings):
            # The servers run as users of their own, whose numbers differ between images. Nobody but root comes this far.
            changed |= _make(home / name, 0o777)
    return changed


def _make(directory: Path, mode: int) -> bool:
    if directory.is_dir():
        return False
    try:
        directory.mkdir(parents=True)
        directory.chmod(mode)  # mkdir's own mode is cut by the umask
    except OSError as error:
        raise Failed(
            f"cannot make {directory}: {error.strerror}", hint="run as root, or set home in the settings"
        ) from error
    return True


def _close(home: Path) -> None:
    """Take a home from others' sight, unless it is a directory that serves something else (`home = "/tmp"`)."""
    names = {path.name for path in home.iterdir()}
    if names and not names & set(OURS):
        raise Invalid(f"home {home} is open to others and holds other files", hint="set home to a directory of its own")
    home.chmod(0o700)


@contextmanager
def only_one_init(settings: Settings) -> Iterator[None]:
    """Held while init works; the kernel lets go of it if we are killed. Raises Conflict when another one runs."""
    with (settings.home / "init.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict(f"another vpsctl init works on {settings.home}", hint="wait until it has ended") from error
        yield
