"""The recovery kit: every master key in one age file, and the way from it back to a master key that is lost."""

import base64
import binascii
import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from vpsctl import age, private_file
from vpsctl.app import App
from vpsctl.audit.outside import record_or_keep
from vpsctl.audit.record import record
from vpsctl.db.models import Audit, MasterKey
from vpsctl.errors import Conflict, Failed, Invalid, NotFound, VpsctlError
from vpsctl.keys.status import registered_key
from vpsctl.secret import Secret
from vpsctl.settings import Settings, config_path
from vpsctl.vault.key import SIZE, KeyFile, key_id

FORMAT = "vpsctl-recovery-kit/1"
"""Later versions of vpsctl add to the document; what is in it keeps its meaning as long as this does."""
CREATED = "recovery-kit.create"
MOST_KEPT = 100
"""Files of one name that are kept beside a restored key."""
Parts = Callable[[App], Mapping[str, Any]]
"""What others put into a kit: keys of the document, and what JSON can hold."""


@dataclass(frozen=True)
class Kit:
    path: Path
    key_id: str
    """The active master key."""
    older: tuple[str, ...]
    """Ids of the others in it."""
    recipients: tuple[str, ...]
    """Who can open it; none: whoever has the passphrase."""
    created_at: datetime


@dataclass(frozen=True)
class LastKit:
    """The newest recovery kit that was made here."""

    made_at: datetime
    current: bool
    """No master key came into force since."""


@dataclass(frozen=True)
class KitKey:
    key_id: str
    active: bool
    created_at: datetime | None
    """None where the database did not know."""


@dataclass(frozen=True)
class KitContent:
    """What a kit holds, without the keys themselves."""

    created_at: datetime
    instance: str
    home: Path
    keys: tuple[KitKey, ...]
    settings: bool
    """Whether config.toml is in it."""
    targets: tuple[str, ...] = ()
    """Names of the backup targets that it says how to open."""
    repositories: int = 0
    """Whose passwords it holds."""


@dataclass(frozen=True)
class RestoredKey:
    key_id: str
    path: Path
    changed: bool
    """False when this very key stood there already."""
    kept: Path | None
    """Where that went which stood there before."""


@dataclass(frozen=True)
class _Opened:
    content: KitContent
    keys: Mapping[str, Secret]
    """In base64, by their ids."""
    active: str
    document: Mapping[str, Any]


def create_kit(
    app: App, *, to: Path, recipients: Sequence[str] = (), passphrase: Secret | None = None, parts: Parts | None = None
) -> Kit:
    """Write the active master key, every older one that is kept, the settings, and `parts` to `to` (0600).

    Encrypted to `recipients` or with `passphrase` (see `age.encrypt_to`). The audit row is committed before the file is.
    Raises Conflict when `to` exists, Invalid for a recipient that is none, Failed when a key does not open.
    """
    private_file.check_free(to)
    now = datetime.now(UTC)
    with app.database.transaction() as session:
        active, keys = _keys(app, session)
    document = {
        "format": FORMAT,
        "created_at": now.isoformat(),
        "instance": app.settings.instance,
        "home": str(app.settings.home),
        "active": active,
        "keys": keys,
        "settings": _settings(),
        **(parts(app) if parts else {}),
    }
    data = age.encrypt_to(json.dumps(document, indent=1).encode(), recipients=recipients, passphrase=passphrase)
    older = tuple(key["id"] for key in keys if key["id"] != active)
    fields = {"older": older, "to": to, "recipients": list(recipients), "passphrase": passphrase is not None}
    with app.database.transaction() as session:
        record(app, session, CREATED, f"key:{active}", fields)
    private_file.write_free(to, data)
    return Kit(to, active, older, tuple(recipients), now)


def last_kit(app: App) -> LastKit | None:
    """As the audit trail has it; None when none was ever made."""
    registered = registered_key(app)
    made = select(Audit.at, Audit.target).where(Audit.action == CREATED).order_by(Audit.id.desc()).limit(1)
    with app.database.transaction() as session:
        found = session.execute(made).first()
    return None if found is None else LastKit(found.at, registered is None or found.target == f"key:{registered}")


def show_kit(kit: bytes, *, identities: Sequence[Secret] = (), passphrase: Secret | None = None) -> KitContent:
    """What is in a kit: ids and dates, never keys. Raises as `restore_key` does for a kit that does not open."""
    return _open(kit, identities, passphrase).content


def restore_key(
    settings: Settings,
    kit: bytes,
    *,
    identities: Sequence[Secret] = (),
    passphrase: Secret | None = None,
    name: str | None = None,
    replace: bool = False,
) -> RestoredKey:
    """Put a master key of a kit back at its place (0600, as a plain file), without database or vault.

    `name`: the id of the one, for a database from before a rotation; None: the one that was active.
    Raises Invalid for what is no kit; NotFound for a key that is not in it; Failed when none of the identities opens it,
    or it is damaged; Conflict naming both ids when another key stands there, unless `replace`, which keeps that file
    beside it.
    """
    opened = _open(kit, identities, passphrase)
    wanted = name or opened.active
    if wanted not in opened.keys:
        raise NotFound(f"there is no master key {wanted} in the kit", hint="vpsctl recovery-kit show FILE lists them")
    path = settings.key_file or settings.home / "master.key"
    data = opened.keys[wanted].reveal().encode() + b"\n"
    try:
        _make_directory(path.parent)
        if private_file.write_new(path, data):
            return RestoredKey(wanted, path, changed=True, kept=None)
        there, problem = _standing(KeyFile(path, credentials=settings.credentials_directory))
        if there == wanted and not problem:
            return RestoredKey(wanted, path, changed=False, kept=None)
        if not replace:
            raise _in_the_way(path, there, wanted, problem)
        kept = _keep(path, there or "unreadable")
        private_file.write(path, data)
    except OSError as error:
        hint = "run as root, such as by sudo" if isinstance(error, PermissionError) else f"see why: df {path.parent}"
        raise Failed(f"cannot write {path}: {error.strerror}", hint=hint) from error
    return RestoredKey(wanted, path, changed=True, kept=kept)


def record_restored(app: App, done: RestoredKey) -> None:
    """The audit row of a key that was put back: now, or once there is a database whose key it is. Raises Failed."""
    if done.changed:
        record_or_keep(app, "key.restore", f"key:{done.key_id}", {"path": done.path, "kept": done.kept})


def _keys(app: App, session: Session) -> tuple[str, list[dict[str, Any]]]:
    """(the active one's id, all of them): while a rotation goes on it is the new one, under which the old one is."""
    rows = {row.key_id: row for row in session.scalars(select(MasterKey).order_by(MasterKey.created_at.desc()))}
    active = next((name for name, row in rows.items() if row.state == "active"), app.vault.key_id)
    kept = [name for name, row in rows.items() if row.sealed is not None]  # the others: `key remove`
    names = dict.fromkeys([active, app.vault.key_id, *kept])
    return active, [_key(app, name, rows.get(name)) for name in names]


def _key(app: App, name: str, row: MasterKey | None) -> dict[str, Any]:
    created = row.created_at.astimezone(UTC).isoformat() if row else None
    return {"id": name, "key": base64.b64encode(app.vault.master_key(name)).decode(), "created_at": created}


def _settings() -> dict[str, str] | None:
    path = config_path()
    try:
        return {"path": str(path), "text": path.read_text()}
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise Failed(f"cannot read the settings in {path}, which belong into the kit", hint=f"ls -l {path}") from error


def _open(kit: bytes, identities: Sequence[Secret], passphrase: Secret | None) -> _Opened:
    text = age.decrypt(kit, identities=identities, passphrase=passphrase)
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        known = isinstance(document, dict) and str(document.get("format")).startswith("vpsctl-recovery-kit/")
        hint = "take the vpsctl that wrote it, or a newer one" if known else "vpsctl recovery-kit create writes one"
        raise Invalid(f"this is not a recovery kit that this vpsctl can read (it reads {FORMAT})", hint=hint)
    try:
        return _read(document)
    except (KeyError, TypeError, ValueError, AttributeError, binascii.Error):  # a cause might quote a key
        raise Failed("the recovery kit is damaged", hint="take another copy of it") from None


def _read(document: Mapping[str, Any]) -> _Opened:
    """Raises ValueError and the like when anything is not as it was written."""
    active = str(document["active"])
    keys = {str(item["id"]): Secret(str(item["key"])) for item in document["keys"]}
    for name, key in keys.items():
        raw = base64.b64decode(key.reveal(), validate=True)
        if len(raw) != SIZE or key_id(raw) != name:
            raise ValueError("another key than its id says")
    keys[active]
    listed = tuple(
        KitKey(str(item["id"]), item["id"] == active, item["created_at"] and datetime.fromisoformat(item["created_at"]))
        for item in document["keys"]
    )
    created, home = datetime.fromisoformat(document["created_at"]), Path(str(document["home"]))
    targets = tuple(str(item["name"]) for item in document.get("backup_targets", ()))
    content = KitContent(
        created,
        str(document["instance"]),
        home,
        listed,
        document.get("settings") is not None,
        targets,
        len(document.get("repositories", ())),
    )
    return _Opened(content, keys, active, document)


def _make_directory(directory: Path) -> None:
    """On an empty machine; `vpsctl init` makes the rest of it."""
    with suppress(FileExistsError):
        directory.mkdir(parents=True, mode=0o700)


def _standing(key_file: KeyFile) -> tuple[str, str]:
    """(the id of the key in place, or "" when nobody can tell; why it cannot be used here, or "")."""
    try:
        name = key_file.kept().key_id
    except (Invalid, NotFound) as error:
        return "", error.message
    try:
        key_file.read()
    except VpsctlError as error:
        return name, error.message
    return name, ""


def _in_the_way(path: Path, there: str, wanted: str, problem: str) -> Conflict:
    hint = "add --replace to put the kit's key there; what stands there now is kept beside it"
    if there and there != wanted:
        return Conflict(f"{path} is master key {there}, and the kit holds {wanted}", hint=hint)
    return Conflict(f"something stands at {path} where master key {wanted} belongs: {problem}", hint=hint)


def _keep(path: Path, name: str) -> Path:
    """A second name for what stands there: at no moment is there nothing at `path`."""
    for number in range(MOST_KEPT):
        kept = path.with_name(f"{path.name}.{name}" + (f".{number}" if number else ""))
        with suppress(FileExistsError):
            os.link(path, kept, follow_symlinks=False)
            return kept
    raise Failed(f"there are {MOST_KEPT} files like {path}.{name} already", hint=f"move them away: ls {path.parent}")
