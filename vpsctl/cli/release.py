"""`vpsctl release`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from vpsctl.cli import output
from vpsctl.cli.known_sites import Site
from vpsctl.cli.opened import open_app

if TYPE_CHECKING:
    from vpsctl.sites.releases import ReleaseInfo

app = typer.Typer(no_args_is_help=True, help="The releases of a site.")


@app.callback()
def releases() -> None: ...


@app.command("list")
def list_(site: Site) -> None:
    """Newest first; * is the one that serves.

    Example: vpsctl release list shop
    """
    from vpsctl.sites.releases import list_releases

    with open_app() as opened:
        result = list_releases(opened, site)
    output.show(result, _render)


def _render(found: tuple[ReleaseInfo, ...]) -> None:
    output.table(
        ("", "release", "made", "served", "revision", "run"),
        [
            (
                "*" if item.current else "",
                f"r{item.number}",
                f"{item.created:%Y-%m-%d %H:%M:%S}",
                f"{item.served:%Y-%m-%d %H:%M:%S}" if item.served else "never",
                (item.source.get("commit") or "")[:12] or item.source.get("image") or item.source.get("location"),
                item.run,
            )
            for item in found
        ],
    )
