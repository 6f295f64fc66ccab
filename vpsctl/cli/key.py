"""`vpsctl key`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vpsctl.cli import output
from vpsctl.cli.age_options import Identities, WithPassphrase, ask_passphrase, read_identities
from vpsctl.cli.opened import open_app
from vpsctl.errors import Invalid

if TYPE_CHECKING:
    from vpsctl.keys.kit import RestoredKey
    from vpsctl.keys.rotate import Rotated
    from vpsctl.keys.status import KeyStatus, KnownKey, Provider
    from vpsctl.vault.key import Kept

app = typer.Typer(no_args_is_help=True, help="The master key: where it is kept, its rotation, its recovery.")
COLOURS = {"active": "32", "retiring": "33", "unknown": "31", "in use": "32"}


@app.command("status")
def status() -> None:
    """The key in force, the older ones, and how many stored values are under each.

    Example: vpsctl key status
    """
    from vpsctl.keys.status import key_status

    with open_app() as opened:
        result = key_status(opened)
    output.show(result, _render_status)


def _render_status(found: KeyStatus) -> None:
    output.write(f"master key {_kept(found.active)}" if found.active else f"no master key from {found.path}")
    if found.problem:
        output.say(output.colour(f"it cannot be used: {found.problem}", "31"))
        output.say(f"mend: {found.mend}")
    if found.active and not found.registered:
        output.say(output.colour(f"{found.path} does not hold this installation's active key, see below", "31"))
    if found.staged:
        output.say(output.colour(f"a rotation to {_kept(found.staged)} was interrupted", "33"))
        output.say("mend: vpsctl key rotate")
    if found.keys:
        output.write()
        columns = ("key", "state", "since", "retired", "can be opened", "values", "where")
        output.table(columns, [_row(key) for key in found.keys], COLOURS)


def _kept(kept: Kept) -> str:
    return f"{kept.key_id}, by provider {kept.provider}: {kept.place}"


def _row(key: KnownKey) -> tuple[object, ...]:
    return (
        key.key_id,
        key.state,
        f"{key.since:%Y-%m-%d %H:%M:%S}" if key.since else "",
        f"{key.retired_at:%Y-%m-%d %H:%M:%S}" if key.retired_at else "",
        "yes" if key.kept else "no",
        sum(key.values.values()),
        "  ".join(f"{place} {count}" for place, count in key.values.items()),
    )


@app.command("providers")
def providers() -> None:
    """Where the master key can be kept, the best for a server first, and why not where it cannot.

    Example: vpsctl key providers
    """
    from vpsctl.keys.status import list_providers

    with open_app() as opened:
        result = list_providers(opened)
    output.show(result, _render_providers)


def _render_providers(found: tuple[Provider, ...]) -> None:
    rows = [(item.name, "in use" if item.in_use else "", "no" if item.reason else "yes", item.reason) for item in found]
    output.table(("provider", "", "works here", "because"), rows, COLOURS)


@app.command("rotate")
def rotate(
    to: Annotated[str | None, typer.Option(help="Keep the new key there; vpsctl key providers lists them.")] = None,
) -> None:
    """Make a new master key and put every stored value under it, while all goes on; goes on with a killed one.

    The old key stays, sealed under the new one, until vpsctl key remove.

    Example: vpsctl key rotate
    """
    from vpsctl.keys.rotate import rotate_key

    with open_app() as opened:
        result = rotate_key(opened, to=to, report=output.note)
    output.show(result, _render_rotated)
    if to and result.provider != to:
        output.note(f"an interrupted rotation was ended first; provider {to} comes with: vpsctl key rotate --to {to}")
    output.note("backups from before need the old key: make a new backup, and a new recovery kit")


def _render_rotated(done: Rotated) -> None:
    old = f" instead of {', '.join(done.old)}" if done.old else ""
    resumed = ", which an interrupted rotation had begun" if done.resumed else ""
    output.write(f"master key {done.new} is in force{old}{resumed}; provider {done.provider}")
    output.write(f"{done.values} stored value{'' if done.values == 1 else 's'} moved under it")


@app.command("remove")
def remove(
    key_id: Annotated[str, typer.Argument(help="Of a retired key, from vpsctl key status.")],
    force: Annotated[bool, typer.Option("--force", help="Also within seven days of its retirement.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Remove an older master key for good, once nothing stored needs it.

    Example: vpsctl key remove 0123456789abcdef --yes
    """
    from vpsctl.keys.remove import check_key_removal, remove_key

    question = f"What is under master key {key_id} in older backups can then be opened with a recovery kit only."
    with open_app() as opened:
        check_key_removal(opened, key_id, force=force)
        output.confirm(question, yes=yes)
        result = remove_key(opened, key_id, force=force)
    output.show(result, lambda done: output.write(f"master key {done.key_id} is removed"))


@app.command("restore")
def restore(
    kit: Annotated[Path, typer.Option(help="The recovery kit.")],
    identity: Identities = None,
    passphrase: WithPassphrase = False,
    key: Annotated[
        str | None, typer.Option(help="An older key in the kit, for a database from before a rotation; else the active one.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Also where another key stands, which is kept beside it.")
    ] = False,
) -> None:
    """Put the master key of a recovery kit back in its place; works without the database, and before init.

    Example: vpsctl key restore --kit kit.age --identity key.txt
    """
    from vpsctl.cli.recovery_kit import read_kit
    from vpsctl.keys.kit import record_restored, restore_key

    with open_app(before_init=True) as opened:
        if bool(identity) == passphrase:
            raise Invalid("say what opens the kit", hint="give --identity FILE, or --passphrase")
        data, keys = read_kit(kit), read_identities(identity)
        secret = ask_passphrase(passphrase)
        result = restore_key(opened.settings, data, identities=keys, passphrase=secret, name=key, replace=replace)
        record_restored(opened, result)
    output.show(result, _restored)
    output.note("check it against what is stored: vpsctl key status")


def _restored(done: RestoredKey) -> None:
    output.write(f"{done.path} {'is now' if done.changed else 'was already'} master key {done.key_id}")
    if done.kept:
        output.write(f"what stood there before is {done.kept}")
