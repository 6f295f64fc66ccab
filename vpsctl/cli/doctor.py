"""vpsctl doctor."""

from typing import TYPE_CHECKING

import typer

from vpsctl.cli import output
from vpsctl.cli.opened import open_app

if TYPE_CHECKING:
    from vpsctl.hosts.doctor import Diagnosis

app = typer.Typer(help="Check this machine, and say how to mend what is wrong.")
COLOURS = {"ok": "32", "warn": "33", "fail": "31", "skipped": "2"}


@app.command("doctor")
def doctor() -> None:
    """Check the engine, the disk, the memory, the foundation, ports, DNS and more; say how to mend what is wrong.

    Exit code 6 when a check fails; a warning is not a failure.

    Example: vpsctl doctor
    """
    from vpsctl.hosts.doctor import doctor as examine

    with open_app(before_init=True) as opened:
        diagnosis = examine(opened)
    output.show(diagnosis, _render)
    if diagnosis.state == "fail":
        raise typer.Exit(6)


def _render(diagnosis: "Diagnosis") -> None:
    for check in diagnosis.checks:
        output.write(f"{output.colour(f'{check.state:7}', COLOURS[check.state])} {check.name}: {check.message}")
        if check.mend:
            output.write(f"        {output.colour('mend:', '2')} {check.mend}")
    counts = {state: sum(check.state == state for check in diagnosis.checks) for state in COLOURS}
    output.write(", ".join(f"{count} {state}" for state, count in counts.items() if count))
