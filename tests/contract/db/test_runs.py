"""Runs: what stands in the ledger while they go on, when they end, and when the ledger itself goes away."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from tests.postgres import break_connections
from tests.waiting import wait_for
from vpsctl import runs
from vpsctl.app import App
from vpsctl.errors import Conflict, Failed, NotFound, Unavailable
from vpsctl.run_events import LogLine, RunStarted, StepFinished, StepStarted
from vpsctl.run_history import RunError, find_interrupted, list_runs, show_run
from vpsctl.runs import RunLog, resume_run, start_run
from vpsctl.secret import Secret

Gone = Callable[[], AbstractContextManager[None]]


def steps(app: App, run: RunLog) -> list[tuple[str, str]]:
    return [(step.name, step.state) for step in show_run(app, run.id).steps]


def texts(app: App, run: RunLog) -> list[str]:
    return [line.text for line in show_run(app, run.id).lines]


def state(app: App, run: RunLog) -> str:
    return show_run(app, run.id).run.state


def test_a_run_leaves_its_steps_timings_and_log(app: App) -> None:
    with start_run(app, "deploy", "shop", detail={"ref": "main"}) as run:
        with run.step("build", image="app") as step:
            run.log("first\nsecond")
            step.detail["id"] = "sha256:1"
        run.skip("pre-deploy", "none is asked for")
        run.note(release=3)
    record = show_run(app, run.id)
    assert (record.run.kind, record.run.subject, record.run.state, record.run.error) == ("deploy", "shop", "succeeded", None)
    assert (record.run.actor, record.run.door) == ("test", "cli")
    assert record.run.detail == {"ref": "main", "release": 3}
    build, skipped = record.steps
    assert (build.position, build.name, build.state, build.detail) == (
        1,
        "build",
        "succeeded",
        {"image": "app", "id": "sha256:1"},
    )
    assert (skipped.state, skipped.detail) == ("skipped", {"reason": "none is asked for"})
    assert record.run.finished_at
    assert build.finished_at
    assert record.run.started_at <= build.started_at <= build.finished_at <= record.run.finished_at
    assert [(line.seq, line.step, line.text) for line in record.lines] == [(1, "build", "first"), (2, "build", "second")]
    assert [line.seq for line in show_run(app, run.id, after=1).lines] == [2]


def test_while_it_goes_on_others_see_how_far_it_is(app: App) -> None:
    with start_run(app, "deploy", "shop") as run:
        with run.step("build"):
            assert steps(app, run) == [("build", "running")]
            run.log("a line")
            wait_for(lambda: texts(app, run) == ["a line"], "line in the ledger before the next one comes", 5)
        assert steps(app, run) == [("build", "succeeded")]
        assert state(app, run) == "running"
        with app.database.transaction() as session:
            assert find_interrupted(session, "shop") == []
        with pytest.raises(Conflict), resume_run(app, run.id):
            pytest.fail("two processes in one run")


def test_what_happens_is_reported_as_it_happens(app: App) -> None:
    events: list[runs.Event] = []
    with pytest.raises(Failed), start_run(app, "deploy", "shop", report=events.append) as run:
        run.redact([Secret("hunter22")])
        run.skip("build", "an image")
        with run.step("probe"):
            run.log("the password is hunter22")
            raise Failed("no answer with hunter22")
    assert events[0] == RunStarted(run.id, "deploy", "shop")
    assert events[1] == StepFinished(run.id, 1, "build", "skipped", 0.0, {"reason": "an image"})
    assert events[2:4] == [StepStarted(run.id, 2, "probe"), LogLine(run.id, "probe", "the password is [redacted]")]
    last = events[4]
    assert isinstance(last, StepFinished)
    assert (last.name, last.state, last.detail) == ("probe", "failed", {"error": "no answer with [redacted]"})
    assert last.seconds >= 0
    assert len(events) == 5


@pytest.mark.parametrize(
    ("raised", "stored"),
    [
        (Failed("no answer", hint="vpsctl logs shop"), RunError("failed", "no answer", "vpsctl logs shop")),
        (KeyboardInterrupt(), RunError("failed", "it was interrupted from the keyboard", "")),
        (SystemExit(143), RunError("failed", "its process was asked to end", "")),
        (ZeroDivisionError("oh"), RunError("internal", "ZeroDivisionError: oh", "this is a bug in vpsctl")),
    ],
)
def test_a_failure_is_kept_and_raised_on(app: App, raised: BaseException, stored: RunError) -> None:
    with pytest.raises(type(raised)) as caught, start_run(app, "deploy", "shop") as run, run.step("probe"):
        raise raised
    assert caught.value is raised
    record = show_run(app, run.id)
    assert (record.run.state, record.run.error) == ("failed", stored)
    assert (record.steps[0].state, record.steps[0].detail) == ("failed", {"error": stored.message})
    assert record.steps[0].finished_at


def test_no_secret_is_stored_in_any_text(app: App) -> None:
    with pytest.raises(Failed), start_run(app, "deploy", "shop", detail={"token": Secret("hunter22")}) as run:
        run.redact([Secret("hunter22")])
        run.note(url="https://me:hunter22@git")
        run.skip("a", "not with hunter22")
        with run.step("b", argument="hunter22", secret=Secret("hunter22")) as step:
            step.detail["found"] = ["x", {"deep": "hunter22"}]
            run.log("using hunter22\x00 \udc80")
            raise Failed("bad hunter22", hint="change hunter22")
    assert "hunter22" not in str(show_run(app, run.id))
    assert texts(app, run) == ["using [redacted]\ufffd ?"]


def test_what_was_taken_back_ends_as_undone(app: App) -> None:
    with start_run(app, "deploy", "shop") as run:
        run.undone()
    assert state(app, run) == "undone"
    with pytest.raises(Failed), start_run(app, "deploy", "shop") as run:
        run.undone()
        raise Failed("rolled back")
    assert state(app, run) == "undone"
    assert show_run(app, run.id).run.error == RunError("failed", "rolled back", "")


def test_what_is_left_half_way_is_interrupted_and_can_be_resumed(app: App) -> None:
    with pytest.raises(Failed), start_run(app, "deploy", "shop") as run, run.step("switch"):
        run.leave()
        raise Failed("neither forth nor back")
    with app.database.transaction() as session:
        (left,) = find_interrupted(session, "shop")
    assert (left.id, left.error, left.finished_at) == (run.id, RunError("failed", "neither forth nor back", ""), None)
    with resume_run(app, run.id) as again:
        assert state(app, again) == "running"
    record = show_run(app, run.id)
    assert (record.run.state, record.run.error) == ("succeeded", None)
    assert record.run.finished_at


def test_many_threads_log_into_one_run(app: App) -> None:
    with start_run(app, "deploy", "shop") as run, run.step("pull"):
        threads = [threading.Thread(target=lambda n=n: [run.log(f"{n} {i}") for i in range(60)]) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    lines = show_run(app, run.id).lines
    assert sorted(line.text for line in lines) == sorted(f"{n} {i}" for n in range(4) for i in range(60))
    assert [line.seq for line in lines] == list(range(1, 241))
    mine = [line.text for line in lines if line.text.startswith("2 ")]
    assert mine == [f"2 {i}" for i in range(60)]


def test_runs_are_listed_newest_first_and_by_subject(app: App) -> None:
    begun = [("deploy", "shop"), ("deploy", "blog"), ("rollback", "shop")]
    for kind, subject in begun:
        with start_run(app, kind, subject):
            pass
    assert [(run.kind, run.subject) for run in list_runs(app)] == [
        ("rollback", "shop"),
        ("deploy", "blog"),
        ("deploy", "shop"),
    ]
    assert [run.kind for run in list_runs(app, "shop")] == ["rollback", "deploy"]
    assert [run.subject for run in list_runs(app, kind="deploy")] == ["blog", "shop"]
    assert len(list_runs(app, limit=2)) == 2


def test_a_run_that_is_not_there_or_at_its_end_is_not_resumed(app: App) -> None:
    with pytest.raises(NotFound, match="there is no run 7"):
        show_run(app, 7)
    with pytest.raises(NotFound), resume_run(app, 7):
        pytest.fail("it does not exist")
    with start_run(app, "deploy", "shop") as run:
        pass
    with pytest.raises(Conflict, match="was not interrupted: it succeeded"), resume_run(app, run.id):
        pytest.fail("it has ended")


def test_the_subjects_lock_tells_the_runs_number_and_outlives_the_run(app: App) -> None:
    with app.database.lock("site:shop") as lock:
        with start_run(app, "deploy", "shop", lock=lock) as run:
            with (
                pytest.raises(Conflict, match=f"held by vpsctl pid [0-9]+, deploy run {run.id} by test"),
                app.database.lock("site:shop"),
            ):
                pytest.fail("two owners")
            assert app.database.lock_held(f"run:{run.id}")
        assert not app.database.lock_held(f"run:{run.id}")
        lock.check()


def test_without_postgres_no_run_begins(app: App, postgres_gone: Gone) -> None:
    with postgres_gone(), pytest.raises(Unavailable), start_run(app, "deploy", "shop"):
        pytest.fail("it began")
    assert list_runs(app) == []


@pytest.mark.parametrize("write", [lambda run: run.note(a=1), lambda run: run.skip("x", "y"), lambda run: run.log("z")])
def test_a_run_stops_when_the_ledger_goes_away(app: App, postgres_gone: Gone, write: Callable[[RunLog], None]) -> None:
    with pytest.raises(Unavailable, match="cannot be reached"), start_run(app, "deploy", "shop") as run, postgres_gone():
        for _ in range(2):  # and again: it must not go on in silence
            with pytest.raises(Unavailable):
                write(run)
        write(run)
    assert not run.unrecorded  # Postgres was back for the last word
    assert state(app, run) == "failed"


def test_a_step_that_cannot_be_recorded_as_begun_does_not_run(app: App, postgres_gone: Gone) -> None:
    with postgres_gone(), pytest.raises(Unavailable), start_run_then(app) as run, run.step("switch"):
        pytest.fail("it ran")


def start_run_then(app: App) -> AbstractContextManager[RunLog]:
    return start_run(app, "deploy", "shop")


def test_the_first_error_is_told_when_the_ledger_is_gone_too(app: App, postgres_gone: Gone) -> None:
    gone = postgres_gone()
    with pytest.raises(Failed, match="no answer") as caught, start_run(app, "deploy", "shop") as run, run.step("probe"):
        gone.__enter__()
        raise Failed("no answer")
    gone.__exit__(None, None, None)
    assert run.unrecorded
    assert any(f"run {run.id} could not be recorded" in note for note in caught.value.__notes__)


def test_a_detached_run_goes_on_and_writes_everything_at_the_end(app: App, postgres_gone: Gone) -> None:
    with start_run(app, "deploy", "shop") as run:
        with run.step("switch"):
            run.detach()
            with postgres_gone():
                run.log("switched")
                run.note(switched=True)
                assert run.unrecorded
        with run.step("drain") as step:
            step.detail["left"] = 0
            run.log("drained")
        assert run.unrecorded
    assert not run.unrecorded
    record = show_run(app, run.id)
    assert (record.run.state, record.run.detail) == ("succeeded", {"switched": True})
    assert steps(app, run) == [("switch", "succeeded"), ("drain", "succeeded")]
    assert [(line.seq, line.step, line.text) for line in record.lines] == [
        (1, "switch", "switched"),
        (2, "drain", "drained"),
    ]
    assert record.steps[1].detail == {"left": 0}


def test_a_detached_run_ends_well_without_the_ledger(app: App, postgres_gone: Gone) -> None:
    gone = postgres_gone()
    with start_run(app, "deploy", "shop") as run, run.step("switch"):
        run.detach()
        gone.__enter__()
    gone.__exit__(None, None, None)
    assert run.unrecorded
    assert state(app, run) == "interrupted"  # this very process lives, and is no longer at it: it can be settled


def test_a_restart_of_postgres_does_not_make_a_living_run_look_interrupted(
    app: App, postgres_server: str, database_url: str
) -> None:
    with start_run(app, "deploy", "shop") as run:
        break_connections(postgres_server, database_url)
        assert not app.database.lock_held(f"run:{run.id}")
        assert state(app, run) == "running"
        with pytest.raises(Conflict, match=f"run {run.id} goes on in process"), resume_run(app, run.id):
            pytest.fail("two processes in one run")
    assert state(app, run) == "succeeded"
