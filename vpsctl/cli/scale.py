"""`vpsctl scale`."""

from typing import Annotated

import typer

from vpsctl.cli import output
from vpsctl.cli.known_sites import Site
from vpsctl.cli.opened import open_app
from vpsctl.errors import Invalid

app = typer.Typer()


@app.command()
def scale(
    site: Site,
    target: Annotated[str, typer.Argument(metavar="SERVICE=N", help="The service and how many containers it has.")],
) -> None:
    """Change how many containers a service has, now and in the releases to come.

    Example: vpsctl scale shop app=3
    """
    from vpsctl.cli.progress import report
    from vpsctl.sites.scale import scale as run_scale

    service, _, count = target.partition("=")
    if not service or not count.isdecimal() or not count.isascii():
        raise Invalid(f"{target!r} is not SERVICE=N", hint=f"vpsctl scale {site} app=2")
    with open_app() as opened:
        result = run_scale(opened, site, service, int(count), report=report)
    output.show(result, lambda done: output.write(f"{done.site} {done.service}: {done.before} -> {done.after}"))
