"""`vpsctl login-link`. Root on the machine may let anybody in, and makes the first administrator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from vpsctl.cli import output
from vpsctl.cli.only_on_terminal import check_terminal
from vpsctl.cli.opened import open_app

if TYPE_CHECKING:
    from vpsctl.users.login_link import LoginLinkCreated

app = typer.Typer()


@app.command()
def login_link(
    name: Annotated[str | None, typer.Argument(help="The user; otherwise you, or the only administrator.")] = None,
    url: Annotated[str | None, typer.Option(help="The dashboard's address, instead of the setting public_url.")] = None,
    stdout: Annotated[bool, typer.Option("--stdout", help="Print it even when stdout is no terminal.")] = False,
) -> None:
    """A link that logs a user in once, within ten minutes; the dashboard must be running to open it.

    Where there is no user at all yet, it makes this one, as administrator. An older link of theirs stops working.

    Example: vpsctl login-link anna --url https://panel.example.com
    """
    from vpsctl.users.login_link import create_login_link

    check_terminal("the link", stdout=stdout)
    with open_app() as opened:
        result = create_login_link(opened, name, base=url)
    output.show({**vars(result), "url": result.url.reveal()}, lambda _: _created(result))


def _created(done: LoginLinkCreated) -> None:
    if done.made_administrator:
        output.note(f"{done.name} is the first user here, and administrator")
    output.note(f"good once, until {done.expires_at:%H:%M:%S} UTC:")
    output.write(done.url.reveal())
