"""The one way to Postgres: transactions whose errors are ours, and locks that die with their owner."""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import NullPool, create_engine, event, exc
from sqlalchemy.orm import Session

from vpsctl.db.locate import driver_url
from vpsctl.db.lock import Lock, held_by
from vpsctl.db.role import ROLE
from vpsctl.encoding import to_json
from vpsctl.errors import Conflict, Failed, Unavailable
from vpsctl.secret import Secret

CONNECT = {
    "connect_timeout": 5,
    "options": "-c timezone=UTC -c statement_timeout=30000",
    # A server that vanished without a word is noticed within about half a minute.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30000,
}
SEARCH_PATH = """SELECT set_config('search_path',
 replace(current_setting('search_path'), '"$user"', quote_ident(session_user)), false)"""
GAVE_UP = ("40P01", "55P03", "57014")
"""A deadlock, a lock or a statement that took too long: nothing was changed."""
NO_SCHEMA = ("42P01", "42703")  # undefined table, undefined column
NO_RIGHT = "42501"
for _name in ("psycopg", "sqlalchemy"):
    # What they warn of reaches us as an error as well; Python would print it on stderr beside our sentence.
    logging.getLogger(_name).addHandler(logging.NullHandler())
LAST = "vpsctl.last"
"""Where a session keeps what is to be done just before its commit."""


class Database:
    """The ledger. Opens nothing until it is used; `close` gives every connection back.

    Transactions run as the role `db.role.ROLE`, whoever the URL logs in as; `owner`: as that login itself, which
    migrations need. Locks need no rights, and see who holds them only under the name that all of us log in with.
    """

    def __init__(self, url: Secret | str, *, owner: bool = False) -> None:
        target = driver_url(url)
        self.place = f"{target.host or target.query.get('host', 'localhost')}/{target.database}"
        arguments = {**CONNECT, "application_name": f"vpsctl pid {os.getpid()}"}
        working = {} if owner or target.username == ROLE else {"options": f"{CONNECT['options']} -c role={ROLE}"}
        self._pooled = create_engine(
            target,
            connect_args={**arguments, **working},
            pool_size=2,
            max_overflow=8,
            pool_pre_ping=True,
            pool_recycle=900,
            json_serializer=to_json,
            hide_parameters=True,
        )
        self._apart = create_engine(
            target,
            connect_args={**arguments, **working},
            poolclass=NullPool,
            json_serializer=to_json,
            hide_parameters=True,
        )
        if working:
            event.listen(self._pooled, "connect", _keep_search_path)
            event.listen(self._apart, "connect", _keep_search_path)
        self._alone = create_engine(target, connect_args=arguments, poolclass=NullPool, isolation_level="AUTOCOMMIT")

    def close(self) -> None:
        self._pooled.dispose()
        self._alone.dispose()

    @contextmanager
    def transaction(self, *, apart: bool = False) -> Iterator[Session]:
        """A session that commits when the block ends and rolls back when it raises.

        `apart`: on a connection of its own, for one inside another: ten outer ones may hold all that the pool has.

        Raises Unavailable when Postgres cannot be reached or went away, Conflict when a row breaks a constraint,
        Failed when the schema is not the one this vpsctl knows.
        """
        engine = self._apart if apart else self._pooled
        with self._translated(), Session(engine, expire_on_commit=False) as session, session.begin():
            yield session
            while acts := session.info.pop(LAST, None):
                for act in acts:
                    act(session)

    @contextmanager
    def lock(self, name: str, *, holder: str = "") -> Iterator[Lock]:
        """Hold the advisory lock `name` ("site:shop") on a connection of its own, never waiting for it.

        The server lets go of it as soon as this process dies or its connection breaks: see `Lock.check`.
        Raises Conflict naming who holds it (`holder` is what others are told), Unavailable without Postgres.
        """
        with self._translated():
            connection = self._alone.connect()
        lock = Lock(connection)
        try:
            lock.describe(holder)
            lock.take(name)
            yield lock
        finally:
            lock.close()

    def lock_held(self, name: str) -> bool:
        with self.transaction() as session:
            return held_by(session.connection(), name) is not None

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (exc.OperationalError, exc.InterfaceError, exc.TimeoutError) as error:
            told = str(error.orig if isinstance(error, exc.DBAPIError) else error)
            if f'role "{ROLE}" does not exist' in told or f'set role "{ROLE}"' in told:
                raise self._no_schema() from error
            raise self._unavailable(error) from error
        except exc.IntegrityError as error:
            raise Conflict(
                f"Postgres refused it: {first_line(error)}", hint="someone else may have made it meanwhile"
            ) from error
        except exc.DBAPIError as error:
            if error.connection_invalidated:
                raise self._unavailable(error) from error
            state = getattr(error.orig, "sqlstate", None)
            if state in NO_SCHEMA:
                raise self._no_schema() from error
            if state == NO_RIGHT:
                hint = "vpsctl init gives vpsctl's own role its rights again"
                raise Failed(f"Postgres at {self.place} refused it: {first_line(error)}", hint=hint) from error
            raise

    def _no_schema(self) -> Failed:
        return Failed(f"the schema of {self.place} is not this vpsctl's", hint="vpsctl init")

    def _unavailable(self, error: exc.SQLAlchemyError) -> Unavailable:
        if getattr(getattr(error, "orig", None), "sqlstate", None) in GAVE_UP:
            return Unavailable(f"Postgres at {self.place} gave up on it: {first_line(error)}", hint="try again")
        return Unavailable(f"Postgres at {self.place} cannot be reached: {first_line(error)}", hint="vpsctl doctor")


def before_commit(session: Session, act: Callable[[Session], None]) -> None:
    """Do `act` as the last thing of this transaction: what many wait for is then held for as short as can be."""
    session.info.setdefault(LAST, []).append(act)


def one_state(session: Session) -> None:
    """What is read in this transaction is of one moment, whatever others write meanwhile. Call it first."""
    session.connection(execution_options={"isolation_level": "REPEATABLE READ"})


def first_line(error: exc.SQLAlchemyError) -> str:
    """What the server or driver said, without the statement and its parameters."""
    cause = getattr(error, "orig", None) or error
    return next(iter(str(cause).strip().splitlines()), type(cause).__name__)


def _keep_search_path(connection: Any, _record: object) -> None:
    """As for the owner: in it "$user" is who logged in, who may have a schema of that name, and not the role."""
    connection.execute(SEARCH_PATH)
    connection.commit()
