"""The SITE of a command line, which the shell completes from the state directory: Tab must cost no connection."""

import os
from collections.abc import Iterator
from typing import Annotated

import typer

from vpsctl.errors import VpsctlError
from vpsctl.settings import load_settings

PLACES = ("proxy/upstreams", "sources")
"""Where a site leaves a directory of its name: what serves it, and its checkout."""


def complete_site(incomplete: str) -> list[str]:
    """Sites whose name begins so; none where they cannot be read, since completion has nobody to tell."""
    return sorted({name for name in _names() if name.startswith(incomplete)})


def complete_deploy(incomplete: str) -> list[str]:
    """What may follow `vpsctl deploy`."""
    return [word for word in ("resume", "abort") if word.startswith(incomplete)] + complete_site(incomplete)


def _names() -> Iterator[str]:
    try:
        home = load_settings().home
    except (VpsctlError, OSError):
        return
    for place in PLACES:
        try:
            with os.scandir(home / place) as entries:
                yield from (item.name for item in entries if item.is_dir())
        except OSError:
            continue


Site = Annotated[str, typer.Argument(help="The site.", autocompletion=complete_site)]
