"""vpsctl status."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from vpsctl.cli import output
from vpsctl.cli.ages import age
from vpsctl.cli.opened import open_app

if TYPE_CHECKING:
    from vpsctl.hosts.site_state import SiteState
    from vpsctl.hosts.status import Status

app = typer.Typer(help="The machine, the foundation and every site at a glance.")
COLOURS = {"serving": "32", "degraded": "33", "maintenance": "33", "stopped": "31", "new": "2"}


@app.command("status")
def status() -> None:
    """The machine, the foundation and every site at a glance. It works with Postgres stopped.

    Example: vpsctl status
    """
    from vpsctl.hosts.status import status as look

    with open_app(before_init=True) as opened:
        output.show(look(opened), _render)


def _render(found: "Status") -> None:
    machine = found.machine
    memory = machine.memory
    load = " ".join(f"{value:.2f}" for value in machine.load)
    output.write(f"machine: {machine.cpus} CPUs, load {load}, up {age(machine.uptime)}")
    output.write(f"memory: {output.size(memory.available)} of {output.size(memory.total)} available")
    for disk in machine.disks:
        output.write(f"disk: {output.size(disk.free)} of {output.size(disk.total)} free below {disk.path}")
    output.write("foundation: " + ", ".join(f"{part.service} {part.state}" for part in found.foundation))
    output.write()
    if found.sites:
        columns = ("SITE", "STATE", "RELEASE", "RUNNING", "MEMORY", "AGE", "DOMAINS", "SOURCE")
        output.table(columns, [_row(site, datetime.now(UTC)) for site in found.sites], COLOURS)
    else:
        output.write("No site yet: vpsctl site new NAME --template business")
    for site in found.sites:
        for line in _remarks(site):
            output.write(line)
    for note in found.notes:
        output.say(f"note: {note}")


def _row(site: "SiteState", now: datetime) -> tuple[str, ...]:
    return (
        site.name,
        site.state,
        "-" if site.release is None else f"r{site.release}",
        f"{site.running}/{site.wanted}",
        output.size(site.memory),
        "-" if site.since is None else age((now - site.since).total_seconds()),
        ", ".join(site.domains) or "-",
        site.source or "-",
    )


def _remarks(site: "SiteState") -> list[str]:
    from vpsctl.sites.due import NOT_YET

    lines = [f"{site.name}: {problem}" for problem in site.problems]
    lines += [f"{site.name}: run {run} was interrupted: vpsctl deploy resume {site.name}" for run in site.interrupted]
    if site.pending:
        waits = NOT_YET if site.pending == (NOT_YET,) else f"needs deploy: {', '.join(site.pending)}"
        lines.append(f"{site.name}: {waits}: vpsctl deploy {site.name}")
    return lines
