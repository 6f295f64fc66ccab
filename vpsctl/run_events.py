"""What a run tells whoever listens while it goes on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class RunStarted:
    run_id: int
    kind: str
    subject: str


@dataclass(frozen=True)
class StepStarted:
    run_id: int
    position: int
    name: str


@dataclass(frozen=True)
class StepFinished:
    run_id: int
    position: int
    name: str
    state: str
    """succeeded, failed or skipped."""
    seconds: float
    detail: Mapping[str, Any]


@dataclass(frozen=True)
class LogLine:
    run_id: int
    step: str | None
    text: str


Event = RunStarted | StepStarted | StepFinished | LogLine
Report = Callable[[Event], None]


def ignore(event: Event) -> None:
    """The report of a caller who does not listen."""
