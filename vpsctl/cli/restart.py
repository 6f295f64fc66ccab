"""`vpsctl restart`."""

from typing import Annotated

import typer

from vpsctl.cli import output
from vpsctl.cli.known_sites import Site
from vpsctl.cli.opened import open_app

app = typer.Typer()


@app.command()
def restart(
    site: Site,
    service: Annotated[str | None, typer.Option(help="Only this service.")] = None,
) -> None:
    """Restart a site's containers one after the other; requests wait or go to the others meanwhile.

    Example: vpsctl restart shop
    """
    from vpsctl.cli.progress import report
    from vpsctl.sites.lifecycle import restart_site

    with open_app() as opened:
        result = restart_site(opened, site, service=service, report=report)
    output.show(result, lambda acted: output.write(f"{acted.site}: {len(acted.containers)} restarted"))
