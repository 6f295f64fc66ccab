"""Rows as other parts write them, and the trail that projects leave."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from tests.operations.credentials.conftest import deployed
from vpsctl.app import App
from vpsctl.db.models import Audit, User

__all__ = ["deployed"]  # a fixture
Trail = Callable[[], list[tuple[str, str, dict[str, Any]]]]


@pytest.fixture
def trail(app: App) -> Trail:
    """(action, target, fields) of each audit row, oldest first."""

    def read() -> list[tuple[str, str, dict[str, Any]]]:
        with app.database.transaction() as session:
            rows = session.scalars(select(Audit).order_by(Audit.id))
            return [(row.action, row.target, row.fields) for row in rows]

    return read


@pytest.fixture
def anna(app: App) -> str:
    """A user."""
    with app.database.transaction() as session:
        session.add(User(name="anna"))
    return "anna"
