"""A run whose process is killed: seen as interrupted at once, and resumed where it stopped."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.waiting import wait_for
from vpsctl.app import App
from vpsctl.run_history import RunInfo, find_interrupted, show_run
from vpsctl.runs import resume_run

RUN = """
import sys
from pathlib import Path
from vpsctl.app import Actor, App
from vpsctl.runs import start_run
from vpsctl.secret import Secret
from vpsctl.settings import Settings
settings = Settings(home=Path(sys.argv[1]), postgres_url=Secret(sys.stdin.readline().strip()))
with App(settings, Actor("other", "cli")) as app, start_run(app, "deploy", "shop", detail={"ref": "v2"}) as run:
    with run.step("build"):
        run.log("built")
    with run.step("start"):
        run.note(release=7)
        print(run.id, flush=True)
        sys.stdin.readline()
"""


@pytest.fixture
def killed(database_url: str, home: Path) -> Iterator[tuple[int, int]]:
    """The run and the process id of one that was killed in its second step."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", RUN, str(home)], stdin=pipe, stdout=pipe, text=True) as child:
        assert child.stdin
        assert child.stdout
        child.stdin.write(f"{database_url}\n")
        child.stdin.flush()
        number = int(child.stdout.readline())
        child.kill()
        yield number, child.pid  # not waited for yet: a zombie is as dead


def interrupted(app: App) -> list[RunInfo]:
    with app.database.transaction() as session:
        return find_interrupted(session, "shop")


def test_it_shows_as_interrupted_with_all_it_had_done(app: App, killed: tuple[int, int]) -> None:
    number, pid = killed
    (found,) = wait_for(lambda: interrupted(app), "interrupted run")
    assert (found.id, found.pid, found.state, found.actor) == (number, pid, "interrupted", "other")
    assert found.detail == {"ref": "v2", "release": 7}
    record = show_run(app, number)
    assert [(step.name, step.state) for step in record.steps] == [("build", "succeeded"), ("start", "interrupted")]
    assert [line.text for line in record.lines] == ["built"]
    with app.database.transaction() as session:
        assert find_interrupted(session, "blog") == []


def test_it_is_resumed_where_it_stopped(app: App, killed: tuple[int, int]) -> None:
    wait_for(lambda: interrupted(app), "interrupted run")
    with resume_run(app, killed[0]) as run:
        assert run.detail == {"ref": "v2", "release": 7}
        assert (run.kind, run.subject) == ("deploy", "shop")
        assert interrupted(app) == []
        with run.step("start"):
            run.log("started")
    record = show_run(app, killed[0])
    assert (record.run.state, record.run.actor) == ("succeeded", "test")
    told = [(step.position, step.name, step.state) for step in record.steps]
    assert told == [(1, "build", "succeeded"), (2, "start", "failed"), (3, "start", "succeeded")]
    assert record.steps[1].detail == {"error": "the process that ran it died"}
    assert [(line.seq, line.text) for line in record.lines] == [(1, "built"), (2, "started")]
