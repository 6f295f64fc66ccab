"""Audit rows of what no transaction holds: containers, exec, the proxy; with Postgres, and while it is away."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select

from tests.operations.audit.conftest import Write
from vpsctl import private_file
from vpsctl.app import Actor, App
from vpsctl.audit.late import keep_late
from vpsctl.audit.outside import acting, record_outside
from vpsctl.audit.record import record
from vpsctl.audit.verify import verify_audit
from vpsctl.db.models import Audit, AuditHead
from vpsctl.errors import Conflict, Failed, NotFound, Unavailable
from vpsctl.secret import Secret
from vpsctl.settings import Settings

Gone = Callable[[], AbstractContextManager[None]]


def rows(app: App) -> list[tuple[str, str, dict[str, Any]]]:
    with app.database.transaction() as session:
        found = session.scalars(select(Audit).order_by(Audit.id)).all()
        return [(row.action, row.target, row.fields) for row in found]


def waiting(app: App) -> list[Path]:
    directory = app.settings.home / "audit-late"
    return sorted(directory.iterdir()) if directory.is_dir() else []


def test_one_row_once_it_is_done(app: App) -> None:
    with acting(app, "container.stop", "container:db", signal="TERM") as act:
        assert rows(app) == []
        act.fields["seconds"] = 1
    assert rows(app) == [("container.stop", "container:db", {"signal": "TERM", "seconds": 1})]


@pytest.mark.parametrize("error", [NotFound("no such container", hint="x"), Conflict("the port is taken", hint="x")])
def test_none_when_it_is_refused(app: App, error: Exception) -> None:
    with pytest.raises(type(error)), acting(app, "container.start", "container:db"):
        raise error
    assert rows(app) == []


@pytest.mark.parametrize("error", [Failed("it ended at once", hint="x"), KeyboardInterrupt()])
def test_one_with_the_outcome_when_it_fails_half_way(app: App, error: BaseException) -> None:
    with pytest.raises(type(error)), acting(app, "container.restart", "container:db"):
        raise error
    assert rows(app) == [("container.restart", "container:db", {"outcome": "failed", "error": "failed"})]


def test_none_when_nothing_was_changed(app: App) -> None:
    with acting(app, "proxy.sync", "proxy:caddy") as act:
        act.changed = False
    with pytest.raises(Failed), acting(app, "proxy.sync", "proxy:caddy") as act:
        act.changed = False
        raise Failed("Caddy is gone", hint="x")
    assert rows(app) == []


def test_without_postgres_it_is_done_and_written_when_postgres_is_back(app: App, postgres_gone: Gone, write: Write) -> None:
    app.actor = replace(app.actor, name="anna", origin="203.0.113.5")
    with postgres_gone():
        with acting(app, "container.restart", "container:db"):
            assert waiting(app) == []
        record_outside(app, "site.exec", "site:shop", {"program": "sh"})
    first, second = waiting(app)
    assert {path.stat().st_mode & 0o777 for path in (first, second, first.parent)} == {0o600, 0o700}
    app.actor = Actor("ben", "cli")
    write()
    assert waiting(app) == []
    assert [(action, fields.get("late")) for action, _, fields in rows(app)] == [
        ("container.restart", first.name),
        ("site.exec", second.name),
        ("credential.set", None),
    ]
    with app.database.transaction() as session:
        found = session.scalars(select(Audit).order_by(Audit.id)).all()
        assert [(row.actor, row.origin) for row in found] == [("anna", "203.0.113.5"), ("anna", "203.0.113.5"), ("ben", "")]
        assert all(row.fields["happened"] <= row.at.isoformat() for row in found[:2])
    assert verify_audit(app).problems == ()


def test_a_kept_row_is_written_once_though_its_file_was_left(app: App, write: Write) -> None:
    keep_late(app, "container.stop", "container:db", {})
    (path,) = waiting(app)
    content = path.read_bytes()
    write()
    private_file.write(path, content)  # as a kill between the commit and the file's end leaves it
    write()
    assert [action for action, *_ in rows(app)] == ["container.stop", "credential.set", "credential.set"]
    assert waiting(app) == []


def test_a_kept_row_outlives_a_transaction_that_is_rolled_back(app: App, write: Write) -> None:
    keep_late(app, "container.stop", "container:db", {})
    with pytest.raises(Conflict), app.database.transaction() as session:
        record(app, session, "site.add", "site:shop", {})
        raise Conflict("it is there already", hint="x")
    assert rows(app) == []
    write()
    assert len(rows(app)) == 2


def test_a_kept_row_that_is_damaged_is_named(app: App, write: Write) -> None:
    keep_late(app, "container.stop", "container:db", {})
    (path,) = waiting(app)
    private_file.write(path, json.dumps({"action": "container.stop"}).encode())
    with pytest.raises(Failed, match="audit row that waits for Postgres at .* is damaged"):
        write()
    assert rows(app) == []


@pytest.fixture
def headless(app: App) -> App:
    with app.owner_database.transaction() as session:
        session.execute(delete(AuditHead))
    return app


def test_it_is_not_done_when_no_row_could_ever_be_written(headless: App) -> None:
    with pytest.raises(Failed, match="head of the audit trail"), acting(headless, "container.stop", "container:db"):
        pytest.fail("it was done")
    assert waiting(headless) == []


@pytest.fixture
def unmigrated(empty_database_url: str, settings: Settings) -> Iterator[App]:
    with App(replace(settings, postgres_url=Secret(empty_database_url)), Actor("test", "cli")) as app:
        yield app


def test_between_two_tries_of_init_it_is_done_and_kept(unmigrated: App) -> None:
    with acting(unmigrated, "container.stop", "container:nginx"):
        pass
    assert len(waiting(unmigrated)) == 1


def test_before_init_there_is_no_trail(settings: Settings, tmp_path: Path) -> None:
    with App(replace(settings, home=tmp_path / "home", postgres_url=None), Actor("test", "cli")) as app:
        with acting(app, "container.stop", "container:nginx"):
            pass
        with pytest.raises(Unavailable):
            rows(app)
    assert list(tmp_path.iterdir()) == []
