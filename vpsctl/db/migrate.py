"""The schema's version: where it stands, where this vpsctl wants it, and the way there."""

from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from vpsctl.db.role import ENSURE_ROLE, GRANT_RIGHTS, HAS_RIGHTS, MAY_BECOME, ROLE
from vpsctl.db.session import NO_RIGHT, Database, first_line
from vpsctl.errors import Conflict, Failed

ALONE = text("SELECT pg_advisory_xact_lock(hashtextextended('migrate', 0)), set_config('statement_timeout', '0', true)")

LOGIN = text(f"""SELECT quote_ident(current_user), coalesce(quote_ident(current_schema()), 'public'),
 to_regrole('{ROLE}') IS NOT NULL, {MAY_BECOME}, coalesce(has_schema_privilege(current_schema(), 'CREATE'), false),
 CASE WHEN current_setting('server_version_num')::int >= 160000 THEN ' WITH SET TRUE' ELSE '' END""")


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

    The role that vpsctl works as is made again where it is missing: no dump of a database holds it. Two at once go one
    after the other. Raises Conflict when a newer vpsctl has been here, Unavailable without Postgres, Failed when the
    login may not do it, with what an administrator has to run.
    """
    with database.transaction() as session:
        connection = session.connection()
        connection.execute(ALONE)
        before, login = _current(connection), _login(connection)
        try:
            (command.downgrade if target == "base" else command.upgrade)(_config(connection), target)
            restored = target == "head" and _restore_role(connection)
        except CommandError as error:
            hint = "install the newer vpsctl again; going back needs a backup of before"
            raise Conflict(f"the schema is at {before}, which this vpsctl does not know", hint=hint) from error
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) == NO_RIGHT:
                raise login.refused(database.place, first_line(error)) from error
            raise
        return restored or _current(connection) != before


@dataclass(frozen=True)
class _Login:
    """Who migrates; the names are quoted for SQL."""

    name: str
    schema: str
    has_role: bool
    may_become: bool
    may_create: bool
    """Tables in the schema."""
    option: str
    """Of a GRANT of the role on this server."""

    def refused(self, place: str, told: str) -> Failed:
        """What Postgres did not let it do, and what an administrator of that server runs once."""
        statements = [] if self.may_create else [f"GRANT ALL ON SCHEMA {self.schema} TO {self.name};"]
        if not self.has_role:
            statements.append(f"CREATE ROLE {ROLE} LOGIN;")
        if not self.may_become:
            statements.append(f"GRANT {ROLE} TO {self.name}{self.option};")
        hint = f"an administrator of that Postgres runs, in that database: {' '.join(statements)} Then: vpsctl init"
        if self.name == ROLE or not statements:
            hint = f"give postgres_url the login that owns the database; it becomes {ROLE} by itself"
        return Failed(f"the login {self.name} may not make the schema of {place}: {told}", hint=hint)


def _login(connection: Connection) -> _Login:
    return _Login(*connection.execute(LOGIN).one())


def _restore_role(connection: Connection) -> bool:
    """True when something of it was missing."""
    if connection.scalar(text(HAS_RIGHTS)):
        return False
    for statement in (ENSURE_ROLE, *GRANT_RIGHTS):
        connection.execute(text(statement))
    return True


def _config(connection: Connection | None) -> Config:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(find_migrations()).replace("%", "%%"))
    return config


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
