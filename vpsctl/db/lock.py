"""Postgres session advisory locks: held by a connection, so they die with the process that opened it."""

import os
import re
import time
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, TextClause, exc, text

from vpsctl.errors import Conflict, Unavailable
from vpsctl.process import born

TAKE = text("SELECT pg_try_advisory_lock(hashtextextended(:name, 0))")
DROP_ALL = text("SELECT pg_advisory_unlock_all()")
DROP = text("SELECT pg_advisory_unlock(hashtextextended(:name, 0))")
# A 64-bit key stands in pg_locks as two halves, marked by objsubid 1.
HOLDER = text("""SELECT coalesce(a.application_name, '') FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
 WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
 AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
 AND (l.classid::bigint << 32 | l.objid::bigint) = hashtextextended(:name, 0) LIMIT 1""")
DESCRIBE = text(
    "SELECT set_config('application_name', :name, false), set_config('tcp_keepalives_idle', '10', false),"
    " set_config('tcp_keepalives_interval', '5', false), set_config('tcp_keepalives_count', '3', false)"
)
NAME_LIMIT = 63
"""Bytes of an application_name."""
NOTICE = 3.0
"""Seconds that the server may take to see that a killed process is gone, and its lock with it."""
POLL = 0.02


class Lock:
    """An advisory lock and the connection that holds it; `check` before each step that relies on it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._names: list[str] = []

    def describe(self, holder: str) -> None:
        """Say who holds it, for the sentence others get: "deploy run 12 by root"."""
        told = f"vpsctl pid {os.getpid()}{holder and ', '}{holder}"
        self._ask(DESCRIBE, name=told.encode("ascii", "replace")[:NAME_LIMIT].decode())

    def take(self, name: str) -> None:
        """Hold `name` too, on the same connection. Raises Conflict when another connection has it."""
        if name not in self._names:
            deadline = time.monotonic() + NOTICE
            while not self._ask(TAKE, name=name):
                who = held_by(self._connection, name) or "someone who let go of it just now"
                if _lives(who) or time.monotonic() >= deadline:
                    hint = "vpsctl run list shows what runs; try again after it"
                    raise Conflict(f"{name.replace(':', ' ', 1)} is held by {who}", hint=hint)
                time.sleep(POLL)
            self._names.append(name)

    def drop(self, name: str) -> None:
        """Let go of `name` alone. With the connection gone it has been let go of."""
        self._names.remove(name)
        with suppress(Unavailable):
            self._ask(DROP, name=name)

    def check(self) -> None:
        """Raises Unavailable when the connection is gone and the lock with it; it does not come back."""
        self._ask(text("SELECT 1"))

    def close(self) -> None:
        """Let go now: of a connection that is only closed the server takes notice a moment later."""
        if not self._connection.invalidated:
            with suppress(Unavailable):
                self._ask(DROP_ALL)
        self._connection.close()

    def _ask(self, statement: TextClause, **parameters: str) -> Any:
        try:
            return self._connection.scalar(statement, parameters)
        except (exc.DBAPIError, exc.PendingRollbackError) as error:  # the second: it was found broken before
            names = ", ".join(self._names) or "Postgres"
            raise Unavailable(f"the lock on {names} is lost: Postgres went away", hint="vpsctl doctor") from error


def _lives(holder: str) -> bool:
    """Whether the process that calls itself so is one of this machine's; no name at all: it has just let go."""
    found = re.match(r"vpsctl pid (\d+)", holder)
    return found is not None and born(int(found[1])) is not None


def held_by(connection: Connection, name: str) -> str | None:
    """What the holder of `name` says of itself; None when nobody holds it."""
    told: Any = connection.scalar(HOLDER, {"name": name})
    return None if told is None else str(told) or "a session that has no name"
