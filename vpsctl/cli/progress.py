"""The steps of a run on stderr as they happen: one line each, the log only where it says something."""

import sys

from vpsctl.cli import output
from vpsctl.run_events import Event, LogLine, RunStarted, StepFinished, StepStarted

MARKS = {"succeeded": ("✓", "32"), "failed": ("✗", "31"), "skipped": ("-", "2")}


def report(event: Event) -> None:
    """The `report` of every command that runs long; silent under `--quiet` and `--json`."""
    if isinstance(event, RunStarted):
        output.mode.run = event.run_id
    if output.mode.quiet or output.mode.json:
        return
    match event:
        case RunStarted():
            output.say(f"{event.kind} {event.subject}: run {event.run_id}")
        case StepStarted():
            _show_running(event.name)
        case StepFinished():
            mark, code = MARKS[event.state]
            _erase()
            output.say(f"  {output.colour(mark, code, sys.stderr)} {event.name:<11} {event.seconds:6.2f} s")
        case LogLine():
            _erase()
            output.say(output.colour(f"    {event.text}", "2", sys.stderr))


def _show_running(name: str) -> None:
    """On a terminal the step that runs stands on the last line, until something is printed over it."""
    if sys.stderr.isatty():
        output.say(f"  … {name}", end="\r")


def _erase() -> None:
    if sys.stderr.isatty():
        output.say("\x1b[2K", end="\r")
