"""A trail of rows that operations would write, and a hand behind vpsctl's back to change it with."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.cli.conftest import cli, make_directory
from tests.operations.deploy.conftest import web_image
from tests.postgres import execute
from vpsctl.app import App
from vpsctl.audit.record import record
from vpsctl.db.audit_digest import EARLIER_DIGEST

__all__ = ["cli", "make_directory", "web_image"]  # fixtures

Write = Callable[..., None]
Surgery = Callable[..., None]


@pytest.fixture
def write(app: App) -> Write:
    """`write(3)`: three rows, each in a transaction of its own; `action`, `target`, `fields`, `run_id` as given."""

    def write(rows: int = 1, **told: Any) -> None:
        for number in range(rows):
            row = {"action": "credential.set", "target": "credential:A", "fields": {"version": number}, **told}
            with app.database.transaction() as session:
                record(app, session, **row)

    return write


@pytest.fixture
def surgery(database_url: str) -> Surgery:
    """Statements as the server's superuser."""

    def operate(*statements: str) -> None:
        for statement in statements:
            execute(database_url, statement)

    return operate


@pytest.fixture
def upgraded(surgery: Surgery) -> None:
    """An installation that had three audit rows before there was a chain."""
    digest = EARLIER_DIGEST.replace(":earlier", "3")
    surgery(
        "INSERT INTO audit (id, at, actor, door, action, target, fields, origin)"
        " SELECT n, now(), 'anna', 'cli', 'site.add', 'shop', '{\"a\": 1}', '' FROM generate_series(1, 3) AS n",
        f"UPDATE audit_head SET earlier = 3, last = 3, earlier_digest = d, mac = d FROM ({digest}) AS found (d)",
    )
