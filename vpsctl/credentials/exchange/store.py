"""Store what was found elsewhere: all of it or nothing, in one transaction with one audit row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from vpsctl.app import App
from vpsctl.audit.record import record
from vpsctl.credentials.exchange.found import Found
from vpsctl.credentials.head import NEWEST, PURPOSE, check_head
from vpsctl.credentials.kinds.check import check_value
from vpsctl.credentials.name import alone, checked_name, full_name
from vpsctl.credentials.read import audited_refusal, open_version
from vpsctl.credentials.set import Traits, add_version, find_active
from vpsctl.db.models import Credential, CredentialVersion, Project
from vpsctl.errors import Conflict, Failed, Invalid, VpsctlError
from vpsctl.inner_key import subkey
from vpsctl.projects.find import check_active, checked_slug, ensure_project, find_project
from vpsctl.secret import Secret


@dataclass(frozen=True)
class Imported:
    """Names, those of a project as "acme/DB_PASSWORD"; {name: version} where there is a new one (0 in a dry run)."""

    added: Mapping[str, int]
    changed: Mapping[str, int]
    unchanged: tuple[str, ...]
    refused: tuple[str, ...]
    """There with another value, and `replace` was not given; only in a dry run, else nothing is stored at all."""
    projects: tuple[str, ...]
    """Made for it, since an export of ours named them."""
    dry_run: bool


@dataclass(frozen=True)
class _Wanted:
    """One of them, looked up: what is there, and what is to become of it."""

    found: Found
    project: str | None
    project_id: int | None
    kind: str
    there: Credential | None
    same: bool

    @property
    def name(self) -> str:
        return full_name(self.found.name, self.project)


def import_credentials(
    app: App, found: Sequence[Found], *, project: str | None = None, replace: bool = False, dry_run: bool = False
) -> Imported:
    """Store each of `found` as the newest version of its credential, of `project` or of the whole machine.

    Without `project`, what comes from an export of ours goes to the project it had there, which is made when it is
    missing. A value that is there already makes no new version. A guessed kind yields to the one a credential has.
    Raises Conflict when another value is there and `replace` is not set, or another kind; Invalid for a value that its
    kind cannot have, and for two of one name; NotFound for `project`. Then nothing was stored. `dry_run` stores nothing.
    """
    wanted = _targets(found, project)
    with app.database.transaction() as session:
        alone(session)
        ids, made = _projects(session, wanted, given=project, dry_run=dry_run)
        looked = [_look(app, session, item, slug, ids.get(slug or "")) for item, slug in wanted]
        refused = tuple(item.name for item in looked if item.there is not None and not item.same and not replace)
        if refused and not dry_run:
            raise Conflict(
                f"another value is there for {', '.join(refused)}", hint="add --replace, or --only NAME for others"
            )
        versions = {item.name: 0 if dry_run else _store(app, session, item) for item in looked if not item.same}
        result = Imported(
            added={item.name: versions[item.name] for item in looked if item.there is None},
            changed={
                item.name: versions[item.name]
                for item in looked
                if item.there is not None and not item.same and item.name not in refused
            },
            unchanged=tuple(item.name for item in looked if item.same),
            refused=refused,
            projects=made,
            dry_run=dry_run,
        )
        if not dry_run:
            _record(app, session, result, project)
    return result


def _record(app: App, session: Session, done: Imported, project: str | None) -> None:
    fields = {"added": done.added, "changed": done.changed, "unchanged": done.unchanged, "projects_made": done.projects}
    record(app, session, "credential.import", f"project:{project}" if project else "credentials", fields)


def _targets(found: Sequence[Found], project: str | None) -> list[tuple[Found, str | None]]:
    """Each with the project it goes to. Raises Invalid for what cannot stand there, and for two of one name."""
    wanted = [(item, project if project is not None else item.project) for item in found]
    names = [full_name(checked_name(item.name), slug) for item, slug in wanted]
    for _, slug in wanted:
        if slug is not None:
            checked_slug(slug)
    twice = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
    if twice is not None:
        hint = "leave --project out: each then goes to the project it had"
        raise Invalid(f"two of the credentials would be {twice}", hint=hint)
    return wanted


def _projects(
    session: Session, wanted: Sequence[tuple[Found, str | None]], *, given: str | None, dry_run: bool
) -> tuple[dict[str, int], tuple[str, ...]]:
    """({slug: id}, those that were made). The one that was typed must be there: it may be a slip."""
    if given is not None:
        row = find_project(session, given, lock="share")
        check_active(row)
        return {given: row.id}, ()
    ids: dict[str, int] = {}
    made = []
    for slug in sorted({slug for _, slug in wanted if slug is not None}):
        if dry_run:
            ids |= _existing(session, slug)
            continue
        ids[slug], new = ensure_project(session, slug)
        made += [slug] * new
    return ids, tuple(made)


def _existing(session: Session, slug: str) -> dict[str, int]:
    found = session.scalar(select(Project.id).where(Project.slug == slug))
    return {} if found is None else {slug: found}


def _look(app: App, session: Session, found: Found, slug: str | None, project_id: int | None) -> _Wanted:
    missing = slug is not None and project_id is None  # in a dry run, before the project is made
    there = None if missing else find_active(session, found.name, project_id)
    kind = there.kind if there is not None and found.guessed else found.kind
    name = full_name(found.name, slug)
    if there is not None and kind != there.kind:
        hint = f"vpsctl cred remove {found.name}, or leave it out by --only NAME for the others"
        raise Conflict(f"credential {name} is of kind {there.kind}, not {kind}", hint=hint)
    try:
        value = check_value(kind, found.value)
    except VpsctlError as error:
        raise type(error)(f"{name}: {error.message}", hint=error.hint) from error
    same = there is not None and _current(app, session, there, slug) == value
    return _Wanted(found, slug, project_id, kind, there, same)


def _current(app: App, session: Session, head: Credential, slug: str | None) -> Secret | None:
    """The newest value; None when it was destroyed. Raises Failed, with an audit row, when something was altered."""
    with audited_refusal(app, head.name, slug, head.last_version):
        newest = session.scalar(select(NEWEST).select_from(Credential).where(Credential.id == head.id))
        check_head(subkey(app, session, PURPOSE), head, slug, newest)
        version = session.get(CredentialVersion, (head.id, head.last_version))
        if version is None:
            hint = "restore the database from a backup"
            raise Failed(f"credential {head.name}: version {head.last_version} is missing in the database", hint=hint)
        return None if version.destroyed_at is not None else open_version(app, head, version)


def _store(app: App, session: Session, item: _Wanted) -> int:
    found = item.found
    traits = Traits(
        kind=item.kind,
        description=found.description,
        details=found.details or None,
        expires_at=found.expires_at,
        rotate_every=found.rotate_every,
    )
    _, row = add_version(app, session, found.name, found.value, project_id=item.project_id, traits=traits)
    return row.version
