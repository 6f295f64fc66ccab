"""`vpsctl cred reveal`, `use`, `test`: what opens a value."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from vpsctl.cli import output
from vpsctl.cli.cred_details import Bucket, Endpoint, Header, KnownHosts, Region, Url, given_details
from vpsctl.cli.opened import open_app
from vpsctl.errors import Failed, Invalid, Unavailable

if TYPE_CHECKING:
    from vpsctl.credentials.prove import Proof

COMMAND = "vpsctl.command"
Name = Annotated[str, typer.Argument(help="The credential.")]
Project = Annotated[str | None, typer.Option(help="As the sites of this project see it: its own before the machine's.")]


class WithCommand(TyperCommand):
    """Takes what stands behind the first `--` apart, which click would add to the names before it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        at = args.index("--") if "--" in args else len(args)
        ctx.meta[COMMAND] = args[at + 1 :]
        return super().parse_args(ctx, args[:at])

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return [*super().collect_usage_pieces(ctx), "-- COMMAND…"]


def reveal(
    name: Name,
    version: Annotated[int | None, typer.Option(min=1, max=2**63 - 1, help="This version; otherwise the newest.")] = None,
    field: Annotated[str | None, typer.Option(help="Only this part of it, such as password.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why; the audit trail keeps it. Asked for on a terminal.")] = None,
    stdout: Annotated[bool, typer.Option("--stdout", help="Print it although stdout is no terminal.")] = False,
    project: Project = None,
) -> None:
    """Show a value to you, on the terminal only. The audit trail says who and why; at most 10 an hour.

    Example: vpsctl cred reveal DB_PASSWORD --reason "moving the shop to another host"
    """
    from vpsctl.credentials.reveal import checked_reason, reveal_credential

    if not stdout and (output.mode.json or not sys.stdout.isatty()):
        hint = "add --stdout, or hand it to a program unseen: vpsctl cred use NAME -- COMMAND"
        raise Invalid("a value is shown on a terminal only, and stdout is none", hint=hint)
    why = checked_reason(reason if reason is not None else asked_reason("a reveal"))
    with open_app() as opened:
        result = reveal_credential(opened, name, project=project, version=version, field=field, reason=why)
    value = result.value.reveal()
    shown = {
        "name": result.name,
        "project": result.project,
        "kind": result.kind,
        "version": result.version,
        "field": result.field,
        "value": value,
    }
    output.show(shown, lambda _: output.write(value.removesuffix("\n")))


def asked_reason(what: str) -> str:
    """Raises Invalid when nobody can be asked."""
    if output.mode.json or not sys.stdin.isatty():
        raise Invalid(f"{what} needs a reason, and nobody can be asked here", hint='add --reason "why"')
    output.say("Why (the audit trail keeps it): ", end="")
    return sys.stdin.readline()


def use(
    context: typer.Context,
    names: Annotated[list[str], typer.Argument(metavar="NAME…", help="The credentials.")],
    project: Project = None,
) -> None:
    """Run a command with credentials at hand.

    They are in its environment: NAME, of each field NAME_PASSWORD and so on, NAME_FILE for keys in files. S3 keys also
    come as AWS_ACCESS_KEY_ID and so on, a service account as GOOGLE_APPLICATION_CREDENTIALS, where there is one of them.
    vpsctl becomes the command: exit code, signals and terminal are the command's own.

    Example: vpsctl cred use REPORTS_URL --project acme -- ./report.py --month 2026-10
    """
    from vpsctl.credentials.become import become
    from vpsctl.credentials.use import use_credentials

    command: list[str] = context.meta.get(COMMAND, [])
    if not command:
        raise Invalid("there is no command to run", hint=f"vpsctl cred use {names[0]} -- COMMAND")
    program = shutil.which(command[0])
    if program is None:
        raise Invalid(f"there is no program {command[0]!r}", hint="give its path, or install it")
    with open_app() as opened:
        handed = use_credentials(opened, names, Path(program).name, project=project)
    become(program, command, handed)


def test(
    name: Name,
    project: Project = None,
    url: Url = None,
    endpoint: Endpoint = None,
    bucket: Bucket = None,
    region: Region = None,
    header: Header = None,
    known_hosts: KnownHosts = None,
    code: Annotated[str | None, typer.Option(help="What an authenticator shows now, for a TOTP seed.")] = None,
) -> None:
    """Really connect with a credential. To where it says, or to what is given here.

    Exit code 6 when it is refused, 5 when nothing answers.

    Example: vpsctl cred test YESPO --project acme
    """
    from vpsctl.credentials.prove import prove_credential

    details = given_details(url, endpoint, bucket, region, header, known_hosts) | ({"code": code} if code else {})
    with open_app() as opened:
        result = prove_credential(opened, name, project=project, details=details)
    if result.ok is not False:
        output.show(result, _proved)
        return
    failed = _failed(result)
    if not output.mode.json:
        raise failed
    output.show(result, _proved)  # what is on stdout is one document
    output.say(f"error: {failed.message}")
    raise typer.Exit(output.EXIT[type(failed)])


def _failed(found: Proof) -> Failed | Unavailable:
    message, own = f"{found.name}: {found.told}", f" --project {found.project}" if found.project else ""
    if found.reached:
        return Failed(message, hint=f"vpsctl cred set {found.name}{own} stores another value")
    hint = f"this tells nothing of its value; where it is tried: vpsctl cred show {found.name}{own}"
    return Unavailable(message, hint=hint)


def _proved(found: Proof) -> None:
    output.write(f"{found.name}: {found.told}")
