"""`vpsctl exec`."""

import sys
from typing import Annotated

import typer

from vpsctl.cli import output
from vpsctl.cli.known_sites import Site
from vpsctl.cli.opened import open_app

app = typer.Typer()


@app.command(context_settings={"ignore_unknown_options": False})
def exec_(
    site: Site,
    command: Annotated[list[str], typer.Argument(metavar="-- COMMAND…", help="The command and its arguments.")],
    service: Annotated[str | None, typer.Option(help="The service; otherwise the web service.")] = None,
    user: Annotated[str | None, typer.Option(help="Run as this user of the container.")] = None,
) -> None:
    """Run a command in a running container, on a terminal when there is one; its exit code is ours.

    With --json it gets no input, and what it prints comes as one object with its exit code.

    Example: vpsctl exec shop --service db -- psql -U postgres
    """
    from vpsctl.sites.exec import capture_in_container, run_in_container

    with open_app() as opened:
        if output.mode.json:
            result = capture_in_container(opened, site, command, service=service, user=user)
            output.show(result, lambda _: None)
            raise typer.Exit(result.exit_code)
        tty = sys.stdin.isatty() and sys.stdout.isatty()
        raise typer.Exit(run_in_container(opened, site, command, service=service, user=user, tty=tty))
