"""The inner key: what audit rows, tokens and seals are made with. The master key seals it, and no rotation changes it."""

import os

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from vpsctl.app import App
from vpsctl.db.models import AuditHead, Credential, CredentialVersion, InnerKey, MasterKey
from vpsctl.errors import Failed
from vpsctl.vault import bindings
from vpsctl.vault.key import SIZE, derive
from vpsctl.vault.sealed import pack, unpack

ALONE = text("SELECT pg_advisory_xact_lock(hashtextextended('inner-key', 0))")


def subkey(app: App, session: Session, purpose: str) -> bytes:
    """32 bytes for one purpose only, such as "audit" or "token"; the same for as long as the installation lives.

    Raises Failed when the master key is not the one that this database is under, or the stored row was altered.
    """
    stored = session.scalar(select(InnerKey.sealed))  # each time: under a process that goes on a database may be replaced
    known = app.inner_key
    if stored is None or known is None or known[0] != stored:
        known = app.inner_key = _opened(app, stored) if stored is not None else _make(app)
    return derive_subkey(known[1], purpose)


def derive_subkey(inner: bytes, purpose: str) -> bytes:
    return derive(inner, f"inner/{purpose}")


def _opened(app: App, stored: bytes) -> tuple[bytes, bytes]:
    return stored, app.vault.decrypt(unpack(stored), binding=bindings.inner_key())


def _make(app: App) -> tuple[bytes, bytes]:
    """The first change of a new installation; two at once agree, since the second waits for the first.

    In a transaction of its own: the caller's may be rolled back, and the key is remembered. Credentials older than the
    seals get theirs together with the key, by `credentials.head.seal_earlier`.
    """
    with app.database.transaction(apart=True) as session:
        if session.scalar(select(Credential.id).where(Credential.seal.is_(None)).limit(1)) is not None:
            raise Failed(
                "the upgrade of this installation has not ended: credentials wait for their seals", hint="vpsctl init"
            )
        made = make_inner_key(app, session)
        stored = session.scalars(select(InnerKey.sealed)).one()
        return (stored, made) if made else _opened(app, stored)


def make_inner_key(app: App, session: Session) -> bytes | None:
    """Register the master key as this installation's, with a new inner key under it; None when that was done before."""
    session.execute(ALONE)
    if session.scalar(select(InnerKey.id)) is not None:
        return None
    written = session.scalar(select(AuditHead.id).where(AuditHead.seal.is_not(None)))
    if written is not None or session.scalar(select(MasterKey.key_id).limit(1)) is not None:
        raise Failed(
            "the inner key is gone from the database: its row was removed", hint="restore the database from a backup"
        )
    active = app.vault.key_id
    other = session.scalar(select(CredentialVersion.key_id).where(CredentialVersion.key_id != active).limit(1))
    if other is not None:
        raise Failed(
            f"the credentials here were encrypted with master key {other}, and {app.vault.key_file.path} is {active}",
            hint=f"put master key {other} back",
        )
    key = os.urandom(SIZE)
    session.add(MasterKey(key_id=active, state="active"))
    session.add(InnerKey(sealed=pack(app.vault.encrypt(key, binding=bindings.inner_key()))))
    session.flush()
    return key
