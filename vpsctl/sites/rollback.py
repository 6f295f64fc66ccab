"""Going back to an earlier release: a deploy of its snapshot, images and credentials as they were."""

from sqlalchemy import select

from vpsctl.app import App
from vpsctl.db.models import Release, Site
from vpsctl.errors import NotFound
from vpsctl.run_events import Report, ignore
from vpsctl.runs import start_run
from vpsctl.sites.deployment import Deployment, carry_out, site_lock, site_row
from vpsctl.sites.draft import with_files
from vpsctl.sites.lookup import get_release
from vpsctl.sites.settle import settle
from vpsctl.sites.snapshot import draft_of
from vpsctl.sites.work import Task


def rollback(app: App, site: str, *, to: int | None = None, report: Report = ignore) -> Deployment:
    """Deploy release `to` again, as a new release; without `to`, the one that served before the current one.

    Raises NotFound when there is no such release, Failed when its images are gone or it does not serve.
    """
    with site_lock(app, site) as lock:
        row = site_row(app, site)
        settle(app, row, lock, report=report)
        target = _target(app, row.id, to)
        with start_run(app, "rollback", site, detail={"to": target.number}, report=report, lock=lock) as run:
            draft = with_files(app, row, draft_of(app, row, target))
            return carry_out(Task(app, run, lock, row), draft, recorded=(target.number, dict(target.images)))


def _target(app: App, site_id: int, to: int | None) -> Release:
    with app.database.transaction() as session:
        site = session.get_one(Site, site_id)
        if to is not None:
            return get_release(session, site, to)
        query = select(Release).where(
            Release.site_id == site_id, Release.served_at.is_not(None), Release.id != site.current_release_id
        )
        found = session.scalar(query.order_by(Release.served_at.desc()).limit(1))
        if found is None:
            raise NotFound(f"{site.name} has no earlier release to go back to", hint=f"vpsctl release list {site.name}")
        return found
