"""vpsctl budget."""

from typing import TYPE_CHECKING

import typer

from vpsctl.cli import output
from vpsctl.cli.opened import open_app

if TYPE_CHECKING:
    from vpsctl.sites.capacity import Budget

app = typer.Typer(help="The sum of every cap against what the machine has.")


@app.command("budget")
def budget() -> None:
    """The memory and CPU caps of the foundation, of every site and of all else that runs, against the machine.

    Example: vpsctl budget
    """
    from vpsctl.sites.caps import read_budget

    with open_app(before_init=True) as opened:
        output.show(read_budget(opened), _render)


def _render(found: "Budget") -> None:
    rows: list[tuple[str, ...]] = []
    for share in found.shares:
        uncapped = f"{share.uncapped} without a limit" if share.uncapped else ""
        rows.append((share.kind, share.name, str(share.containers), output.size(share.memory), f"{share.cpus:g}", uncapped))
    rows += [
        (
            "total",
            "",
            str(sum(share.containers for share in found.shares)),
            output.size(found.memory),
            f"{found.cpus:g}",
            "",
        ),
        ("machine", "", "", output.size(found.machine.memory), f"{found.machine.cpus}", ""),
        ("left", "", "", output.size(found.memory_left), f"{found.cpus_left:g}", _verdict(found)),
    ]
    output.table(("KIND", "NAME", "CONTAINERS", "MEMORY", "CPUS", "NOTE"), rows)


def _verdict(found: "Budget") -> str:
    if found.memory_left < 0:
        return "the limits together are more memory than the machine has"
    return "containers without a limit may take it all" if found.uncapped else ""
