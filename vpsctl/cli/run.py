"""`vpsctl run`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from vpsctl.cli import output
from vpsctl.cli.ages import age
from vpsctl.cli.known_sites import complete_site
from vpsctl.cli.opened import open_app

if TYPE_CHECKING:
    from datetime import datetime

    from vpsctl.run_history import RunInfo, RunRecord, StepInfo

app = typer.Typer(no_args_is_help=True, help="The history of long operations: steps, timings, log.")
COLOURS = {"succeeded": "32", "failed": "31", "interrupted": "31", "undone": "33", "running": "36"}


@app.command("list")
def list_(
    site: Annotated[str | None, typer.Argument(help="Only the runs of this site.", autocompletion=complete_site)] = None,
    kind: Annotated[str | None, typer.Option(help="Only runs of this kind, such as deploy.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many.")] = 20,
) -> None:
    """Newest first; an interrupted one's process died half way.

    Example: vpsctl run list shop
    """
    from vpsctl.run_history import list_runs

    with open_app() as opened:
        result = list_runs(opened, site, kind, limit)
    output.show(result, _render_list)


def _render_list(found: list[RunInfo]) -> None:
    output.table(
        ("run", "kind", "site", "state", "started", "took", "by", "error"),
        [
            (
                run.id,
                run.kind,
                run.subject,
                run.state,
                f"{run.started_at:%Y-%m-%d %H:%M:%S}",
                _took(run.started_at, run.finished_at),
                run.actor,
                run.error.message if run.error else "",
            )
            for run in found
        ],
        COLOURS,
    )


@app.command("show")
def show(run: Annotated[int, typer.Argument(help="The run's number, from vpsctl run list.")]) -> None:
    """The steps of a run with their timings, and its log.

    Example: vpsctl run show 12
    """
    from vpsctl.run_history import show_run

    with open_app() as opened:
        result = show_run(opened, run)
    output.show(result, _render)


def _render(record: RunRecord) -> None:
    run = record.run
    state = output.colour(run.state, COLOURS[run.state])
    output.write(f"run {run.id}: {run.kind} {run.subject}, {state}, by {run.actor} ({run.door}) in process {run.pid}")
    output.write(f"started {run.started_at:%Y-%m-%d %H:%M:%S}, took {_took(run.started_at, run.finished_at)}")
    if run.error:
        output.write(f"error: {run.error.message}")
        if run.error.hint:
            output.write(f"hint:  {run.error.hint}")
    if record.steps:
        output.write()
        output.table(("step", "state", "took", "detail"), [_row(step) for step in record.steps], COLOURS)
    if record.lines:
        output.write()
    for line in record.lines:
        output.write(f"{line.at:%H:%M:%S}  {line.step or '-':<11} {line.text}")


def _row(step: StepInfo) -> tuple[str, str, str, str]:
    detail = "  ".join(f"{key}: {value}" for key, value in step.detail.items())
    return step.name, step.state, _took(step.started_at, step.finished_at), detail


def _took(start: datetime, end: datetime | None) -> str:
    if end is None:
        return "-"
    seconds = (end - start).total_seconds()
    return f"{seconds:.2f} s" if seconds < 60 else age(seconds)
