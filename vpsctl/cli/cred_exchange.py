"""`vpsctl cred import`, `export`."""

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
from vpsctl.cli.cred_open import asked_reason
from vpsctl.cli.opened import open_app
from vpsctl.errors import Invalid

if TYPE_CHECKING:
    from vpsctl.credentials.exchange.export import Exported
    from vpsctl.credentials.exchange.store import Imported

STDIN = Path("/dev/stdin")


def import_(
    file: Annotated[Path, typer.Argument(help="The file, or - for stdin.", metavar="FILE|-")],
    format_: Annotated[
        str, typer.Option("--format", help="auto, dotenv, json, vault, infisical, doppler, bitwarden, sops or vpsctl.")
    ] = "auto",
    project: Annotated[str | None, typer.Option(help="For this project; otherwise for every site.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Also where another value is there already.")] = False,
    only: Annotated[list[str] | None, typer.Option(help="Only this one; may be repeated.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be stored, and store nothing.")] = False,
    identity: Identities = None,
    passphrase: WithPassphrase = False,
) -> None:
    """Store what a .env, SOPS or JSON file holds. Or an export of another vault; all of it or nothing.

    Example: vpsctl cred import .env --project acme --dry-run
    """
    from vpsctl.credentials.exchange.read import Keys, read_credentials_file
    from vpsctl.credentials.exchange.store import import_credentials

    path, form = STDIN if file == Path("-") else file, None if format_ == "auto" else format_
    keys = Keys(tuple(read_identities(identity)), ask_passphrase(passphrase))
    with open_app() as opened:
        found = read_credentials_file(path, form=form, only=only or (), keys=keys)
        result = import_credentials(opened, found, project=project, replace=replace, dry_run=dry_run)
    output.show(result, _imported)


def _imported(done: Imported) -> None:
    would = "would be " if done.dry_run else ""
    rows = [(name, version or None, f"{would}added") for name, version in done.added.items()]
    rows += [(name, version or None, f"{would}changed") for name, version in done.changed.items()]
    rows += [(name, None, "is there with this value") for name in done.unchanged]
    rows += [(name, None, "is there with another value: --replace") for name in done.refused]
    output.table(("credential", "version", "what"), rows)
    for slug in done.projects:
        output.note(f"project {slug} is new")


def export(
    to: Annotated[Path, typer.Option(help="The new file (0600).")],
    recipient: Recipients = None,
    passphrase: WithPassphrase = False,
    project: Annotated[str | None, typer.Option(help="Only those of this project.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why; the audit trail keeps it. Asked for on a terminal.")] = None,
) -> None:
    """Write all values to a file that only age opens. The newest of each; never in the clear.

    Example: vpsctl cred export --to acme.age --recipient age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p
    """
    from vpsctl.credentials.exchange.export import export_credentials
    from vpsctl.credentials.reveal import checked_reason

    if bool(recipient) == passphrase:
        raise Invalid(
            "an export needs somebody who can open it, by a key or by a passphrase",
            hint="give --recipient KEY, or --passphrase",
        )
    why = checked_reason(reason if reason is not None else asked_reason("an export"))
    secret = ask_new_passphrase(passphrase)
    with open_app() as opened:
        result = export_credentials(
            opened, to=to, reason=why, project=project, recipients=recipient or (), passphrase=secret
        )
    output.show(result, _exported)


def _exported(done: Exported) -> None:
    count = len(done.credentials)
    output.write(f"{count} credential{'s' * (count != 1)} in {done.path}, {output.size(done.size)}")
