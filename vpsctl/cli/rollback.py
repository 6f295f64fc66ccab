"""`vpsctl rollback`."""

from typing import Annotated

import typer

from vpsctl.cli import output
from vpsctl.cli.known_sites import Site
from vpsctl.cli.opened import open_app

app = typer.Typer()


@app.command()
def rollback(
    site: Site,
    to: Annotated[str | None, typer.Option(help="The release, such as r7; without it, the one before the current.")] = None,
) -> None:
    """Deploy an earlier release again: its images, compose file, variables and credentials as they were.

    The data in volumes and databases stays as it is now.

    Example: vpsctl rollback shop --to r7
    """
    from vpsctl.cli.deploy import render
    from vpsctl.cli.progress import report
    from vpsctl.sites.lookup import release_number
    from vpsctl.sites.rollback import rollback as run_rollback

    number = release_number(to, site) if to else None
    with open_app() as opened:
        result = run_rollback(opened, site, to=number, report=report)
    output.show(result, render)
