"""The audit row of a run: written with its end, whatever comes of it, and never twice."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import delete, select

from vpsctl.app import App
from vpsctl.db.models import Audit, AuditHead, Project
from vpsctl.errors import Conflict, Failed
from vpsctl.run_history import list_runs
from vpsctl.runs import RunLog, resume_run, start_run
from vpsctl.secret import Secret

Gone = Callable[[], AbstractContextManager[None]]


def rows(app: App) -> list[tuple[str, str, dict[str, Any], int | None]]:
    with app.database.transaction() as session:
        found = session.scalars(select(Audit).order_by(Audit.id)).all()
        return [(row.action, row.target, row.fields, row.run_id) for row in found]


def begun(run: RunLog) -> None:
    run.acts("site.deploy", "site:shop", release=3)


def test_a_run_that_succeeds_writes_one_row_with_its_end(app: App) -> None:
    with start_run(app, "deploy", "shop") as run:
        begun(run)
        run.audited["service"] = "web"
        assert rows(app) == []
    assert rows(app) == [("site.deploy", "site:shop", {"release": 3, "service": "web"}, run.id)]


def test_a_run_that_was_refused_writes_none(app: App) -> None:
    with pytest.raises(Conflict), start_run(app, "deploy", "shop"):
        raise Conflict("it was never deployed", hint="vpsctl deploy shop")
    assert rows(app) == []


@pytest.mark.parametrize("error", [Failed("no answer", hint="x"), KeyboardInterrupt(), ZeroDivisionError()])
def test_one_that_fails_half_way_says_so(app: App, error: BaseException) -> None:
    with pytest.raises(type(error)), start_run(app, "deploy", "shop") as run:
        begun(run)
        raise error
    code = "internal" if isinstance(error, ZeroDivisionError) else "failed"
    assert rows(app) == [("site.deploy", "site:shop", {"outcome": "failed", "error": code, "release": 3}, run.id)]


def test_one_that_was_taken_back_is_undone(app: App) -> None:
    with pytest.raises(Failed), start_run(app, "deploy", "shop") as run:
        begun(run)
        run.audited["outcome"] = "undone"
        raise Failed("no answer; r2 serves", hint="x")
    assert [fields["outcome"] for _, _, fields, _ in rows(app)] == ["undone"]
    with start_run(app, "deploy", "shop") as run:
        begun(run)
        run.undone()
    assert rows(app)[1][2] == {"outcome": "undone", "release": 3}


def test_one_left_half_way_and_who_resumes_it_write_one_each(app: App) -> None:
    with pytest.raises(Failed), start_run(app, "deploy", "shop") as run:
        begun(run)
        run.leave()
        raise Failed("Postgres is away", hint="x")
    with resume_run(app, run.id) as again:
        again.acts("site.resume", "site:shop", release=3)
    expected = [("site.deploy", run.id, "interrupted"), ("site.resume", run.id, None)]
    assert [(action, number, fields.get("outcome")) for action, _, fields, number in rows(app)] == expected


def test_what_the_transaction_of_the_change_recorded_is_not_written_again(app: App) -> None:
    with start_run(app, "remove", "shop") as run:
        begun(run)
        with app.database.transaction() as session:
            session.add(Project(slug="acme", name="Acme"))
            run.record(session)
        assert len(rows(app)) == 1
    assert len(rows(app)) == 1
    with pytest.raises(Failed), start_run(app, "remove", "shop") as run:
        begun(run)
        with app.database.transaction() as session:
            run.record(session)
        raise Failed("the directory stays", hint="x")
    assert [(number, fields) for *_, fields, number in rows(app)][1:] == [(run.id, {"release": 3})]


def test_a_change_that_was_rolled_back_is_told_as_failed(app: App) -> None:
    with pytest.raises(Conflict), start_run(app, "remove", "shop") as run:
        begun(run)
        with app.database.transaction() as session:
            run.record(session)
            raise Conflict("someone was faster", hint="x")
    assert [fields for _, _, fields, _ in rows(app)] == [{"outcome": "failed", "error": "conflict", "release": 3}]


def test_without_the_ledger_it_is_written_with_everything_else_at_the_end(app: App, postgres_gone: Gone) -> None:
    with start_run(app, "deploy", "shop") as run:
        begun(run)
        with run.step("switch"):
            run.detach()
            with postgres_gone():
                run.log("switched")
    assert [action for action, *_ in rows(app)] == ["site.deploy"]


def test_it_is_lost_with_the_end_of_the_run_or_not_at_all(app: App, postgres_gone: Gone) -> None:
    gone = postgres_gone()
    with start_run(app, "deploy", "shop") as run:
        begun(run)
        with run.step("switch"):
            run.detach()
            gone.__enter__()
    gone.__exit__(None, None, None)
    assert rows(app) == []
    assert [item.state for item in list_runs(app)] == ["interrupted"]  # to be settled, by whom writes the row
    with resume_run(app, run.id) as again:
        again.acts("site.settle", "site:shop")
    assert [(action, number) for action, _, _, number in rows(app)] == [("site.settle", run.id)]


def test_no_run_begins_that_could_not_be_audited(app: App) -> None:
    with app.owner_database.transaction() as session:
        session.execute(delete(AuditHead))
    with pytest.raises(Failed, match="the head of the audit trail is gone"), start_run(app, "deploy", "shop"):
        pytest.fail("it began")
    assert list_runs(app) == []


def test_a_run_whose_row_cannot_be_written_does_not_end(app: App) -> None:
    with pytest.raises(Failed, match="the head of the audit trail is gone"), start_run(app, "deploy", "shop") as run:
        begun(run)
        with app.owner_database.transaction() as session:
            session.execute(delete(AuditHead))
    assert [item.state for item in list_runs(app)] == ["interrupted"]


def test_its_secrets_are_taken_out(app: App) -> None:
    with start_run(app, "deploy", "shop") as run:
        run.redact([Secret("hunter22")])
        run.acts("site.deploy", "site:shop", ref="hunter22")
    assert rows(app)[0][2] == {"ref": "[redacted]"}


def test_who_and_from_where_stand_in_it(app: App) -> None:
    app.actor = replace(app.actor, name="anna", origin="203.0.113.5")
    with start_run(app, "deploy", "shop") as run:
        begun(run)
    with app.database.transaction() as session:
        row = session.scalars(select(Audit)).one()
    assert (row.actor, row.door, row.origin) == ("anna", "cli", "203.0.113.5")
