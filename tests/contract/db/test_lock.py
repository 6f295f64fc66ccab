"""Locks: one owner, named to others, and gone with the process that held it."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager

import pytest

from tests.postgres import break_connections
from tests.waiting import wait_for
from vpsctl.db.session import Database
from vpsctl.errors import Conflict, Failed, Unavailable

HOLD = """
import sys
from vpsctl.db.session import Database
database = Database(sys.stdin.readline().strip())
with database.lock("site:shop", holder="deploy by someone else"):
    print("held", flush=True)
    sys.stdin.readline()
database.close()
"""


@contextmanager
def another_process(url: str) -> Iterator[subprocess.Popen[str]]:
    """A process that holds site:shop until it gets a line or is killed."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", HOLD], stdin=pipe, stdout=pipe, text=True) as child:
        assert child.stdin
        assert child.stdout
        child.stdin.write(f"{url}\n")
        child.stdin.flush()
        assert child.stdout.readline() == "held\n"
        yield child
        child.kill()


def test_a_second_owner_is_told_who_has_it(database: Database, database_url: str) -> None:
    with another_process(database_url) as child:
        with pytest.raises(Conflict) as caught, database.lock("site:shop"):
            pytest.fail("both have it")
        assert caught.value.message == f"site shop is held by vpsctl pid {child.pid}, deploy by someone else"
        assert "vpsctl run list" in caught.value.hint
        assert database.lock_held("site:shop")
        with database.lock("site:blog"):
            assert database.lock_held("site:blog")


def test_it_dies_with_its_owner(database: Database, database_url: str) -> None:
    with another_process(database_url) as child:
        assert database.lock_held("site:shop")
        child.kill()
        wait_for(lambda: not database.lock_held("site:shop"), "end of a dead process's lock")
        with database.lock("site:shop") as lock:
            lock.check()


def test_it_is_let_go_at_the_end_of_the_block_whatever_happens(database: Database) -> None:
    with pytest.raises(Failed), database.lock("site:shop"):
        raise Failed("no")
    with database.lock("site:shop"):
        assert database.lock_held("site:shop")
    assert not database.lock_held("site:shop")


def test_one_process_does_not_get_it_twice(database: Database) -> None:
    with database.lock("site:shop"), pytest.raises(Conflict), database.lock("site:shop"):
        pytest.fail("both have it")


def test_a_lock_that_is_lost_says_so(database: Database, postgres_gone: Callable[[], AbstractContextManager[None]]) -> None:
    with database.lock("site:shop") as lock:
        lock.take("run:1")
        lock.check()
        with postgres_gone(), pytest.raises(Unavailable, match="the lock on site:shop, run:1 is lost"):
            lock.check()
        with pytest.raises(Unavailable):  # it stays lost when Postgres is back: someone else may have had it
            lock.check()
        assert not database.lock_held("site:shop")


def test_a_lock_lost_unnoticed_ends_quietly(database: Database, postgres_server: str, database_url: str) -> None:
    with database.lock("site:shop") as lock:
        lock.take("run:1")
        break_connections(postgres_server, database_url)
        lock.drop("run:1")
    assert not database.lock_held("site:shop")


def test_a_second_name_on_the_same_lock_is_let_go_alone(database: Database) -> None:
    with database.lock("site:shop") as lock:
        lock.take("run:1")
        assert database.lock_held("run:1")
        lock.drop("run:1")
        assert not database.lock_held("run:1")
        assert database.lock_held("site:shop")


@pytest.mark.parametrize("holder", ["x" * 200, "ünï 'quoted\" \\", ""])
def test_any_holder_can_be_told(database: Database, database_url: str, holder: str) -> None:
    with (
        closing(Database(database_url)) as other,
        other.lock("n", holder=holder),
        pytest.raises(Conflict, match="vpsctl pid"),
        database.lock("n"),
    ):
        pytest.fail("both have it")


def test_no_lock_without_postgres(database: Database, postgres_gone: Callable[[], AbstractContextManager[None]]) -> None:
    with postgres_gone(), pytest.raises(Unavailable), database.lock("site:shop"):
        pytest.fail("nobody can have it")
