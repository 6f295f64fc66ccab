"""The commands as the catalogue has them, and one command line for each."""

import importlib
import os
from collections.abc import Iterator
from functools import cache
from typing import Any

os.environ["TYPER_USE_RICH"] = "0"  # as `vpsctl` itself does where no terminal is, before typer is first imported
import typer

from vpsctl.cli.catalogue import COMMANDS

Path = tuple[str, ...]

LINES: dict[str, str] = {
    "init": "",
    "doctor": "",
    "status": "",
    "budget": "",
    "site new": "fresh --into {new}",
    "site add": "{directory}",
    "site move": "{site} {directory}",
    "site list": "",
    "site show": "{site}",
    "site adopt": "nobody --name nobody",
    "site remove": "{site} --yes",
    "site maintenance": "on {site}",
    "plan": "{site}",
    "deploy": "{site}",
    "rollback": "{site}",
    "release list": "{site}",
    "env list": "{site}",
    "env set": "{site} A=1",
    "env unset": "{site} A",
    "cred set": "UNUSED --generate",
    "cred list": "",
    "cred remove": "UNUSED --yes",
    "logs": "{site}",
    "exec": "{site} -- true",
    "start": "{site}",
    "stop": "{site}",
    "restart": "{site}",
    "scale": "{site} app=2",
    "container list": "",
    "container show": "nobody",
    "container start": "nobody",
    "container stop": "nobody",
    "container restart": "nobody",
    "container logs": "nobody",
    "container stats": "",
    "container top": "nobody",
    "proxy show": "",
    "proxy sync": "",
    "run list": "",
    "run show": "1",
}
"""Arguments with which a command does its work."""


def line(command: str, **values: object) -> list[str]:
    return [*command.split(), *LINES[command].format(**values).split()]


@cache
def loaded(name: str) -> Any:
    return typer.main.get_command(importlib.import_module(COMMANDS[name][0]).app)


def leaves() -> Iterator[tuple[Path, Any]]:
    """Every command that does something, and its parser."""
    for name in COMMANDS:
        yield from _below((name,), loaded(name))


def _below(path: Path, command: Any) -> Iterator[tuple[Path, Any]]:
    if not hasattr(command, "commands"):
        yield path, command
        return
    for name, child in command.commands.items():
        yield from _below((*path, name), child)


def find(words: list[str]) -> tuple[Path, Any, list[str]]:
    """The command that a command line begins with, its parser, and the rest of the line. LookupError: there is none."""
    command, path, rest = loaded(words[0]), [words[0]], words[1:]
    while hasattr(command, "commands"):
        if not rest or rest[0] not in command.commands:
            raise LookupError(" ".join(words))
        command, path, rest = command.commands[rest[0]], [*path, rest[0]], rest[1:]
    return tuple(path), command, rest
