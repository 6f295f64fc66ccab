"""Projects, sites, releases, ports, runs, credentials, audit.

Revision ID: 0001
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def _id() -> sa.Column[Any]:
    return sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False)


def _text(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _number(name: str, *target: sa.ForeignKey, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), *target, nullable=nullable)


def _json(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, JSONB(), nullable=nullable)


def _time(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _bytes(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.LargeBinary(), nullable=nullable)


def _to(table: str, column: str, ondelete: str | None = None) -> sa.ForeignKey:
    return sa.ForeignKey(f"{table}.id", name=f"fk_{column}", ondelete=ondelete)


def upgrade() -> None:
    op.create_table(
        "projects",
        _id(),
        _text("slug"),
        _text("name"),
        _time("created_at"),
        sa.PrimaryKeyConstraint("id", name="pk_projects"),
        sa.UniqueConstraint("slug", name="uq_projects_slug"),
    )
    _runs()
    _credentials()
    _sites()
    op.create_table(
        "audit",
        _id(),
        _time("at"),
        _text("actor"),
        _text("door"),
        _text("action"),
        _text("target"),
        _json("fields"),
        _number("run_id", _to("runs", "audit_run_id", "SET NULL"), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_index("ix_audit_at", "audit", ["at"])


def _runs() -> None:
    op.create_table(
        "runs",
        _id(),
        _text("kind"),
        _text("subject"),
        _text("state"),
        _text("actor"),
        _text("door"),
        _text("host"),
        _number("pid"),
        _number("born"),
        _json("detail"),
        _json("error", nullable=True),
        _time("started_at"),
        _time("finished_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
    )
    op.create_index("ix_runs_subject_id", "runs", ["subject", "id"])
    op.create_table(
        "run_steps",
        _number("run_id", _to("runs", "run_steps_run_id", "CASCADE")),
        _number("position"),
        _text("name"),
        _text("state"),
        _json("detail"),
        _time("started_at"),
        _time("finished_at", nullable=True),
        sa.PrimaryKeyConstraint("run_id", "position", name="pk_run_steps"),
    )
    op.create_table(
        "run_log",
        _number("run_id", _to("runs", "run_log_run_id", "CASCADE")),
        _number("seq"),
        _text("step", nullable=True),
        _time("at"),
        _text("text"),
        sa.PrimaryKeyConstraint("run_id", "seq", name="pk_run_log"),
    )


def _credentials() -> None:
    op.create_table(
        "credentials",
        _id(),
        _text("name"),
        _number("project_id", _to("projects", "credentials_project_id"), nullable=True),
        _number("last_version"),
        _time("created_at"),
        _time("removed_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_credentials"),
        sa.UniqueConstraint("project_id", "name", name="uq_credentials_project_id_name"),
    )
    everywhere = sa.text("project_id IS NULL")
    op.create_index("uq_credentials_name_everywhere", "credentials", ["name"], unique=True, postgresql_where=everywhere)
    op.create_table(
        "credential_versions",
        _number("credential_id", _to("credentials", "credential_versions_credential_id", "CASCADE")),
        _number("version"),
        _text("key_id"),
        _bytes("key_nonce"),
        _bytes("wrapped_key"),
        _bytes("nonce"),
        _bytes("ciphertext"),
        _text("created_by"),
        _time("created_at"),
        sa.PrimaryKeyConstraint("credential_id", "version", name="pk_credential_versions"),
    )


def _sites() -> None:
    op.create_table(
        "sites",
        _id(),
        _text("name"),
        _number("project_id", _to("projects", "sites_project_id")),
        _json("source"),
        _json("environment"),
        _json("scale"),
        _text("maintenance", nullable=True),
        _number("current_release_id", nullable=True),
        _time("created_at"),
        sa.PrimaryKeyConstraint("id", name="pk_sites"),
        sa.UniqueConstraint("name", name="uq_sites_name"),
    )
    op.create_index("ix_sites_project_id", "sites", ["project_id"])
    op.create_table(
        "releases",
        _id(),
        _number("site_id", _to("sites", "releases_site_id", "CASCADE")),
        _number("number"),
        _json("source"),
        _text("compose"),
        _bytes("files", nullable=True),
        _json("images"),
        _json("environment"),
        _json("scale"),
        _json("credentials"),
        _time("created_at"),
        _time("served_at", nullable=True),
        _number("run_id", _to("runs", "releases_run_id", "SET NULL"), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_releases"),
        sa.UniqueConstraint("site_id", "number", name="uq_releases_site_id_number"),
    )
    current = "fk_sites_current_release_id"
    op.create_foreign_key(current, "sites", "releases", ["current_release_id"], ["id"], ondelete="SET NULL")
    op.create_table(
        "ports",
        sa.Column("host_port", sa.BigInteger(), autoincrement=False, nullable=False),
        _number("site_id", _to("sites", "ports_site_id", "CASCADE")),
        _text("service"),
        _number("container_port"),
        _text("protocol"),
        sa.PrimaryKeyConstraint("host_port", name="pk_ports"),
        sa.UniqueConstraint(
            "site_id", "service", "container_port", "protocol", name="uq_ports_site_id_service_container_port_protocol"
        ),
    )


def downgrade() -> None:
    op.drop_constraint("fk_sites_current_release_id", "sites")
    for table in ("audit", "ports", "releases", "sites", "credential_versions", "credentials"):
        op.drop_table(table)
    for table in ("run_log", "run_steps", "runs", "projects"):
        op.drop_table(table)
