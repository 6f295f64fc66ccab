"""Open the values of credentials, for whoever is about to use them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from vpsctl.app import App
from vpsctl.audit.record import record
from vpsctl.credentials.head import NEWEST, PURPOSE, altered_head, check_head, check_shadows
from vpsctl.credentials.name import audited_name
from vpsctl.db.models import Credential, CredentialVersion, Project
from vpsctl.db.session import one_state
from vpsctl.errors import Failed, NotFound, VpsctlError
from vpsctl.inner_key import subkey
from vpsctl.secret import Secret
from vpsctl.vault.bindings import credential_version
from vpsctl.vault.sealed import Sealed

NOTHING: Mapping[str, int] = {}


@dataclass(frozen=True)
class Opened:
    """A credential and its value, in the text form that its kind has (`kinds`)."""

    name: str
    project: str | None
    """None: of the whole machine."""
    kind: str
    version: int
    value: Secret
    details: Mapping[str, str]


@dataclass(frozen=True)
class _Chosen:
    credential: Credential
    project: str | None
    number: int
    version: CredentialVersion | None
    """None: it is not there, though the head says so."""


def read_credentials(
    app: App, names: Sequence[str], *, project: str | None = None, versions: Mapping[str, int] = NOTHING
) -> dict[str, tuple[Secret, int]]:
    """{name: (value, version)} as a site of `project` sees them: see `open_credentials`."""
    opened = open_credentials(app, names, project=project, versions=versions)
    return {name: (item.value, item.version) for name, item in opened.items()}


def open_credentials(
    app: App, names: Sequence[str], *, project: str | None = None, versions: Mapping[str, int] = NOTHING
) -> dict[str, Opened]:
    """Each by its name as `project` sees them: its own before those of the whole machine.

    `versions` pins some to a version (a release's); the others are the newest.
    Raises NotFound naming every one that is missing; Failed, with an audit row, when a stored row was altered.
    """
    with app.database.transaction() as session:
        one_state(session)
        key = subkey(app, session, PURPOSE) if names else b""
        rows = _heads(session, names)
        heads = [(head, slug) for head, slug, _ in rows]
        chosen = _choose(session, [head for head in heads if head[1] in (None, project)], versions)
    for head, slug, newest in rows:  # all: one that was moved to another project must not leave the machine's in its place
        with audited_refusal(app, head.name, slug, head.last_version):
            check_head(key, head, slug, newest)
            if slug is None and project is not None and head.name not in versions:
                check_shadows(key, head, _own_ids(heads, head.name))
    missing = sorted(set(names) - chosen.keys())
    if missing:
        raise _missing(missing, project, versions)
    return {name: _open(app, item) for name, item in chosen.items()}


def open_credential(app: App, name: str, *, project: str | None = None, version: int | None = None) -> Opened:
    """One credential, the newest version or that one. Raises as `open_credentials` does."""
    versions = NOTHING if version is None else {name: version}
    return open_credentials(app, [name], project=project, versions=versions)[name]


def _choose(
    session: Session, heads: Sequence[tuple[Credential, str | None]], versions: Mapping[str, int]
) -> dict[str, _Chosen]:
    wanted = {
        (head.id, versions.get(head.name, head.last_version)): (head, slug)
        for head, slug in heads
        if head.name in versions or head.removed_at is None
    }
    rows = _versions(session, wanted.keys())
    found: dict[str, _Chosen] = {}
    for (head_id, number), (head, slug) in wanted.items():  # the project's own last, over the machine's
        version = rows.get((head_id, number))
        if version is not None or head.name not in versions:
            found[head.name] = _Chosen(head, slug, number, version)
    return found


def _heads(session: Session, names: Sequence[str]) -> list[tuple[Credential, str | None, int | None]]:
    """(credential, its project, its highest version that is there) of every project, the machine's own first."""
    query = (
        select(Credential, Project.slug, NEWEST)
        .outerjoin(Project, Project.id == Credential.project_id)
        .where(Credential.name.in_(names))
        .order_by(Credential.project_id.asc().nulls_first())
    )
    return [(head, slug, newest) for head, slug, newest in session.execute(query)]


def _own_ids(heads: Sequence[tuple[Credential, str | None]], name: str) -> set[int]:
    return {head.id for head, slug in heads if slug is not None and head.name == name and head.removed_at is None}


def _versions(session: Session, wanted: Iterable[tuple[int, int]]) -> dict[tuple[int, int], CredentialVersion]:
    key = tuple_(CredentialVersion.credential_id, CredentialVersion.version)
    query = select(CredentialVersion).where(key.in_(list(wanted)))
    return {(row.credential_id, row.version): row for row in session.scalars(query)}


def _missing(names: Sequence[str], project: str | None, versions: Mapping[str, int]) -> NotFound:
    told = ", ".join(f"{name} version {versions[name]}" if name in versions else name for name in names)
    where = f" for project {project}" if project else ""
    return NotFound(
        f"there is no credential {told}{where}", hint=f"vpsctl cred set {names[0]} --generate, or vpsctl cred list"
    )


def newest_missing(head: Credential) -> Failed:
    """For a head whose newest version is not in the database."""
    return Failed(
        f"credential {head.name}: version {head.last_version} is missing in the database: its row was removed",
        hint=f"vpsctl cred set {head.name}, or restore the database from a backup",
    )


def _open(app: App, item: _Chosen) -> Opened:
    head, version = item.credential, item.version
    with audited_refusal(app, head.name, item.project, item.number):
        if version is None:
            raise newest_missing(head)
        if version.destroyed_at is not None:
            if version.ciphertext or version.version == head.last_version:  # `destroy_version` leaves neither so
                raise altered_head(head.name, item.project)
            hint = f"vpsctl cred versions {head.name}"
            raise NotFound(f"version {version.version} of credential {head.name} was destroyed", hint=hint)
        value = open_version(app, head, version)
    return Opened(head.name, item.project, head.kind, version.version, value, head.details)


def open_version(app: App, head: Credential, row: CredentialVersion) -> Secret:
    """The value of one stored version. Raises Failed when it was altered."""
    sealed = Sealed(row.key_id, row.key_nonce, row.wrapped_key, row.nonce, row.ciphertext)
    bound = credential_version(row.credential_id, row.version, head.name, head.project_id)
    return Secret(app.vault.decrypt(sealed, binding=bound).decode())


@contextmanager
def audited_refusal(app: App, name: str, project: str | None, version: int) -> Iterator[None]:
    """What is refused inside leaves an audit row, and names the credential.

    On a connection of its own: it may come inside another transaction. Where not even that can be written (the wrong
    master key) the refusal itself is what counts.
    """
    try:
        yield
    except Failed as error:
        with suppress(VpsctlError), app.database.transaction(apart=True) as session:
            fields = {"version": version, "reason": error.message}
            record(app, session, "credential.refused", audited_name(name, project), fields)
        if name in error.message:
            raise
        raise Failed(f"credential {name} version {version}: {error.message}", hint=error.hint) from error
