"""The ledger of releases: numbering, what serves, which are kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select

from vpsctl.app import App
from vpsctl.db.models import Release, Site
from vpsctl.sites.lookup import get_site
from vpsctl.sites.naming import Names, release_of
from vpsctl.sites.snapshot import Draft, seal_files


@dataclass(frozen=True)
class ReleaseInfo:
    """One line of `release list`."""

    number: int
    current: bool
    created: datetime
    served: datetime | None
    """When traffic was first sent to it; None when it never got so far."""
    source: Mapping[str, Any]
    images: Mapping[str, str]
    run: int | None


def next_number(app: App, site: Site) -> int:
    """One more than the ledger, the engine and the proxy know: a ledger that was restored from a backup lags behind."""
    with app.database.transaction() as session:
        last = session.scalar(select(func.max(Release.number)).where(Release.site_id == site.id)) or 0
    made = app.engine.summaries(Names(app.settings.instance, site.name).labels())
    serving = app.proxy.current(site.name)
    routed = int(serving.release) if serving and serving.release.isdigit() else 0
    return max((last, routed, *(release_of(item.labels) for item in made))) + 1


def record_release(app: App, draft: Draft, *, number: int, images: Mapping[str, str], run_id: int) -> int:
    """The row of a new release; its id."""
    with app.database.transaction() as session:
        row = release_row(app, get_site(session, draft.site), draft, number=number, images=images, run_id=run_id)
        session.add(row)
        session.flush()
        return row.id


def release_row(app: App, site: Site, draft: Draft, *, number: int, images: Mapping[str, str], run_id: int) -> Release:
    """For the caller to add to its transaction. The site has its id."""
    return Release(
        site_id=site.id,
        number=number,
        source={**draft.source, "image": draft.image},
        compose=draft.compose,
        files=seal_files(app, site, number, draft.files),
        images=dict(images),
        environment=dict(draft.environment),
        scale=dict(draft.scale),
        credentials=dict(draft.credentials),
        run_id=run_id,
    )


def mark_serving(app: App, site_id: int, release_id: int) -> None:
    """Intent: this release is the one that should serve."""
    with app.database.transaction() as session:
        site = session.get_one(Site, site_id)
        site.current_release_id = release_id
        release = session.get_one(Release, release_id)
        release.served_at = release.served_at or datetime.now(UTC)


def unmark_serving(app: App, site_id: int, undone: int, *, serving: int | None) -> None:
    """Intent after an undo: `serving` serves again (None: nothing does), and `undone` is none to roll back to."""
    with app.database.transaction() as session:
        site = session.get_one(Site, site_id)
        rows = {row.number: row for row in session.scalars(select(Release).where(Release.site_id == site_id))}
        gone = rows.get(undone)
        if gone is not None:
            gone.served_at = None
        # A ledger restored from a backup may not know what serves: what it has said before stands.
        if serving is None or serving in rows or (gone is not None and site.current_release_id == gone.id):
            site.current_release_id = rows[serving].id if serving in rows else None


def list_releases(app: App, site: str) -> tuple[ReleaseInfo, ...]:
    """Newest first. Raises NotFound."""
    with app.database.transaction() as session:
        row = get_site(session, site)
        releases = session.scalars(select(Release).where(Release.site_id == row.id).order_by(Release.number.desc()))
        return tuple(
            ReleaseInfo(
                item.number,
                item.id == row.current_release_id,
                item.created_at,
                item.served_at,
                item.source,
                item.images,
                item.run_id,
            )
            for item in releases
        )


def kept_numbers(releases: tuple[ReleaseInfo, ...], retain: int) -> set[int]:
    """The current release and the `retain` others that served last: what rollback can go back to."""
    served = sorted(
        (item for item in releases if item.served and not item.current),
        key=lambda item: item.served or item.created,
        reverse=True,
    )
    return {item.number for item in releases if item.current} | {item.number for item in served[:retain]}
