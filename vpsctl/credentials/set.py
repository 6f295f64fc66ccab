"""Store a new version of a credential."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from vpsctl.app import App
from vpsctl.audit.record import record
from vpsctl.credentials.head import seal_head
from vpsctl.credentials.kinds.check import check_value
from vpsctl.credentials.name import audited_name, checked_name, full_name, one_at_a_time
from vpsctl.db.models import Credential, CredentialVersion
from vpsctl.errors import Conflict, Failed, Invalid
from vpsctl.projects.find import check_active, find_project
from vpsctl.secret import Secret
from vpsctl.vault.bindings import credential_pending, credential_version
from vpsctl.vault.sealed import unpack

KIND = "password"
"""Of a credential that is made without saying."""


@dataclass(frozen=True)
class Traits:
    """What stands beside a value and is no secret; None leaves it as it is."""

    kind: str | None = None
    description: str | None = None
    details: Mapping[str, str] | None = None
    """What `cred test` needs, such as {"url": …}."""
    expires_at: datetime | None = None
    """Of this value: the next one has its own."""
    rotate_every: int | None = None
    """Days; 0 for never."""


@dataclass(frozen=True)
class CredentialVersionInfo:
    name: str
    project: str | None
    kind: str
    version: int
    created_at: datetime


UNCHANGED = Traits()


def set_credential(
    app: App,
    name: str,
    value: Secret,
    *,
    project: str | None = None,
    traits: Traits = UNCHANGED,
    new: bool = False,
) -> CredentialVersionInfo:
    """Store `value` as the newest version of credential `name`, of `project` or for the whole machine.

    Sites get it with their next deploy. `new`: there must be none yet.
    Raises Invalid for a value that its kind cannot have; Conflict for another kind than it has, or when it exists and
    must be `new`; NotFound for the project.
    """
    checked_name(name)
    with app.database.transaction() as session:
        one_at_a_time(session, name)
        owner = find_project(session, project, lock="share") if project is not None else None
        project_id = owner.id if owner else None
        there = find_active(session, name, project_id) is not None
        if new and there:
            hint = f"vpsctl cred set {name} stores a new version of it"
            raise Conflict(f"there is a credential {full_name(name, project)} already", hint=hint)
        if owner and not there:
            check_active(owner)
        row, version = add_version(app, session, name, value, project_id=project_id, traits=traits)
        fields = {"version": version.version, "kind": row.kind, "fields": sorted(_given(traits))}
        record(app, session, "credential.set", audited_name(name, project), fields)
        return CredentialVersionInfo(name, project, row.kind, version.version, version.created_at)


def add_version(
    app: App, session: Session, name: str, value: Secret, *, project_id: int | None, traits: Traits = UNCHANGED
) -> tuple[Credential, CredentialVersion]:
    """The rows of a new version, in a transaction that holds `one_at_a_time(name)` or is `alone`, and records what it does.

    Version numbers of one name are never used twice, whatever project they stand in, so the version that a release
    pins can mean one value only. Raises as `set_credential` does.
    """
    row = _find_or_add(session, name, project_id, traits.kind)
    plaintext = _checked(name, row.kind, value)
    newest = _keep_begun(app, session, row, _newest(session, name))
    row.last_version, row.removed_at, row.pending = newest + 1, None, None
    _write_traits(row, traits)
    version = _add_row(app, session, row, newest + 1, plaintext)
    seal_head(app, session, row)
    session.flush()
    return row, version


def _keep_begun(app: App, session: Session, row: Credential, newest: int) -> int:
    """The highest number, after what an interrupted rotation was about to put into force became a version of its own.

    The server may have taken it, and then nobody else has it.
    """
    if row.pending is None:
        return newest
    bound = credential_pending(row.id, row.last_version + 1, row.name, row.project_id)
    try:
        value = app.vault.decrypt(unpack(row.pending), binding=bound)
    except Failed:  # it was altered: there is nothing left to keep
        return newest
    _add_row(app, session, row, newest + 1, value)
    return newest + 1


def _add_row(app: App, session: Session, row: Credential, number: int, value: bytes) -> CredentialVersion:
    sealed = app.vault.encrypt(value, binding=credential_version(row.id, number, row.name, row.project_id))
    version = CredentialVersion(credential_id=row.id, version=number, created_by=app.actor.name, **asdict(sealed))
    session.add(version)
    return version


def _checked(name: str, kind: str, value: Secret) -> bytes:
    try:
        return check_value(kind, value).reveal().encode()
    except Invalid as error:
        raise Invalid(f"credential {name}: {error.message}", hint=error.hint) from None  # the cause may quote the value


def _newest(session: Session, name: str) -> int:
    """The highest number ever given; a head that was set back behind vpsctl's back does not lower it."""
    heads = select(func.max(Credential.last_version)).where(Credential.name == name)
    mine = CredentialVersion.credential_id.in_(select(Credential.id).where(Credential.name == name))
    stored = select(func.max(CredentialVersion.version)).where(mine)
    return max(session.scalar(heads) or 0, session.scalar(stored) or 0)


def find_active(session: Session, name: str, project_id: int | None) -> Credential | None:
    """The credential when it is there and not removed."""
    found = _find(session, name, project_id)
    return None if found is None or found.removed_at is not None else found


def _find(session: Session, name: str, project_id: int | None) -> Credential | None:
    mine = Credential.project_id.is_(None) if project_id is None else Credential.project_id == project_id
    return session.scalar(select(Credential).where(Credential.name == name, mine))


def _find_or_add(session: Session, name: str, project_id: int | None, kind: str | None) -> Credential:
    found = _find(session, name, project_id)
    if found is None:
        found = Credential(name=name, project_id=project_id, kind=kind or KIND, description="", details={})
        session.add(found)
        session.flush()
    elif found.removed_at is not None:  # a new one, but for its numbers
        found.kind, found.description, found.details, found.rotate_every = kind or KIND, "", {}, None
        found.created_at, found.last_used_at, found.last_revealed_at = datetime.now(UTC), None, None
    elif kind not in (None, found.kind):
        message = f"credential {name} is of kind {found.kind}, not {kind}"
        raise Conflict(message, hint="leave --kind out, or take another name, or remove it first")
    return found


def _write_traits(row: Credential, traits: Traits) -> None:
    row.expires_at = traits.expires_at
    if traits.description is not None:
        row.description = traits.description
    if traits.details is not None:
        row.details = {**row.details, **traits.details}
    if traits.rotate_every is not None:
        row.rotate_every = traits.rotate_every or None


def _given(traits: Traits) -> set[str]:
    return {name for name, value in asdict(traits).items() if value is not None and name != "kind"} | {"value"}
