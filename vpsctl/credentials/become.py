"""Become a command that credentials were handed to: its exit code, signals and terminal are its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

from vpsctl.credentials.use import Handed
from vpsctl.errors import Failed
from vpsctl.secret import Secret

HOLD = """
import os, select, sys
number = os.fork()
if number:
    print(number)
else:
    os.closerange(0, 3)
    select.select([int(sys.argv[1])], [], [])
"""
"""Waits, as nobody's child, until the process behind a pidfd is gone; tells its number."""


def become(program: str, argv: Sequence[str], handed: Handed) -> NoReturn:
    """Replace this process by `program` (a path), with what was handed over in its environment.

    Raises Failed when the kernel does not run it.
    """
    environment = {name: value for name, value in os.environb.items() if name.decode(errors="replace") not in handed.without}
    environment.update((name.encode(), value.reveal().encode()) for name, value in handed.environment.items())
    environment.update((name.encode(), path.encode()) for name, path in _hold(handed.files).items())
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and what is ignored stays so over exec
        signal.signal(number, signal.SIG_DFL)
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execve(program, list(argv), environment)  # noqa: S606  an argv list, as everywhere
    except OSError as error:
        raise Failed(f"{program} cannot be run: {error.strerror}", hint=f"file {program} tells what it is") from error


def _hold(files: Mapping[str, Secret]) -> dict[str, str]:
    """{variable: path of a file in memory}, for as long as this process and what it becomes live.

    A process of its own holds them: ssh closes every descriptor that it inherits, as Python's subprocess does for its
    children, so that a path below /proc/self would end before the command had read it. It is no child of the command,
    which may wait until it has none, and in no session of it, so that Ctrl-C does not reach it.
    """
    if not files:
        return {}
    numbers = {name: _in_memory(name, value) for name, value in files.items()}
    alive = os.pidfd_open(os.getpid())
    started = subprocess.run(
        [sys.executable, "-I", "-S", "-c", HOLD, str(alive)],
        env={},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        pass_fds=(alive, *numbers.values()),
        start_new_session=True,
        check=True,
    )
    return {name: f"/proc/{int(started.stdout)}/fd/{number}" for name, number in numbers.items()}


def _in_memory(name: str, value: Secret) -> int:
    number = os.memfd_create(name)
    os.write(number, value.reveal().encode())
    os.fchmod(number, 0o400)  # ssh refuses a key that others might read
    return number
