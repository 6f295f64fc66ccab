"""The schema's version: where it stands, where this vpsctl wants it, and the way there."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text

from vpsctl.db.session import Database
from vpsctl.errors import Conflict

ALONE = text("SELECT pg_advisory_xact_lock(hashtextextended('migrate', 0)), set_config('statement_timeout', '0', true)")


def find_migrations() -> Path:
    """The migration scripts: inside the installed package, else in the checkout it runs from."""
    packaged = Path(__file__).parents[1] / "_migrations"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "migrations"


def head_version() -> str:
    """The version that this vpsctl works with."""
    head = ScriptDirectory.from_config(_config(None)).get_current_head()
    if head is None:
        raise FileNotFoundError(f"no migrations in {find_migrations()}")
    return head


def schema_version(database: Database) -> str | None:
    """The version the database is at; None before the first migration."""
    with database.transaction() as session:
        return _current(session.connection())


def migrate(database: Database, target: str = "head") -> bool:
    """Bring the schema to this vpsctl's version in one transaction; True when that changed it.

    Two at once go one after the other. Raises Conflict when a newer vpsctl has been here, Unavailable without Postgres.
    """
    with database.transaction() as session:
        connection = session.connection()
        connection.execute(ALONE)
        before = _current(connection)
        try:
            (command.downgrade if target == "base" else command.upgrade)(_config(connection), target)
        except CommandError as error:
            hint = "install the newer vpsctl again; going back needs a backup of before"
            raise Conflict(f"the schema is at {before}, which this vpsctl does not know", hint=hint) from error
        return _current(connection) != before


def _config(connection: Connection | None) -> Config:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(find_migrations()).replace("%", "%%"))
    return config


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
