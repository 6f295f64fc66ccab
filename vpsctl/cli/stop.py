"""`vpsctl stop`."""

from typing import Annotated

import typer

from vpsctl.cli import output
from vpsctl.cli.known_sites import Site
from vpsctl.cli.opened import open_app

app = typer.Typer()


@app.command()
def stop(
    site: Site,
    service: Annotated[str | None, typer.Option(help="Only this service.")] = None,
) -> None:
    """Stop a site's containers; nothing is removed, and they stay stopped over a reboot.

    Example: vpsctl stop shop
    """
    from vpsctl.cli.progress import report
    from vpsctl.sites.lifecycle import stop_site

    with open_app() as opened:
        result = stop_site(opened, site, service=service, report=report)
    output.show(result, lambda acted: output.write(f"{acted.site}: {len(acted.containers)} stopped"))
    output.note(f"visitors wait, then get 502; a page for them: vpsctl site maintenance on {site}")
