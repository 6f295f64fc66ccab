"""How a command opens its App: settings from the environment, the actor from the login."""

import getpass
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from vpsctl.app import Actor, App
from vpsctl.cli import output
from vpsctl.cli.origin import find_origin
from vpsctl.errors import Failed, Invalid, Unavailable
from vpsctl.secret import Secret
from vpsctl.settings import Settings, load_settings

SIGNS = ("master.key", "proxy")
"""What `vpsctl init` makes first; where neither stands, it never ran."""


@contextmanager
def open_app(*, before_init: bool = False) -> Iterator[App]:
    """The App for this command line; under sudo the actor is who called it.

    Raises Unavailable on a machine without `vpsctl init`, unless the command works there (`before_init`); Failed for
    a user who may not look into the state directory.
    """
    settings = load_settings()
    output.mode.debug |= settings.debug
    _check_home(settings, before_init=before_init)
    with App(settings, Actor(_login(), "cli", find_origin()), ask=ask if sys.stdin.isatty() else None) as app:
        yield app


def ask(prompt: str) -> Secret:
    """What a person types on the terminal, unseen. Raises Invalid when they end it instead."""
    try:
        return Secret(getpass.getpass(prompt))
    except EOFError as error:
        raise Invalid("nothing was typed", hint="run it again, and type it") from error


def _check_home(settings: Settings, *, before_init: bool) -> None:
    home = settings.home
    if home.is_dir() and not os.access(home, os.R_OK | os.X_OK):
        raise Failed(f"no permission to read {home}, where vpsctl keeps its state", hint="run as root, such as by sudo")
    if not before_init and not any((home / name).exists() for name in SIGNS):
        raise Unavailable(f"vpsctl is not set up on this machine: there is nothing of it in {home}", hint="vpsctl init")


def _login() -> str:
    """A process in a container may run as a user who has no name; and the environment may hold what is no text."""
    try:
        name = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        name = f"uid {os.getuid()}"
    return name.encode("utf-8", "replace").decode()
