"""Which sites use which version of a credential, and which of them would get another one now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from vpsctl.db.models import Credential, Project, Release, Site


@dataclass(frozen=True)
class StaleCredential:
    name: str
    pinned: int
    """The version that the site runs with."""
    newest: int | None
    """The one it would get now; None: there is none any more, and a deploy fails."""
    project: str | None
    """Whose that one is; None: the whole machine's, or nobody's."""


@dataclass(frozen=True)
class _Head:
    """A credential that is there."""

    version: int
    project: str | None


def sites_using(session: Session) -> dict[tuple[str, int], list[str]]:
    """{(name, version): sites whose current release pins it}; a number belongs to one credential of that name only."""
    used: dict[tuple[str, int], list[str]] = {}
    for site, _, pinned in _pins(session):
        for name, version in pinned.items():
            used.setdefault((name, version), []).append(site)
    return used


def versions_without(session: Session, gone: Credential, versions: Sequence[int]) -> dict[str, int | None]:
    """{site whose current release pins one of `versions`: the version that a deploy gives it once `gone` is not there}.

    None: there is no other of that name that it sees, and the deploy fails.
    """
    heads = _heads(session, {gone.name})
    heads.pop((gone.name, gone.project_id), None)
    found = {
        site: _seen(heads, gone.name, project)
        for site, project, pinned in _pins(session)
        if pinned.get(gone.name) in versions
    }
    return {site: head.version if head else None for site, head in found.items()}


def stale_credentials(session: Session) -> dict[str, tuple[StaleCredential, ...]]:
    """{site: what of its current release is not what a deploy would give it now}; a site that is up to date is not in it.

    It is rotated, rolled back or removed since, or the site's project has one of its own by now. Two queries.
    """
    pins = _pins(session)
    heads = _heads(session, {name for _, _, pinned in pins for name in pinned})
    found = {site: _stale(project_id, pinned, heads) for site, project_id, pinned in pins}
    return {site: stale for site, stale in found.items() if stale}


def sites_waiting(session: Session) -> dict[tuple[str, int], list[str]]:
    """{(name, version): sites that a deploy would take off it, or bring to it}."""
    waiting: dict[tuple[str, int], list[str]] = {}
    for site, stale in stale_credentials(session).items():
        for item in stale:
            for version in (item.pinned, item.newest):
                if version is not None:
                    waiting.setdefault((item.name, version), []).append(site)
    return waiting


def _pins(session: Session) -> Sequence[tuple[str, int, Mapping[str, int]]]:
    """(site, its project's id, {NAME: version} of its current release), by site."""
    query = select(Site.name, Site.project_id, Release.credentials).join(Release, Release.id == Site.current_release_id)
    return [(site, project_id, pinned) for site, project_id, pinned in session.execute(query.order_by(Site.name))]


def _heads(session: Session, names: set[str]) -> dict[tuple[str, int | None], _Head]:
    """By name and project's id; None: the whole machine's."""
    query = (
        select(Credential.name, Credential.project_id, Credential.last_version, Project.slug)
        .outerjoin(Project, Project.id == Credential.project_id)
        .where(Credential.name.in_(names), Credential.removed_at.is_(None))
    )
    return {(name, project_id): _Head(version, slug) for name, project_id, version, slug in session.execute(query)}


def _seen(heads: Mapping[tuple[str, int | None], _Head], name: str, project_id: int) -> _Head | None:
    """The one that sites of the project get: its own before the whole machine's."""
    return heads.get((name, project_id)) or heads.get((name, None))


def _stale(
    project_id: int, pinned: Mapping[str, int], heads: Mapping[tuple[str, int | None], _Head]
) -> tuple[StaleCredential, ...]:
    found = []
    for name, version in sorted(pinned.items()):
        head = _seen(heads, name, project_id)
        newest = head.version if head else None
        if newest != version:
            found.append(StaleCredential(name, version, newest, head.project if head else None))
    return tuple(found)
