"""How a command opens its App: settings from the environment, the actor from the login."""

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager

from vpsctl.app import Actor, App
from vpsctl.settings import load_settings


@contextmanager
def open_app() -> Iterator[App]:
    """The App for this command line; under sudo the actor is who called it."""
    name = os.environ.get("SUDO_USER") or getpass.getuser()
    with App(load_settings(), Actor(name, "cli")) as app:
        yield app
