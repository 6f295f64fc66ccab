"""`vpsctl exec`."""

import sys
from typing import Annotated

import typer

from vpsctl.cli.opened import open_app

app = typer.Typer()


@app.command(context_settings={"ignore_unknown_options": False})
def exec_(
    site: Annotated[str, typer.Argument(help="The site.")],
    command: Annotated[list[str], typer.Argument(metavar="-- COMMAND…", help="The command and its arguments.")],
    service: Annotated[str | None, typer.Option(help="The service; otherwise the web service.")] = None,
    user: Annotated[str | None, typer.Option(help="Run as this user of the container.")] = None,
) -> None:
    """Run a command in a running container, on a terminal when there is one; its exit code is ours.

    Example: vpsctl exec shop --service db -- psql -U postgres
    """
    from vpsctl.sites.exec import run_in_container

    with open_app() as opened:
        tty = sys.stdin.isatty() and sys.stdout.isatty()
        code = run_in_container(opened, site, command, service=service, user=user, tty=tty)
    raise typer.Exit(code)
