"""Kinds of credentials, master keys, users and tokens, the chained audit trail, and a role that cannot change it.

Revision ID: 0002
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from vpsctl.db.audit_digest import EARLIER_DIGEST
from vpsctl.db.role import ENSURE_ROLE, GRANT_RIGHTS, ROLE

revision = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

PROJECTS = ("description", "tags", "external_ids", "owner", "archived_at")
CREDENTIALS = (
    "kind", "description", "details", "seal", "pending", "expires_at", "rotate_every", "last_used_at", "last_revealed_at",
)  # fmt: skip


def _id() -> sa.Column[Any]:
    return sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False)


def _only() -> sa.Column[Any]:
    return sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False)


def _text(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _number(name: str, *target: sa.ForeignKey, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), *target, nullable=nullable)


def _json(name: str) -> sa.Column[Any]:
    return sa.Column(name, JSONB(), nullable=False)


def _time(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _bytes(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.LargeBinary(), nullable=nullable)


def _user(table: str) -> sa.Column[Any]:
    return _number("user_id", sa.ForeignKey("users.id", name=f"fk_{table}_user_id", ondelete="CASCADE"))


def _project(table: str, *, nullable: bool = False) -> sa.Column[Any]:
    key = sa.ForeignKey("projects.id", name=f"fk_{table}_project_id", ondelete="CASCADE")
    return _number("project_id", key, nullable=nullable)


def _add(table: str, column: sa.Column[Any], existing: str | None = None) -> None:
    """A new column; `existing` is what the rows that are there already get, in SQL."""
    if existing is None:
        op.add_column(table, column)
        return
    column.server_default = sa.DefaultClause(sa.text(existing))
    op.add_column(table, column)
    op.alter_column(table, column.name, server_default=None)


def upgrade() -> None:
    _add("projects", _text("description"), "''")
    _add("projects", _json("tags"), "'[]'")
    _add("projects", _json("external_ids"), "'{}'")
    _add("projects", _text("owner", nullable=True))
    _add("projects", _time("archived_at", nullable=True))
    _credentials()
    _users()
    _audit()
    _role()


def _credentials() -> None:
    _add("credentials", _text("kind"), "'password'")
    _add("credentials", _text("description"), "''")
    _add("credentials", _json("details"), "'{}'")
    _add("credentials", _bytes("seal", nullable=True))
    _add("credentials", _bytes("pending", nullable=True))
    _add("credentials", _time("expires_at", nullable=True))
    _add("credentials", _number("rotate_every", nullable=True))
    _add("credentials", _time("last_used_at", nullable=True))
    _add("credentials", _time("last_revealed_at", nullable=True))
    _add("credential_versions", _time("destroyed_at", nullable=True))
    op.create_table(
        "master_keys",
        _text("key_id"),
        _text("state"),
        _bytes("sealed", nullable=True),
        _time("created_at"),
        _time("retired_at", nullable=True),
        sa.PrimaryKeyConstraint("key_id", name="pk_master_keys"),
    )
    op.create_table("inner_key", _only(), _bytes("sealed"), sa.PrimaryKeyConstraint("id", name="pk_inner_key"))


def _users() -> None:
    op.create_table(
        "users",
        _id(),
        _text("name"),
        _text("email", nullable=True),
        _text("role", nullable=True),
        _bytes("totp", nullable=True),
        _bytes("totp_pending", nullable=True),
        _number("totp_step"),
        _time("created_at"),
        _time("disabled_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("name", name="uq_users_name"),
    )
    op.create_table(
        "grants",
        _user("grants"),
        _project("grants"),
        _text("role"),
        sa.PrimaryKeyConstraint("user_id", "project_id", name="pk_grants"),
    )
    _sign_in()
    for table in ("recovery_codes", "tokens", "login_links"):
        op.create_index(f"ix_{table}_user_id", table, ["user_id"])


def _sign_in() -> None:
    """What people and programs show that they are who they say."""
    op.create_table(
        "recovery_codes",
        _id(),
        _user("recovery_codes"),
        _text("hash"),
        _time("used_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_recovery_codes"),
    )
    op.create_table(
        "tokens",
        _id(),
        _text("public_id"),
        _user("tokens"),
        _project("tokens", nullable=True),
        _text("name"),
        _bytes("mac"),
        _json("scopes"),
        _json("addresses"),
        _time("expires_at"),
        _time("created_at"),
        _time("last_used_at", nullable=True),
        _text("last_used_from", nullable=True),
        _time("revoked_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
        sa.UniqueConstraint("public_id", name="uq_tokens_public_id"),
    )
    op.create_table(
        "login_links",
        _id(),
        _user("login_links"),
        _bytes("mac"),
        _time("expires_at"),
        _time("created_at"),
        _time("used_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_login_links"),
        sa.UniqueConstraint("mac", name="uq_login_links_mac"),
    )


def _audit() -> None:
    op.drop_constraint("fk_audit_run_id", "audit")  # a deleted run would have changed a row of the trail
    op.execute("ALTER TABLE audit ALTER COLUMN id DROP IDENTITY")
    _add("audit", _text("origin"), "''")
    _add("audit", _bytes("previous", nullable=True))
    _add("audit", _bytes("mac", nullable=True))
    op.create_table(
        "audit_head",
        _only(),
        _number("earlier"),
        _bytes("earlier_digest"),
        _number("last"),
        _bytes("mac"),
        _bytes("seal", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_audit_head"),
    )
    last = "coalesce((SELECT max(id) FROM audit), 0)"
    op.execute(
        f"INSERT INTO audit_head (id, earlier, earlier_digest, last, mac)"
        f" SELECT 1, {last}, digest, {last}, digest FROM ({EARLIER_DIGEST}) AS found (digest)".replace(
            ":earlier", "9223372036854775807"
        )
    )


def _role() -> None:
    for statement in (ENSURE_ROLE, *GRANT_RIGHTS):
        op.execute(statement)


def downgrade() -> None:
    op.execute(f"DROP OWNED BY {ROLE}")  # its rights in this database; the role itself may serve another one
    op.drop_table("audit_head")
    for column in ("origin", "previous", "mac"):
        op.drop_column("audit", column)
    op.execute("ALTER TABLE audit ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY")
    op.execute("SELECT setval(pg_get_serial_sequence('audit', 'id'), coalesce((SELECT max(id) FROM audit), 0) + 1, false)")
    op.execute("UPDATE audit SET run_id = NULL WHERE run_id NOT IN (SELECT id FROM runs)")
    op.create_foreign_key("fk_audit_run_id", "audit", "runs", ["run_id"], ["id"], ondelete="SET NULL")
    for table in ("login_links", "tokens", "recovery_codes", "grants", "users", "inner_key", "master_keys"):
        op.drop_table(table)
    op.drop_column("credential_versions", "destroyed_at")
    for column in CREDENTIALS:
        op.drop_column("credentials", column)
    for column in PROJECTS:
        op.drop_column("projects", column)
