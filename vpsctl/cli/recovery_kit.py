"""`vpsctl recovery-kit`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vpsctl.cli import output
from vpsctl.cli.age_options import (
    Identities,
    Recipients,
    WithPassphrase,
    ask_new_passphrase,
    ask_passphrase,
    read_identities,
)
from vpsctl.cli.opened import open_app
from vpsctl.errors import Invalid, NotFound

if TYPE_CHECKING:
    from vpsctl.keys.kit import Kit, KitContent

app = typer.Typer(no_args_is_help=True, help="The recovery kit: the master keys in one encrypted file, for the worst day.")


@app.command("create")
def create(
    to: Annotated[Path, typer.Option(help="The file to write; it must not be there yet.")],
    recipient: Recipients = None,
    passphrase: WithPassphrase = False,
) -> None:
    """Write every master key and the settings into one age file, to be kept away from this machine.

    Give --recipient, whose private key is not on this machine, or --passphrase. It holds no credential.

    Example: vpsctl recovery-kit create --to kit.age --passphrase
    """
    from vpsctl.keys.kit import create_kit

    if bool(recipient) == passphrase:
        raise Invalid("say who is to open the kit", hint="give --recipient KEY, or --passphrase")
    secret = ask_new_passphrase(passphrase)
    with open_app() as opened:
        result = create_kit(opened, to=to, recipients=recipient or (), passphrase=secret)
    output.show(result, _created)
    output.note("take it away from this machine; what it is for: vpsctl key restore --kit FILE")


def _created(done: Kit) -> None:
    older = f" and {len(done.older)} older" if done.older else ""
    output.write(f"{done.path} holds master key {done.key_id}{older}")


@app.command("show")
def show(
    file: Annotated[Path, typer.Argument(help="The recovery kit.")],
    identity: Identities = None,
    passphrase: WithPassphrase = False,
) -> None:
    """What is in a kit: ids and dates, never a key. Works on any machine.

    Example: vpsctl recovery-kit show kit.age --identity key.txt
    """
    from vpsctl.keys.kit import show_kit

    if bool(identity) == passphrase:
        raise Invalid("say what opens the kit", hint="give --identity FILE, or --passphrase")
    data = read_kit(file)
    result = show_kit(data, identities=read_identities(identity), passphrase=ask_passphrase(passphrase))
    output.show(result, _render)


def read_kit(path: Path) -> bytes:
    """The bytes of a kit, for `vpsctl key restore` too. Raises NotFound, Invalid when it cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise NotFound(f"there is no recovery kit {path}", hint="give the file that recovery-kit create wrote") from error
    except OSError as error:
        raise Invalid(f"cannot read {path}: {error.strerror}", hint=f"ls -l {path}") from error


def _render(found: KitContent) -> None:
    settings = "and its settings" if found.settings else "and no settings file"
    output.write(f"recovery kit of {found.instance} in {found.home}, {found.created_at:%Y-%m-%d %H:%M:%S}, {settings}")
    rows = [(key.key_id, "active" if key.active else "older", _date(key.created_at)) for key in found.keys]
    output.table(("key", "state", "since"), rows)


def _date(moment: object) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else ""
