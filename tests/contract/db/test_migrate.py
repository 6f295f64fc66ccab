"""The schema: migrated to exactly what the models say, there and back, once however many ask."""

import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text
from sqlalchemy.engine import make_url

from tests.postgres import execute
from vpsctl.db.migrate import find_migrations, head_version, migrate, schema_version
from vpsctl.db.models import Base
from vpsctl.db.session import Database
from vpsctl.errors import Conflict, Failed


@pytest.fixture
def empty(empty_database_url: str) -> Iterator[Database]:
    with closing(Database(empty_database_url, owner=True)) as database:
        yield database


def tables(database: Database) -> set[str]:
    with database.transaction() as session:
        return set(inspect(session.connection()).get_table_names()) - {"alembic_version"}


def test_up_down_and_up_again(empty: Database) -> None:
    assert schema_version(empty) is None
    assert migrate(empty)
    assert tables(empty) == set(Base.metadata.tables)
    assert migrate(empty, "base")
    assert (tables(empty), schema_version(empty)) == (set(), None)
    assert migrate(empty)
    assert schema_version(empty) == head_version()
    assert not migrate(empty)


def test_the_migrations_make_exactly_the_models(database: Database) -> None:
    with database.transaction() as session:
        options = {"compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(session.connection(), opts=options)
        assert compare_metadata(context, Base.metadata) == []
        found = inspect(session.connection())
        keys = [(table, key) for table in Base.metadata.tables for key in found.get_foreign_keys(table)]
    rules = {(table, *key["constrained_columns"]): key["options"].get("ondelete") for table, key in keys}
    wanted = {
        (table.name, *(column.name for column in key.columns)): key.ondelete
        for table in Base.metadata.tables.values()
        for key in table.foreign_key_constraints
    }
    assert rules == wanted


def test_two_at_once_go_one_after_the_other(empty_database_url: str) -> None:
    def one() -> bool:
        with closing(Database(empty_database_url, owner=True)) as database:
            return migrate(database)

    with ThreadPoolExecutor(3) as pool:
        assert sorted(pool.map(lambda _: one(), range(3))) == [False, False, True]


def test_a_schema_newer_than_this_vpsctl_is_left_alone(database_url: str) -> None:
    with closing(Database(database_url, owner=True)) as owner:
        with owner.transaction() as session:
            session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        with pytest.raises(Conflict, match="the schema is at 9999, which this vpsctl does not know"):
            migrate(owner)
        assert schema_version(owner) == "9999"


def test_the_role_that_vpsctl_works_as_cannot_change_the_schema(database: Database) -> None:
    for statement in ("CREATE TABLE mine (id int)", "DROP TABLE sites", "UPDATE alembic_version SET version_num = '1'"):
        with pytest.raises(Failed, match="permission denied|must be owner"), database.transaction() as session:
            session.execute(text(statement))


@pytest.fixture
def login_url(postgres_server: str, empty_database_url: str) -> Iterator[str]:
    """The empty database, of a login that owns it and may neither make roles nor grant them."""
    url, name = make_url(empty_database_url), f"t{secrets.token_hex(4)}"
    execute(postgres_server, f"CREATE ROLE {name} LOGIN PASSWORD '{name}'")
    execute(postgres_server, f"ALTER DATABASE {url.database} OWNER TO {name}")
    yield url.set(username=name, password=name).render_as_string(hide_password=False)
    execute(postgres_server, f"ALTER DATABASE {url.database} OWNER TO postgres")
    execute(empty_database_url, f"DROP OWNED BY {name} CASCADE")
    execute(postgres_server, f"DROP ROLE {name}")


def test_a_login_without_the_right_is_told_what_an_administrator_runs(login_url: str, empty_database_url: str) -> None:
    name = make_url(login_url).username
    with closing(Database(login_url, owner=True)) as owner, closing(Database(login_url)) as working:
        with pytest.raises(
            Failed, match=f"the login {name} may not make the schema of .*: must have admin option"
        ) as caught:
            migrate(owner)
        assert tables(owner) == set()
        with pytest.raises(Failed) as unready:
            tables(working)
        assert unready.value.hint == "vpsctl init"
        statement = f"GRANT vpsctl_app TO {name};"
        assert (
            caught.value.hint == f"an administrator of that Postgres runs, in that database: {statement} Then: vpsctl init"
        )
        execute(empty_database_url, statement)
        assert migrate(owner)
        assert not migrate(owner)
        for change in ("UPDATE audit SET actor = 'x'", "DELETE FROM audit", "TRUNCATE audit"):
            with pytest.raises(Failed, match="permission denied"), working.transaction() as session:
                session.execute(text(change))


def test_a_schema_named_as_the_login_is_found_by_the_role_too(login_url: str, empty_database_url: str) -> None:
    name = make_url(login_url).username
    execute(empty_database_url, f"CREATE SCHEMA {name} AUTHORIZATION {name}")
    execute(empty_database_url, f"GRANT vpsctl_app TO {name}")
    with closing(Database(login_url, owner=True)) as owner, closing(Database(login_url)) as working:
        migrate(owner)
        assert schema_version(working) == head_version()
        with working.transaction() as session:
            assert inspect(session.connection()).get_table_names("public") == []


@pytest.mark.parametrize(
    "lost",
    ["DROP OWNED BY vpsctl_app", "REVOKE ALL ON projects FROM vpsctl_app", "GRANT DELETE ON audit TO vpsctl_app"],
    ids=["all, as in a restored dump", "of a table that another login made", "none, but one too many"],
)
def test_rights_that_are_not_as_they_should_be_are_given_again(database_url: str, lost: str) -> None:
    execute(database_url, lost)
    with closing(Database(database_url, owner=True)) as owner, closing(Database(database_url)) as working:
        if "GRANT" not in lost:
            with pytest.raises(Failed, match="permission denied") as caught, working.transaction() as session:
                session.execute(text("SELECT 1 FROM projects"))
            assert caught.value.hint.startswith("vpsctl init ")
        assert migrate(owner)
        assert not migrate(owner)
        with working.transaction() as session:
            assert session.execute(text("SELECT 1 FROM projects, audit")).all() == []
        with pytest.raises(Failed, match="permission denied"), working.transaction() as session:
            session.execute(text("DELETE FROM audit"))


def test_an_installed_package_carries_its_own_migrations(tmp_path: Path, empty_database_url: str) -> None:
    package = Path(sys.modules["vpsctl"].__path__[0])
    shutil.copytree(package, tmp_path / "vpsctl", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(find_migrations(), tmp_path / "vpsctl" / "_migrations", ignore=shutil.ignore_patterns("__pycache__"))
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from vpsctl.db.migrate import find_migrations, migrate\nfrom vpsctl.db.session import Database\n"
        "database = Database(sys.stdin.read(), owner=True)\nprint(find_migrations(), migrate(database))\ndatabase.close()"
    )
    argv = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(argv, input=empty_database_url, text=True, capture_output=True, check=True, cwd=tmp_path)
    assert done.stdout.split() == [str(tmp_path / "vpsctl" / "_migrations"), "True"]
