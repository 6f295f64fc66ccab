"""Every place where a sealed value is stored, and how its rows are read and written back."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from vpsctl.db.models import Credential, CredentialVersion, InnerKey, MasterKey, Release, User
from vpsctl.vault import bindings
from vpsctl.vault.sealed import KEY_ID, MAGIC, Sealed, pack, unpack

Bound = Callable[[Any], bytes]


@dataclass(frozen=True)
class Place:
    """The sealed values of one column; of credential_versions, of five that belong together."""

    name: str
    """table.column, for people."""
    model: Any
    key_id: Any
    """SQL: which master key a row is under."""
    rows: Any
    """What has a value; the first of each row is the `model`."""
    read: Callable[[Any], Sealed]
    bound: Bound
    """What the value is bound to, from a row of `rows`."""
    columns: Callable[[Sealed], dict[str, Any]]
    """What stands in the row for it."""


def count_values(session: Session) -> dict[str, dict[str, int]]:
    """{key id: {place: stored values under that master key}}."""
    found: dict[str, dict[str, int]] = {}
    for place in PLACES:
        query = place.rows.with_only_columns(place.key_id, func.count()).group_by(place.key_id)
        for key, count in session.execute(query):
            found.setdefault(key, {})[place.name] = count
    return found


def _packed(column: InstrumentedAttribute[Any], bound: Bound) -> Place:
    """A column in the form of `vault.pack`, whose key id stands behind its magic bytes."""
    name = column.key
    return Place(
        name=f"{column.class_.__tablename__}.{name}",
        model=column.class_,
        key_id=func.encode(func.substr(column, len(MAGIC) + 1, KEY_ID), "escape"),
        rows=select(column.class_).where(column.is_not(None)),
        read=lambda row: unpack(getattr(row[0], name)),
        bound=bound,
        columns=lambda sealed: {name: pack(sealed)},
    )


def _sealed(row: Any) -> Sealed:
    version = row[0]
    return Sealed(version.key_id, version.key_nonce, version.wrapped_key, version.nonce, version.ciphertext)


def _pending(row: Any) -> bytes:
    head = row[0]
    return bindings.credential_pending(head.id, head.last_version + 1, head.name, head.project_id)


PLACES = (
    Place(
        name="credential_versions",
        model=CredentialVersion,
        key_id=CredentialVersion.key_id,
        rows=select(CredentialVersion, Credential.name, Credential.project_id)
        .join(Credential, Credential.id == CredentialVersion.credential_id)
        .where(CredentialVersion.destroyed_at.is_(None)),
        read=_sealed,
        bound=lambda row: bindings.credential_version(row[0].credential_id, row[0].version, row[1], row[2]),
        columns=lambda sealed: dict(vars(sealed)),  # dataclasses.asdict copies deeply: a seventh of a rotation
    ),
    _packed(Credential.pending, _pending),
    _packed(Release.files, lambda row: bindings.release_files(row[0].site_id, row[0].number)),
    _packed(User.totp, lambda row: bindings.user_totp(row[0].id, pending=False)),
    _packed(User.totp_pending, lambda row: bindings.user_totp(row[0].id, pending=True)),
    _packed(InnerKey.sealed, lambda row: bindings.inner_key()),
    _packed(MasterKey.sealed, lambda row: bindings.master_key(row[0].key_id)),
)
