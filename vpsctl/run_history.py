"""What runs there were and how they went: the reading side of `runs`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from vpsctl.app import App
from vpsctl.db.lock import held_by
from vpsctl.db.models import Run, RunLine, RunStep
from vpsctl.errors import NotFound
from vpsctl.runs import alive


@dataclass(frozen=True)
class RunError:
    code: str
    message: str
    hint: str


@dataclass(frozen=True)
class RunInfo:
    id: int
    kind: str
    subject: str
    state: str
    """running, interrupted (its process died), succeeded, failed or undone."""
    actor: str
    door: str
    host: str
    pid: int
    detail: dict[str, Any]
    error: RunError | None
    started_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True)
class StepInfo:
    position: int
    name: str
    state: str
    """running, interrupted, succeeded, failed or skipped."""
    detail: dict[str, Any]
    started_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True)
class LineInfo:
    seq: int
    step: str | None
    at: datetime
    text: str


@dataclass(frozen=True)
class RunRecord:
    run: RunInfo
    steps: tuple[StepInfo, ...]
    lines: tuple[LineInfo, ...]


def list_runs(app: App, subject: str | None = None, kind: str | None = None, limit: int = 20) -> list[RunInfo]:
    """The newest runs first."""
    query = select(Run).order_by(Run.id.desc()).limit(limit)
    query = query if subject is None else query.where(Run.subject == subject)
    query = query if kind is None else query.where(Run.kind == kind)
    with app.database.transaction() as session:
        return [_info(session, row) for row in session.scalars(query)]


def find_interrupted(session: Session, subject: str) -> list[RunInfo]:
    """The runs of `subject` whose process died half way, oldest first: resume or undo them before anything new."""
    query = select(Run).where(Run.subject == subject, Run.state == "running").order_by(Run.id)
    found = [_info(session, row) for row in session.scalars(query)]
    return [run for run in found if run.state == "interrupted"]


def show_run(app: App, run_id: int, *, after: int = 0) -> RunRecord:
    """One run with its steps, and its log lines whose seq is above `after`. Raises NotFound."""
    with app.database.transaction() as session:
        row = session.get(Run, run_id)
        if row is None:
            raise NotFound(f"there is no run {run_id}", hint="vpsctl run list")
        info = _info(session, row)
        steps = session.scalars(select(RunStep).where(RunStep.run_id == run_id).order_by(RunStep.position)).all()
        lines = select(RunLine).where(RunLine.run_id == run_id, RunLine.seq > after).order_by(RunLine.seq)
        told = tuple(LineInfo(line.seq, line.step, line.at, line.text) for line in session.scalars(lines))
        return RunRecord(info, _steps(info, steps), told)


def _info(session: Session, row: Run) -> RunInfo:
    lost = row.state == "running" and held_by(session.connection(), f"run:{row.id}") is None and not alive(row)
    return RunInfo(
        id=row.id,
        kind=row.kind,
        subject=row.subject,
        state="interrupted" if lost else row.state,
        actor=row.actor,
        door=row.door,
        host=row.host,
        pid=row.pid,
        detail=row.detail,
        error=RunError(**row.error) if row.error else None,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )


def _steps(run: RunInfo, rows: Sequence[RunStep]) -> tuple[StepInfo, ...]:
    lost = run.state == "interrupted"
    return tuple(
        StepInfo(
            step.position,
            step.name,
            "interrupted" if lost and step.state == "running" else step.state,
            step.detail,
            step.started_at,
            step.finished_at,
        )
        for step in rows
    )
