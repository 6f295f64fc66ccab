"""`vpsctl env`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from vpsctl.cli import output
from vpsctl.cli.known_sites import Site
from vpsctl.cli.opened import open_app
from vpsctl.errors import Invalid

if TYPE_CHECKING:
    from vpsctl.sites.environment import Variable

app = typer.Typer(no_args_is_help=True, help="The variables of a site; passwords belong into credentials (vpsctl cred).")
Service = Annotated[str | None, typer.Option(help="Only for this service; otherwise the web service and every ${…}.")]


@app.command("list")
def list_(site: Site) -> None:
    """The variables, and which of them wait for a deploy.

    Example: vpsctl env list shop
    """
    from vpsctl.sites.environment import list_variables

    with open_app() as opened:
        result = list_variables(opened, site)
    output.show(result, _render)


@app.command("set")
def set_(site: Site, values: Annotated[list[str], typer.Argument(metavar="NAME=VALUE…")], service: Service = None) -> None:
    """Set variables; the next deploy applies them.

    Example: vpsctl env set shop VERSION=2
    """
    from vpsctl.sites.environment import set_variables

    wrong = [item for item in values if "=" not in item]
    if wrong:
        raise Invalid(f"{wrong[0]!r} is not NAME=VALUE", hint=f"vpsctl env set {site} NAME=VALUE")
    with open_app() as opened:
        result = set_variables(opened, site, dict(item.split("=", 1) for item in values), service=service)
    output.show(result, _render)
    output.note(f"applied by the next deploy: vpsctl deploy {site}")


@app.command("unset")
def unset(site: Site, names: Annotated[list[str], typer.Argument(metavar="NAME…")], service: Service = None) -> None:
    """Remove variables; the next deploy applies it.

    Example: vpsctl env unset shop VERSION
    """
    from vpsctl.sites.environment import unset_variables

    with open_app() as opened:
        result = unset_variables(opened, site, names, service=service)
    output.show(result, _render)
    output.note(f"applied by the next deploy: vpsctl deploy {site}")


def _render(found: tuple[Variable, ...]) -> None:
    output.table(
        ("name", "value", "service", "note"),
        [(item.name, item.value, item.service or "", "" if item.deployed else "waits for a deploy") for item in found],
    )
