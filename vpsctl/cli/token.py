"""`vpsctl token`. Root on the machine may make one for any user; what it can do is what that user may."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from vpsctl.cli import output
from vpsctl.cli.only_on_terminal import check_terminal
from vpsctl.cli.opened import ask, open_app
from vpsctl.errors import Invalid
from vpsctl.secret import Secret

if TYPE_CHECKING:
    from vpsctl.users.check_token import TokenChecked
    from vpsctl.users.create_token import TokenCreated
    from vpsctl.users.list_tokens import TokenInfo
    from vpsctl.users.revoke_token import TokenRevoked

app = typer.Typer(no_args_is_help=True, help="API tokens: made for a user, with scopes and an end.")
LIFETIME = re.compile(r"([0-9]{1,6})([mhdwy])")
UNITS = {
    "m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1),
    "y": timedelta(days=365),
}  # fmt: skip
SCOPES = """\b
Scopes: read, logs, deploy, operate, backup, pipeline, restore, exec,
site.write, project.write, credential.use, credential.write,
credential.reveal, audit.read, user.write, key.write, host.write."""


@app.command("create", epilog=SCOPES)
def create(
    user: Annotated[str, typer.Option(help="Whose: it can do no more than they may, now and later.")],
    name: Annotated[str, typer.Option(help="What it is for, such as ci.")],
    scope: Annotated[list[str], typer.Option(help="What it can do, see below; repeatable.")],
    project: Annotated[str | None, typer.Option(help="Good for this project only.")] = None,
    expires: Annotated[str, typer.Option(help="How long it lives, such as 12h, 30d or 1y; at most a year.")] = "90d",
    from_: Annotated[list[str] | None, typer.Option("--from", help="Only from this network or address; repeatable.")] = None,
    stdout: Annotated[bool, typer.Option("--stdout", help="Print it even when stdout is no terminal.")] = False,
) -> None:
    """Make a token and show it, this once.

    Example: vpsctl token create --user anna --name ci --scope deploy --project acme --from 203.0.113.0/24
    """
    from vpsctl.users.create_token import TokenWanted, create_token

    check_terminal("the token", stdout=stdout)
    wanted = TokenWanted(name, scope, project, lifetime(expires), from_ or ())
    with open_app() as opened:
        result = create_token(opened, user, wanted)
    output.show({**vars(result), "token": result.token.reveal()}, lambda _: _created(result))


def lifetime(text: str) -> timedelta:
    """`12h`, `30d`, `2w`, `1y`. Raises Invalid."""
    found = LIFETIME.fullmatch(text)
    if found is None:
        raise Invalid(f"--expires {text!r} is not a time to live", hint="write it like 12h, 30d, 2w or 1y")
    return int(found[1]) * UNITS[found[2]]


def _created(done: TokenCreated) -> None:
    output.note(f"token {done.id} of {done.user}, good until {done.expires_at:%Y-%m-%d %H:%M} UTC; it is not shown again:")
    output.write(done.token.reveal())


@app.command("list")
def list_(user: Annotated[str | None, typer.Option(help="Only theirs.")] = None) -> None:
    """The tokens, the newest first; never the secret in them.

    Example: vpsctl token list --user anna
    """
    from vpsctl.users.list_tokens import list_tokens

    with open_app() as opened:
        result = list_tokens(opened, user=user)
    output.show(result, token_table)


def token_table(found: Sequence[TokenInfo]) -> None:
    output.table(
        ("id", "user", "name", "state", "scopes", "project", "from", "expires", "last used", "last used from"),
        [
            (
                item.id,
                item.user,
                item.name,
                item.state,
                " ".join(item.scopes),
                item.project or "(all)",
                " ".join(item.addresses) or "anywhere",
                f"{item.expires_at:%Y-%m-%d %H:%M}",
                f"{item.last_used_at:%Y-%m-%d %H:%M}" if item.last_used_at else "never",
                item.last_used_from,
            )
            for item in found
        ],
        {"valid": "32", "expired": "33", "revoked": "31", "disabled": "31"},
    )


@app.command("revoke")
def revoke(token: Annotated[str, typer.Argument(metavar="ID", help="As vpsctl token list shows it.")]) -> None:
    """Refuse a token from now on.

    Example: vpsctl token revoke AB12CD34
    """
    from vpsctl.users.revoke_token import revoke_token

    with open_app() as opened:
        result = revoke_token(opened, token)
    output.show(result, _revoked)


def _revoked(done: TokenRevoked) -> None:
    told = "is revoked" if done.changed else f"was revoked already, {done.revoked_at:%Y-%m-%d %H:%M:%S}"
    output.write(f"token {done.id} of {done.user} ({done.name}) {told}")


@app.command("check")
def check(
    address: Annotated[str | None, typer.Option(help="Whether it is accepted from this address.")] = None,
    permission: Annotated[str | None, typer.Option(help="Whether it may do this, such as deploy.")] = None,
    project: Annotated[str | None, typer.Option(help="… in this project; otherwise on the whole machine.")] = None,
) -> None:
    """Read a token from stdin, and say whose it is and whether it is accepted. Exit code 6 when it is not, or may not.

    Example: vpsctl token check --permission deploy --project acme
    """
    from vpsctl.users.check_token import Question, check_token

    token = _read()
    with open_app() as opened:
        result = check_token(opened, token, Question(address, permission, project))
    output.show(result, lambda done: _checked(done, permission, project))
    if not result.accepted or result.may is False:
        raise typer.Exit(6)


def _read() -> Secret:
    if sys.stdin.isatty():
        return Secret(ask("Token (not shown): ").reveal().strip())
    try:
        return Secret(sys.stdin.buffer.read(4096).decode().strip())
    except UnicodeDecodeError:
        return Secret("")  # which is no token either


def _checked(done: TokenChecked, permission: str | None, project: str | None) -> None:
    output.write(f"token {done.id}: {'accepted' if done.accepted else f'not accepted, {done.reason}'}")
    if done.token is not None:
        token_table([done.token])
    if permission is not None:
        where = f"in {project}" if project else "on the whole machine"
        output.write(f"{permission} {where}: {'yes' if done.may else 'no'}")
