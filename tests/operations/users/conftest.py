"""Users, projects, and what the audit trail says of them."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, text

from vpsctl.app import App
from vpsctl.db.models import Audit
from vpsctl.projects.find import ensure_project

Sql = Callable[..., Any]
Trail = Callable[[], list[tuple[str, str, dict[str, Any]]]]


@pytest.fixture
def sql(app: App) -> Sql:
    """`sql("UPDATE … WHERE name = :name", name="anna")`: what someone else does to the rows; the first value it returns."""

    def run(statement: str, **values: Any) -> Any:
        with app.database.transaction() as session:
            result = session.execute(text(statement), values)
            return result.scalar() if result.returns_rows else None  # type: ignore[attr-defined]

    return run


@pytest.fixture
def trail(app: App) -> Trail:
    """(action, target, fields) of every audit row, the oldest first."""

    def read() -> list[tuple[str, str, dict[str, Any]]]:
        with app.database.transaction() as session:
            return [(row.action, row.target, row.fields) for row in session.scalars(select(Audit).order_by(Audit.id))]

    return read


@pytest.fixture
def projects(app: App) -> None:
    """acme and globex."""
    with app.database.transaction() as session:
        for slug in ("acme", "globex"):
            ensure_project(session, slug)
