"""Reading audit rows: a batch at a time, and also what somebody put there that Python cannot hold."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select, Text, cast, func, select
from sqlalchemy.orm import Session

from vpsctl.db.models import Audit

BATCH = 2000
"""Rows in memory at once."""
EARLIEST = datetime(1, 1, 2, tzinfo=UTC)
LATEST = datetime(9999, 12, 30, tzinfo=UTC)
READ = {  # Postgres also has the time "infinity", and numbers of more digits than Python reads
    "at": func.least(func.greatest(Audit.at, EARLIEST), LATEST),
    "fields": cast(Audit.fields, Text),
}
ROWS: Select[Any] = select(*(READ.get(column.name, column).label(column.name) for column in Audit.__table__.columns))
"""Every column of every row."""


def read_rows(session: Session, query: Select[Any]) -> Iterator[Audit]:
    """The rows of a query that is made from ROWS; copies, which do not belong to the session."""
    for row in session.execute(query, execution_options={"yield_per": BATCH}):
        values = dict(row._mapping)
        yield Audit(**{**values, "fields": _parsed(values["fields"])})


def find_row(session: Session, row_id: int) -> Audit | None:
    return next(read_rows(session, ROWS.where(Audit.id == row_id)), None)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
