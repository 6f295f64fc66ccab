"""Which master keys there are, what is under each of them, and where one could be kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from vpsctl.app import App
from vpsctl.db.models import MasterKey
from vpsctl.errors import NotFound, VpsctlError
from vpsctl.keys.places import count_values
from vpsctl.vault.key import PROVIDERS, Kept


@dataclass(frozen=True)
class KnownKey:
    key_id: str
    state: str
    """active, retiring or retired, as the database says; unknown: values are under it, and nobody registered it."""
    since: datetime | None
    """When it came into force."""
    retired_at: datetime | None
    kept: bool
    """This installation can still open what is under it."""
    values: Mapping[str, int]
    """{place: stored values under it}: while there is one, the key is needed."""


@dataclass(frozen=True)
class KeyStatus:
    path: str
    """The key file."""
    active: Kept | None
    """Where the key in force is; None when the file does not say."""
    problem: str | None
    """Why the key cannot be used here."""
    mend: str
    registered: bool
    """The file's key is the one that the database has as active; also before anything is stored."""
    staged: Kept | None
    """The next key of a rotation that was interrupted: `key rotate` goes on with it."""
    keys: tuple[KnownKey, ...]
    """Newest first."""


@dataclass(frozen=True)
class Provider:
    name: str
    in_use: bool
    reason: str | None
    """Why no key can be kept there on this machine; None when one can."""


def key_status(app: App) -> KeyStatus:
    """The state of the master keys; that one is missing or wrong is told, not raised.

    Asks nobody for a passphrase, and so takes the word of the key file for which key it gives.
    Raises Unavailable without Postgres, Failed when its schema is not this vpsctl's.
    """
    key_file = app.vault.key_file
    active: Kept | None = None
    staged: Kept | None = None
    problem: VpsctlError | None = None
    here: set[str] = set()
    try:
        active = key_file.kept()
        if active.provider != "passphrase":
            key_file.read()
        here.add(active.key_id)
        staged = key_file.kept_next()
    except VpsctlError as error:
        problem = error
    here |= {staged.key_id} if staged else set()
    keys = _known(app, here)
    in_force = [key.key_id for key in keys if key.state == "active"]
    registered = active is not None and in_force in ([], [active.key_id])
    message, mend = (problem.message, problem.hint) if problem else (None, "")
    return KeyStatus(str(key_file.path), active, message, mend, registered, staged, keys)


def registered_key(app: App) -> str | None:
    """The id of the key that the database has as active; None before there is one."""
    with app.database.transaction() as session:
        return session.scalar(select(MasterKey.key_id).where(MasterKey.state == "active"))


def list_providers(app: App) -> tuple[Provider, ...]:
    """Where a master key can be kept, the best for a server first. Raises Invalid when the key file is wrong."""
    key_file = app.vault.key_file
    try:
        used = key_file.provider()
    except NotFound:
        used = ""
    return tuple(Provider(name, name == used, key_file.unavailable(name)) for name in PROVIDERS)


def _known(app: App, here: set[str]) -> tuple[KnownKey, ...]:
    with app.database.transaction() as session:
        values = count_values(session)
        rows = session.scalars(select(MasterKey).order_by(MasterKey.created_at.desc(), MasterKey.key_id)).all()
    known = [
        KnownKey(
            key_id=row.key_id,
            state=row.state,
            since=row.created_at,
            retired_at=row.retired_at,
            kept=row.sealed is not None or row.key_id in here,
            values=values.pop(row.key_id, {}),
        )
        for row in rows
    ]
    strange = [KnownKey(key, "unknown", None, None, key in here, count) for key, count in sorted(values.items())]
    return (*known, *strange)
