"""Transactions: all or nothing, and every failure of Postgres told in our words."""

import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.engine import make_url

from tests.postgres import break_connections, execute
from vpsctl.app import App
from vpsctl.audit.record import record
from vpsctl.db.models import Audit, Project, Run
from vpsctl.db.session import Database, before_commit
from vpsctl.errors import Conflict, Failed, Invalid, Unavailable
from vpsctl.secret import Secret


def slugs(database: Database) -> list[str]:
    with database.transaction() as session:
        return list(session.scalars(select(Project.slug)))


def add(database: Database, slug: str) -> None:
    with database.transaction() as session:
        session.add(Project(slug=slug, name=slug))


def test_a_block_is_kept_whole_or_not_at_all(database: Database) -> None:
    add(database, "kept")
    with pytest.raises(Invalid), database.transaction() as session:
        session.add(Project(slug="lost", name="lost"))
        session.flush()
        raise Invalid("no")
    assert slugs(database) == ["kept"]


def test_what_is_put_off_to_the_end_may_put_off_more(database: Database) -> None:
    done: list[str] = []
    with database.transaction() as session:
        before_commit(session, lambda session: before_commit(session, lambda session: done.append("second")))
        before_commit(session, lambda session: done.append("first"))
        assert done == []
    assert done == ["first", "second"]


def test_nothing_that_was_put_off_is_done_when_the_block_raises(database: Database) -> None:
    done: list[str] = []
    with pytest.raises(KeyError), database.transaction() as session:
        before_commit(session, lambda session: done.append("done"))
        raise KeyError
    assert done == []


def test_times_come_back_in_utc(database: Database) -> None:
    add(database, "acme")
    with database.transaction() as session:
        created = session.scalars(select(Project.created_at)).one()
    assert created.utcoffset() is not None
    assert not created.utcoffset()


def test_a_broken_constraint_is_a_conflict_without_the_values_of_the_statement(database: Database) -> None:
    add(database, "acme")
    with pytest.raises(Conflict, match="uq_projects_slug") as caught, database.transaction() as session:
        session.add(Project(slug="acme", name="hunter22"))
    assert "hunter22" not in str(caught.value)
    assert "hunter22" not in str(caught.value.__cause__)


def test_a_broken_constraint_found_at_commit_is_a_conflict_too(database: Database, database_url: str) -> None:
    execute(database_url, "CREATE TABLE late (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    with pytest.raises(Conflict), database.transaction() as session:
        session.execute(text("INSERT INTO late VALUES (1), (1)"))


def test_a_server_that_is_not_there_is_unavailable_at_once(tmp_path: Path) -> None:
    begun = time.monotonic()
    with (
        closing(Database(f"postgresql://u:hunter22@/d?host={tmp_path}")) as database,
        pytest.raises(Unavailable) as caught,
        database.transaction() as session,
    ):
        session.execute(text("SELECT 1"))
    assert time.monotonic() - begun < 5
    assert caught.value.message.startswith(f"Postgres at {tmp_path}/d cannot be reached: ")
    assert caught.value.hint == "vpsctl doctor"
    assert "hunter22" not in caught.value.message


def test_a_wrong_password_is_told_without_it(database_url: str) -> None:
    wrong = make_url(database_url).set(username="nobody", password="hunter22").render_as_string(hide_password=False)
    with closing(Database(wrong)) as database, pytest.raises(Unavailable) as caught, database.transaction() as session:
        session.execute(text("SELECT 1"))
    assert "hunter22" not in caught.value.message


def test_postgres_lost_half_way_is_unavailable_and_then_works_again(
    database: Database, postgres_gone: Callable[[], AbstractContextManager[None]]
) -> None:
    with pytest.raises(Unavailable), database.transaction() as session:
        session.add(Project(slug="lost", name="lost"))
        session.flush()
        with postgres_gone():
            session.execute(text("SELECT 1"))
    assert slugs(database) == []


def test_no_new_transaction_while_it_is_gone(
    database: Database, postgres_gone: Callable[[], AbstractContextManager[None]]
) -> None:
    add(database, "kept")
    with postgres_gone(), pytest.raises(Unavailable), database.transaction() as session:
        session.execute(text("SELECT 1"))
    assert slugs(database) == ["kept"]


def test_a_restart_between_two_goes_unnoticed(database: Database, postgres_server: str, database_url: str) -> None:
    add(database, "before")
    break_connections(postgres_server, database_url)
    add(database, "after")
    assert slugs(database) == ["before", "after"]


def test_without_the_schema_the_way_to_it_is_named(empty_database_url: str) -> None:
    with closing(Database(empty_database_url)) as database, pytest.raises(Failed) as caught:
        slugs(database)
    assert caught.value.hint == "vpsctl init"


def test_a_secret_never_reaches_a_json_column(app: App, database: Database) -> None:
    with database.transaction() as session:
        record(app, session, "test", "x", {"value": Secret("hunter22"), "nested": [Secret("hunter22")]})
        detail = {"value": Secret("hunter22")}
        session.add(
            Run(kind="k", subject="s", state="running", actor="a", door="cli", host="h", pid=1, born=1, detail=detail)
        )
    with database.transaction() as session:
        assert session.scalars(select(Audit.fields)).one() == {"value": "[redacted]", "nested": ["[redacted]"]}
        assert session.scalars(select(Run.detail)).one() == {"value": "[redacted]"}


def test_a_broken_connection_is_told_by_us_alone(database_url: str) -> None:
    """Inside many statements at once the driver has a word of its own for stderr; only a process of its own shows it."""
    code = (
        "import sys\nfrom sqlalchemy import text\n"
        "from vpsctl.db.session import Database\nfrom vpsctl.errors import Unavailable\n"
        "url = sys.stdin.read()\none, other = Database(url), Database(url, owner=True)\n"
        "try:\n with one.transaction() as session:\n  pid = session.scalar(text('SELECT pg_backend_pid()'))\n"
        "  with other.transaction() as second:\n   second.execute(text(f'SELECT pg_terminate_backend({pid}, 5000)'))\n"
        "  session.execute(text('UPDATE projects SET name = :name'), [{'name': 'a'}, {'name': 'b'}])\n"
        "except Unavailable:\n print('told')\none.close(); other.close()"
    )
    done = subprocess.run([sys.executable, "-c", code], input=database_url, text=True, capture_output=True, check=True)
    assert (done.stdout, done.stderr) == ("told\n", "")


def test_a_statement_that_takes_too_long_is_no_server_that_is_gone(database: Database) -> None:
    with pytest.raises(Unavailable, match="gave up on it: .*statement timeout") as caught, database.transaction() as session:
        session.execute(text("SET LOCAL statement_timeout = 50"))
        session.execute(text("SELECT pg_sleep(5)"))
    assert caught.value.hint == "try again"
