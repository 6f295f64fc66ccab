"""`vpsctl start`."""

import typer

from vpsctl.cli import output
from vpsctl.cli.known_sites import Site
from vpsctl.cli.opened import open_app

app = typer.Typer()


@app.command()
def start(
    site: Site,
) -> None:
    """Start the containers of the release that should serve.

    Example: vpsctl start shop
    """
    from vpsctl.cli.progress import report
    from vpsctl.sites.lifecycle import start_site

    with open_app() as opened:
        result = start_site(opened, site, report=report)
    output.show(result, lambda acted: output.write(f"{acted.site}: {len(acted.containers)} started"))
