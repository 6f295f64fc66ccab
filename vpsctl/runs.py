"""Runs: every long operation leaves its steps, timings and log in Postgres while it goes, so that it can be resumed.

A run that is `running` holds the advisory lock `run:<id>`; one that is `running` without it was interrupted.
"""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from vpsctl.app import App
from vpsctl.audit.record import check_trail, record, recorded_since
from vpsctl.db.lock import Lock
from vpsctl.db.models import Run, RunLine, RunStep
from vpsctl.encoding import to_plain
from vpsctl.errors import Conflict, NotFound, Unavailable, VpsctlError
from vpsctl.process import born
from vpsctl.run_events import LogLine, Report, RunStarted, StepFinished, StepStarted, ignore
from vpsctl.scrub import Scrubber
from vpsctl.secret import Secret

FLUSH_LINES = 50
FLUSH_SECONDS = 1.0
NOTHING: Mapping[str, Any] = {}
GOING_ON: set[int] = set()
"""The runs of this very process: it may outlive one whose end could not be written down."""
SOON = text("SET LOCAL synchronous_commit TO off")


@dataclass
class StepLog:
    """A step while it runs; what is put in `detail` stands in its row when it ends."""

    position: int
    name: str
    detail: dict[str, Any] = field(default_factory=dict)


class RunLog:
    """A run while it goes on. Its methods raise Unavailable when Postgres is gone, until `detach` was called."""

    def __init__(self, app: App, run: Run, report: Report, trail: int) -> None:
        self.id = run.id
        self.kind = run.kind
        self.subject = run.subject
        self.detail: dict[str, Any] = dict(run.detail)
        """What is known of the run so far; change it by `note`."""
        self.unrecorded = False
        """Something could not be written down: the work went on without the ledger."""
        self.audited: dict[str, Any] = {}
        """Fields of its audit row, as they stand when that is written."""
        self._act: tuple[str, str] | None = None
        self._trail = trail
        self._app, self._report, self._scrub = app, report, Scrubber()
        self._position = self._seq = 0
        self._steps: list[StepLog] = []
        self._lines: list[dict[str, Any]] = []
        self._flushed = 0.0
        self._late: threading.Timer | None = None
        self._pending: list[Callable[[Session], object]] = []
        self._detached = False
        self._outcome = "succeeded"
        self._guard = threading.RLock()

    def redact(self, secrets: Iterable[Secret]) -> None:
        """Keep these values out of every text of this run from now on."""
        self._scrub.add(secrets)

    def detach(self) -> None:
        """From here on the work must go on without the ledger: what cannot be written is kept until the end."""
        self._detached = True

    def undone(self) -> None:
        """This run ends as `undone`: what it had begun was taken back."""
        self._outcome = "undone"

    def leave(self) -> None:
        """This run ends half way: it stands as interrupted until it is resumed or taken back."""
        self._outcome = "running"

    def acts(self, action: str, target: str, **fields: Any) -> None:
        """From here on it changes things: its end writes one audit row in its own transaction, whatever comes of it.

        A run that ends before was refused, and writes none. One that is killed has none yet: who settles it writes it.
        """
        self._act = (action, target)
        self.audited.update(fields)

    def record(self, session: Session) -> None:
        """Write the audit row in this transaction already, which makes the change itself."""
        if self._act is not None:
            record(self._app, session, *self._act, self._plain(self.audited), self.id)

    def note(self, **fields: Any) -> None:
        """Put fields into the run's detail, at once: a resumed run finds them there."""
        with self._guard:
            self.detail.update(self._plain(fields))
            self._write(self._update_run(detail=dict(self.detail)), durable=True)

    def log(self, text: str, *, told: bool = True) -> None:
        """Lines of the run's log, under the step that is running; `told`: reported too. Safe to call from any thread."""
        with self._guard:
            step = self._steps[-1].name if self._steps else None
            for line in self._scrub.text(text).splitlines() or [""]:
                self._seq += 1
                self._lines.append({"run_id": self.id, "seq": self._seq, "step": step, "at": _now(), "text": line})
                if told:
                    self._report(LogLine(self.id, step, line))
            if len(self._lines) >= FLUSH_LINES or time.monotonic() - self._flushed >= FLUSH_SECONDS:
                self._write()
            elif self._late is None:
                self._late = threading.Timer(FLUSH_SECONDS, self._write_late)
                self._late.daemon = True
                self._late.start()

    @contextmanager
    def step(self, name: str, **detail: Any) -> Iterator[StepLog]:
        """Persist that the step began, and how it ended in its row."""
        begun = time.monotonic()
        step = self._begin(name, detail, "running")
        self._steps.append(step)
        self._report(StepStarted(self.id, step.position, name))
        try:
            yield step
        except BaseException as error:
            step.detail["error"] = _told(error)["message"]
            with _keeping(error, self):
                self._finish(step, "failed", begun)
            raise
        self._finish(step, "succeeded", begun)

    def skip(self, name: str, reason: str) -> None:
        """A step that was not needed, and why."""
        step = self._begin(name, {"reason": reason}, "skipped")
        self._report(StepFinished(self.id, step.position, name, "skipped", 0.0, step.detail))

    def _begin(self, name: str, detail: Mapping[str, Any], state: str) -> StepLog:
        with self._guard:
            self._position += 1
            step = StepLog(self._position, name, self._plain(detail))
            row = {"run_id": self.id, "position": step.position, "name": name, "state": state, "detail": dict(step.detail)}
            row |= {"started_at": _now(), "finished_at": _now() if state == "skipped" else None}
            self._write(lambda session: session.execute(insert(RunStep).on_conflict_do_nothing(), row))
            return step

    def _finish(self, step: StepLog, state: str, begun: float) -> None:
        with self._guard:
            if step in self._steps:
                self._steps.remove(step)
            step.detail = self._plain(step.detail)
            change = update(RunStep).where(RunStep.run_id == self.id, RunStep.position == step.position)
            change = change.values(state=state, detail=step.detail, finished_at=_now())
            seconds = time.monotonic() - begun
            self._report(StepFinished(self.id, step.position, step.name, state, seconds, step.detail))
            self._write(lambda session: session.execute(change))

    def _end(self, error: BaseException | None) -> None:
        """The run's last word; tried even when the ledger was gone before."""
        told = None if error is None else self._plain(_told(error))
        state = "failed" if error is not None and self._outcome == "succeeded" else self._outcome
        left: dict[str, Any] = {"error": told, "pid": 0}
        values = left if state == "running" else {"state": state, "error": told, "finished_at": _now()}
        if state != "succeeded":
            outcome = {"outcome": "interrupted" if state == "running" else state}
            self.audited = {**outcome, **({"error": told["code"]} if told else {}), **self.audited}
        self._write(lambda session: self._close(session, values), last=True)

    def _close(self, session: Session, values: Mapping[str, Any]) -> None:
        """The run's end and its audit row: both are written, or neither is."""
        self._update_run(**values)(session)
        if self._act is not None and not recorded_since(session, self._trail, self.id):
            self.record(session)

    def _update_run(self, **values: Any) -> Callable[[Session], object]:
        change = update(Run).where(Run.id == self.id).values(**values)
        return lambda session: session.execute(change)

    def _plain(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        plain: dict[str, Any] = self._scrub.value(to_plain(fields))
        return plain

    def _write_late(self) -> None:
        """The last lines before a silence: a run that is watched, or killed, shows them."""
        with self._guard, suppress(Unavailable):  # they stay pending, and the next call in the run's own thread raises
            if self._late is threading.current_thread():
                self._write()

    def _write(
        self, change: Callable[[Session], object] | None = None, *, durable: bool = False, last: bool = False
    ) -> None:
        """One transaction with `change`, the buffered lines, and whatever could not be written before.

        One that is not `durable` waits for no disk: two a step would, on a disk that takes 7 ms to sync 150 ms of a
        deploy. Others see it at once and kill -9 cannot take it back; a power cut may, when it comes before the next
        durable one or within a second. What to do after one is read off what stands, and off `detail`.
        """
        with self._guard:
            if self._late:
                self._late.cancel()
                self._late = None
            if self._lines:
                lines, self._lines = self._lines, []
                self._pending.append(lambda session: session.execute(insert(RunLine).on_conflict_do_nothing(), lines))
            if change:
                self._pending.append(change)
            if self._detached and self.unrecorded and not last:  # an attempt may cost seconds, and the work goes on
                return
            try:
                with self._app.database.transaction() as session:
                    if not (durable or last):
                        session.execute(SOON)
                    for pending in self._pending:
                        pending(session)
            except Unavailable:
                self.unrecorded = True
                if not self._detached:
                    raise
            else:
                self._pending, self._flushed, self.unrecorded = [], time.monotonic(), False


@contextmanager
def start_run(
    app: App,
    kind: str,
    subject: str,
    *,
    detail: Mapping[str, Any] = NOTHING,
    report: Report = ignore,
    lock: Lock | None = None,
) -> Iterator[RunLog]:
    """A new run that ends as the block ends: succeeded, or failed with the error that is raised on.

    `lock` is the subject's own, if one is held: others are then told the number of this run.
    Raises Unavailable without Postgres, Failed when its audit row could not be written.
    """
    with ExitStack() as stack:
        with app.database.transaction() as session:
            trail = check_trail(app, session)
            row = Run(kind=kind, subject=subject, state="running", detail=Scrubber().value(to_plain(detail)), **_me(app))
            session.add(row)
            session.flush()
            _hold(app, row, lock, stack)  # before others can see the row, so it never looks interrupted
        yield from _running(RunLog(app, row, report, trail))


@contextmanager
def resume_run(app: App, run_id: int, *, report: Report = ignore, lock: Lock | None = None) -> Iterator[RunLog]:
    """An interrupted run goes on as this process's; its steps are repeated, since each
    looks at what is there, and `detail` holds what it had noted.

    Raises NotFound, and Conflict when it is not interrupted: still running, or at its end.
    """
    with ExitStack() as stack:
        with app.database.transaction() as session:
            row = session.get(Run, run_id, with_for_update=True)
            if row is None:
                raise NotFound(f"there is no run {run_id}", hint="vpsctl run list")
            if row.state != "running":
                raise Conflict(f"run {run_id} was not interrupted: it {row.state}", hint=f"vpsctl run show {run_id}")
            if alive(row):
                raise Conflict(f"run {run_id} goes on in process {row.pid}", hint=f"vpsctl run show {run_id}")
            _hold(app, row, lock, stack)
            for name, value in {**_me(app), "error": None}.items():
                setattr(row, name, value)
            run = RunLog(app, row, report, check_trail(app, session))
            _catch_up(run, session)
        yield from _running(run)


def _catch_up(run: RunLog, session: Session) -> None:
    """Go on counting where the interrupted process stopped, and close the steps it left open."""
    steps = session.scalars(select(RunStep).where(RunStep.run_id == run.id)).all()
    run._position = max((step.position for step in steps), default=0)
    run._seq = session.scalar(select(func.max(RunLine.seq)).where(RunLine.run_id == run.id)) or 0
    for step in steps:
        if step.state == "running":
            step.state, step.finished_at = "failed", _now()
            step.detail = {**step.detail, "error": "the process that ran it died"}


def _hold(app: App, row: Run, lock: Lock | None, stack: ExitStack) -> None:
    holder = f"{row.kind} run {row.id} by {app.actor.name}"
    if lock is None:
        stack.enter_context(app.database.lock(f"run:{row.id}", holder=holder))
    else:
        lock.describe(holder)
        lock.take(f"run:{row.id}")
        stack.callback(lock.drop, f"run:{row.id}")


def _running(run: RunLog) -> Iterator[RunLog]:
    GOING_ON.add(run.id)
    try:
        run._report(RunStarted(run.id, run.kind, run.subject))
        yield run
    except BaseException as error:
        with _keeping(error, run):
            run._end(error)
        raise
    else:
        run._end(None)
    finally:
        GOING_ON.discard(run.id)


@contextmanager
def _keeping(error: BaseException, run: RunLog) -> Iterator[None]:
    """While `error` is on its way, a ledger that takes nothing is only marked: the first error is the one to tell."""
    try:
        yield
    except VpsctlError as second:
        run.unrecorded = True
        error.add_note(f"and run {run.id} could not be recorded: {second.message}")


def _told(error: BaseException) -> dict[str, str]:
    if isinstance(error, VpsctlError):
        return {"code": error.code, "message": error.message, "hint": error.hint}
    if isinstance(error, KeyboardInterrupt):
        return {"code": "failed", "message": "it was interrupted from the keyboard", "hint": ""}
    if isinstance(error, SystemExit):
        return {"code": "failed", "message": "its process was asked to end", "hint": ""}
    return {"code": "internal", "message": f"{type(error).__name__}: {error}", "hint": "this is a bug in vpsctl"}


def _me(app: App) -> dict[str, Any]:
    process = {"host": socket.gethostname(), "pid": os.getpid(), "born": born(os.getpid()) or 0}
    return {"actor": app.actor.name, "door": app.actor.door, **process}


def alive(run: Run) -> bool:
    """Whether the process that a run names lives on this machine; Postgres drops its lock when it restarts."""
    if run.host != socket.gethostname() or run.born != born(run.pid):
        return False
    return run.pid != os.getpid() or run.id in GOING_ON


def _now() -> datetime:
    return datetime.now(UTC)
