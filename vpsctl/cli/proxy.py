"""`vpsctl proxy`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from vpsctl.cli import output
from vpsctl.cli.opened import open_app

if TYPE_CHECKING:
    from vpsctl.sites.routing import RouteState, Synced

app = typer.Typer(no_args_is_help=True, help="The routes that Caddy serves.")


@app.command()
def show() -> None:
    """Each site's route, whom its traffic goes to, and how many requests are in flight.

    Example: vpsctl proxy show
    """
    from vpsctl.sites.routing import show_routes

    with open_app() as opened:
        result = show_routes(opened)
    output.show(result, _render)


@app.command()
def sync() -> None:
    """Bring Caddy's routes back to what the current releases say.

    Example: vpsctl proxy sync
    """
    from vpsctl.sites.routing import sync_routes

    with open_app() as opened:
        result = sync_routes(opened)
    output.show(result, _tell)


def _render(found: tuple[RouteState, ...]) -> None:
    output.table(
        ("site", "domains", "tls", "release", "upstreams", "in flight", "note"),
        [
            (
                item.site,
                ", ".join(item.domains),
                item.tls,
                f"r{item.release}" if item.release else "-",
                ", ".join(item.upstreams),
                item.in_flight,
                "maintenance" if item.maintenance else "held" if item.held else "",
            )
            for item in found
        ],
    )


def _tell(result: Synced) -> None:
    output.write(f"{len(result.sites)} routes, Caddy {'was reloaded' if result.reloaded else 'had them already'}")
    for site in result.removed:
        output.write(f"removed: {site}")
    for site in result.restored:
        output.write(f"upstreams written again: {site}")
    for site in result.unread:
        output.write(f"left as it is, since it is being changed or its release cannot be read: {site}")
