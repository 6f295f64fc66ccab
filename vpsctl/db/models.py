"""The whole schema on one page: intent and history; what is true now stands in Docker.

There are no relationships: queries are written where they are used, and rows that point at each other are flushed in
that order by whoever adds them.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, ForeignKey, Identity, Index, LargeBinary, MetaData, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


def _now() -> datetime:
    return datetime.now(UTC)


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {  # noqa: RUF012  SQLAlchemy's own name
        str: Text,
        int: BigInteger,
        bytes: LargeBinary,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[Any]: JSONB,
    }


class Project(Base):
    __tablename__ = "projects"
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    """For people: "Acme Ltd"."""
    description: Mapped[str] = mapped_column(default="")
    tags: Mapped[list[Any]] = mapped_column(default=list)
    """Texts, sorted."""
    external_ids: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """{system: id}: what others call it, such as a Yespo group."""
    owner: Mapped[str | None]
    """A user's name."""
    created_at: Mapped[datetime] = mapped_column(default=_now)
    archived_at: Mapped[datetime | None]


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    email: Mapped[str | None]
    role: Mapped[str | None]
    """viewer, operator or admin on the whole machine; None: only what `grants` say."""
    totp: Mapped[bytes | None]
    """The confirmed TOTP seed, sealed (vault.pack)."""
    totp_pending: Mapped[bytes | None]
    """One that was shown and not confirmed yet, sealed."""
    totp_step: Mapped[int] = mapped_column(default=0)
    """The last 30-second step a code was accepted for: none is accepted twice (RFC 6238 §5.2)."""
    created_at: Mapped[datetime] = mapped_column(default=_now)
    disabled_at: Mapped[datetime | None]


class Grant(Base):
    __tablename__ = "grants"
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True)
    role: Mapped[str]


class RecoveryCode(Base):
    __tablename__ = "recovery_codes"
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    hash: Mapped[str]
    """argon2id, in the PHC form."""
    used_at: Mapped[datetime | None]


class Token(Base):
    __tablename__ = "tokens"
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    public_id: Mapped[str] = mapped_column(unique=True)
    """The eight characters of it that may be shown."""
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    project_id: Mapped[int | None] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    """Good for this project only; None: for all that its user may."""
    name: Mapped[str]
    mac: Mapped[bytes]
    """HMAC-SHA256 of its secret, under a key that is not in the database in the clear."""
    scopes: Mapped[list[Any]]
    addresses: Mapped[list[Any]]
    """Networks (CIDR) it may be used from; none: from anywhere."""
    expires_at: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(default=_now)
    last_used_at: Mapped[datetime | None]
    last_used_from: Mapped[str | None]
    revoked_at: Mapped[datetime | None]


class LoginLink(Base):
    __tablename__ = "login_links"
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    mac: Mapped[bytes] = mapped_column(unique=True)
    expires_at: Mapped[datetime]
    created_at: Mapped[datetime] = mapped_column(default=_now)
    used_at: Mapped[datetime | None]


class Site(Base):
    __tablename__ = "sites"
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("projects.id"), index=True)
    source: Mapped[dict[str, Any]]
    environment: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """{service, or "" for all of them: {NAME: value}}, nothing secret."""
    scale: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """{service: containers}, over what the compose file says."""
    maintenance: Mapped[str | None]
    current_release_id: Mapped[int | None] = mapped_column(ForeignKey("releases.id", use_alter=True, ondelete="SET NULL"))
    created_at: Mapped[datetime] = mapped_column(default=_now)


class Release(Base):
    __tablename__ = "releases"
    __table_args__ = (UniqueConstraint("site_id", "number"),)
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    site_id: Mapped[int] = mapped_column(ForeignKey("sites.id", ondelete="CASCADE"))
    number: Mapped[int]
    source: Mapped[dict[str, Any]]
    """The source and the exact revision of it."""
    compose: Mapped[str]
    """The document as it was written, before interpolation."""
    files: Mapped[bytes | None]
    """The env files it read, sealed (vault.pack)."""
    images: Mapped[dict[str, Any]]
    """{service: image id}."""
    environment: Mapped[dict[str, Any]]
    scale: Mapped[dict[str, Any]]
    credentials: Mapped[dict[str, Any]]
    """{NAME: version}: the pinned versions, never the values."""
    created_at: Mapped[datetime] = mapped_column(default=_now)
    served_at: Mapped[datetime | None]
    """When traffic was first sent to it; None for a release that never got so far."""
    run_id: Mapped[int | None] = mapped_column(ForeignKey("runs.id", ondelete="SET NULL"))


class Port(Base):
    __tablename__ = "ports"
    __table_args__ = (UniqueConstraint("site_id", "service", "container_port", "protocol"),)
    host_port: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    site_id: Mapped[int] = mapped_column(ForeignKey("sites.id", ondelete="CASCADE"))
    service: Mapped[str]
    container_port: Mapped[int]
    protocol: Mapped[str]


class Run(Base):
    __tablename__ = "runs"
    __table_args__ = (Index(None, "subject", "id"),)
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    kind: Mapped[str]
    subject: Mapped[str]
    state: Mapped[str]
    """running, succeeded, failed or undone; running without its lock is an interrupted one."""
    actor: Mapped[str]
    door: Mapped[str]
    host: Mapped[str]
    pid: Mapped[int]
    born: Mapped[int]
    """When that process started, in clock ticks since the boot of `host`: a pid alone is used again."""
    detail: Mapped[dict[str, Any]]
    error: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    started_at: Mapped[datetime] = mapped_column(default=_now)
    finished_at: Mapped[datetime | None]


class RunStep(Base):
    __tablename__ = "run_steps"
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    """From 1, in the order they began."""
    name: Mapped[str]
    state: Mapped[str]
    """running, succeeded, failed or skipped."""
    detail: Mapped[dict[str, Any]]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class RunLine(Base):
    __tablename__ = "run_log"
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    step: Mapped[str | None]
    at: Mapped[datetime]
    text: Mapped[str]


class Credential(Base):
    __tablename__ = "credentials"
    __table_args__ = (
        UniqueConstraint("project_id", "name"),
        Index("uq_credentials_name_everywhere", "name", unique=True, postgresql_where=text("project_id IS NULL")),
    )
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    name: Mapped[str]
    project_id: Mapped[int | None] = mapped_column(ForeignKey("projects.id"))
    """None: for every project that has none of its own."""
    last_version: Mapped[int] = mapped_column(default=0)
    """Never falls, not even by removal, so that a pinned version can never come to mean another value."""
    kind: Mapped[str] = mapped_column(default="password")
    description: Mapped[str] = mapped_column(default="")
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """What `cred test` needs and is no secret, such as {"url": …}."""
    seal: Mapped[bytes | None]
    """HMAC over what this row says (`credentials.head`): a row that was changed behind vpsctl's back is refused."""
    pending: Mapped[bytes | None]
    """A value that a rotation is about to put into force elsewhere, sealed (vault.pack)."""
    expires_at: Mapped[datetime | None]
    rotate_every: Mapped[int | None]
    """Days."""
    created_at: Mapped[datetime] = mapped_column(default=_now)
    last_used_at: Mapped[datetime | None]
    last_revealed_at: Mapped[datetime | None]
    removed_at: Mapped[datetime | None]


class CredentialVersion(Base):
    __tablename__ = "credential_versions"
    credential_id: Mapped[int] = mapped_column(ForeignKey("credentials.id", ondelete="CASCADE"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    key_id: Mapped[str]
    key_nonce: Mapped[bytes]
    wrapped_key: Mapped[bytes]
    nonce: Mapped[bytes]
    ciphertext: Mapped[bytes]
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=_now)
    destroyed_at: Mapped[datetime | None]
    """When its data key was thrown away: the row stays, the value is gone."""


class MasterKey(Base):
    """Every master key this installation has had."""

    __tablename__ = "master_keys"
    key_id: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str]
    """active, retiring (values are still under it) or retired (none is)."""
    sealed: Mapped[bytes | None]
    """The key itself, sealed under the active one (vault.pack); None for the active one."""
    created_at: Mapped[datetime] = mapped_column(default=_now)
    retired_at: Mapped[datetime | None]


class InnerKey(Base):
    """One row: the key that audit, tokens and seals are made with, which outlives every master key."""

    __tablename__ = "inner_key"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, default=1)
    sealed: Mapped[bytes]
    """vault.pack."""


class Audit(Base):
    """INSERT and SELECT are all that vpsctl's own database role may do here."""

    __tablename__ = "audit"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """From 1, without a gap."""
    at: Mapped[datetime] = mapped_column(default=_now, index=True)
    actor: Mapped[str]
    door: Mapped[str]
    action: Mapped[str]
    target: Mapped[str]
    fields: Mapped[dict[str, Any]]
    run_id: Mapped[int | None]
    """No foreign key: a row must not change when a run is deleted."""
    origin: Mapped[str] = mapped_column(default="")
    """From where: an address, a token's id; empty for the machine itself."""
    previous: Mapped[bytes | None]
    """`mac` of the row before; None in rows older than the chain."""
    mac: Mapped[bytes | None]
    """HMAC over `previous` and the row (`audit.row_mac`)."""


class AuditHead(Base):
    """One row: where the chain begins and where it ends now."""

    __tablename__ = "audit_head"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, default=1)
    earlier: Mapped[int]
    """The last row that is older than the chain; 0 for none."""
    earlier_digest: Mapped[bytes]
    """SHA-256 of those rows: `previous` of the chain's first one."""
    last: Mapped[int]
    mac: Mapped[bytes]
    """Of row `last`; `earlier_digest` while the chain is empty."""
    seal: Mapped[bytes | None]
    """HMAC over `last` and `mac`, so that nobody can cut rows off the end and say it was always so."""
