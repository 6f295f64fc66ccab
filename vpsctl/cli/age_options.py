"""What commands share that write or open age files: identity files, and passphrases asked of a person."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from vpsctl.cli.opened import ask
from vpsctl.errors import Invalid, NotFound
from vpsctl.secret import Secret

Recipients = Annotated[
    list[str] | None, typer.Option("--recipient", help="An age or SSH public key that can open it; may be repeated.")
]
Identities = Annotated[
    list[Path] | None, typer.Option("--identity", help="A file with an age or SSH private key; may be repeated.")
]
WithPassphrase = Annotated[bool, typer.Option("--passphrase", help="Ask for a passphrase on the terminal.")]


def read_identities(paths: Sequence[Path] | None) -> list[Secret]:
    """The texts of identity files. Raises NotFound, Invalid when one cannot be read."""
    return [_text(path) for path in paths or ()]


def _text(path: Path) -> Secret:
    try:
        return Secret(path.read_text())
    except FileNotFoundError as error:
        raise NotFound(f"there is no identity file {path}", hint="age-keygen -o FILE makes one") from error
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"the identity file {path} cannot be read", hint=f"ls -l {path}") from error


def ask_new_passphrase(wanted: bool) -> Secret | None:
    """Asked twice; None when it is not wanted. Raises Invalid when the two differ, or nobody can be asked."""
    if not wanted:
        return None
    passphrase = _ask("Passphrase (not shown): ")
    if _ask("The same again: ") != passphrase:
        raise Invalid("the two passphrases differ, and nothing was written", hint="run it again")
    return passphrase


def ask_passphrase(wanted: bool) -> Secret | None:
    """Asked once, to open something; None when it is not wanted. Raises Invalid when nobody can be asked."""
    return _ask("Passphrase (not shown): ") if wanted else None


def _ask(prompt: str) -> Secret:
    if not sys.stdin.isatty():
        hint = "run it on a terminal, or give keys: --recipient to encrypt, --identity to open"
        raise Invalid("nobody can be asked for a passphrase here", hint=hint)
    return ask(prompt)
