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

RECIPIENT = "age185k6aywckxtdm5nue4cz9zfuansd3vmwwfvu9s0cstdsjur56c7q0wf0n3"
"""Somebody's public age key."""
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
    "project add": "unused",
    "project list": "--all",
    "project show": "default",
    "project update": "default --tag used",
    "project archive": "unused",
    "project remove": "unused --yes",
    "plan": "{site}",
    "deploy": "{site}",
    "rollback": "{site}",
    "release list": "{site}",
    "env list": "{site}",
    "env set": "{site} A=1",
    "env unset": "{site} A",
    "cred add": "UNUSED --generate",
    "cred set": "UNUSED --generate",
    "cred list": "",
    "cred show": "UNUSED",
    "cred reveal": "UNUSED --reason trying --stdout",
    "cred use": "UNUSED -- true",
    "cred test": "UNUSED",
    "cred rotate": "UNUSED",
    "cred versions": "UNUSED",
    "cred rollback": "UNUSED --to 1",
    "cred destroy": "UNUSED --version 1 --confirm UNUSED",
    "cred remove": "UNUSED --yes",
    "cred usage": "UNUSED",
    "cred expiring": "",
    "cred import": f"{os.path.dirname(__file__)}/import.env",
    "cred export": f"--to {{directory}}/out.age --reason trying --recipient {RECIPIENT}",
    "key status": "",
    "key providers": "",
    "key rotate": "",
    "key remove": "0123456789abcdef --yes",
    "key restore": "--kit {directory}/kit.age --identity {directory}/key.txt",
    "recovery-kit create": f"--to {{directory}}/kit.age --recipient {RECIPIENT}",
    "recovery-kit show": "{directory}/kit.age --identity {directory}/key.txt",
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
    "user add": "anna --role viewer",
    "user list": "",
    "user show": "anna",
    "user role": "anna operator",
    "user disable": "anna",
    "user enable": "anna",
    "user mfa enroll": "anna --stdout",
    "user mfa confirm": "anna --code 123456 --stdout",
    "user mfa reset": "anna --yes",
    "token create": "--user anna --name ci --scope read --stdout",
    "token list": "",
    "token revoke": "AB12CD34",
    "token check": "",
    "login-link": "anna --stdout",
    "audit list": "",
    "audit show": "1",
    "audit verify": "",
    "audit export": "",
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
