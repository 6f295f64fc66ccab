"""A deploy that was killed: finished or undone, by what stands on the engine and in the proxy, not by what was meant."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import select

from vpsctl.app import App
from vpsctl.db.lock import Lock
from vpsctl.db.models import Release, Site
from vpsctl.errors import Failed, NotFound
from vpsctl.run_history import RunInfo, find_interrupted
from vpsctl.runs import Report, ignore, resume_run
from vpsctl.sites.deployment import Deployment, complete, previous_of, record_audit, roll, site_lock, site_row
from vpsctl.sites.images import recorded_images
from vpsctl.sites.releases import mark_serving, unmark_serving
from vpsctl.sites.snapshot import draft_of, resolve
from vpsctl.sites.undo import undo
from vpsctl.sites.work import Previous, Task, Work


@dataclass(frozen=True)
class Settled:
    """What became of an interrupted run."""

    site: str
    run: int
    outcome: Literal["finished", "undone"]
    serving: int | None
    """The release that serves now."""


def settle(app: App, site: Site, lock: Lock, *, report: Report = ignore) -> list[Settled]:
    """Finish what had switched already, undo the rest: what the next deploy does before it begins."""
    settled = []
    for info in interrupted(app, site.name):
        with suppress(Failed):  # it did not last, was taken back, and its run says so; the new deploy may go on
            settled.append(_settle(app, site, lock, info, report, forward=None))
    return settled


def resume(app: App, site: str, *, report: Report = ignore) -> Settled:
    """`deploy resume`: go on from where it was killed. Raises NotFound when nothing was interrupted."""
    with site_lock(app, site) as lock:
        row = site_row(app, site)
        return _settle(app, row, lock, _last(app, site), report, forward=True)


def abort(app: App, site: str, *, report: Report = ignore) -> Settled:
    """`deploy abort`: take it back, even when its release serves already. Raises NotFound when nothing was interrupted."""
    with site_lock(app, site) as lock:
        row = site_row(app, site)
        return _settle(app, row, lock, _last(app, site), report, forward=False)


def interrupted(app: App, site: str) -> list[RunInfo]:
    with app.database.transaction() as session:
        return [run for run in find_interrupted(session, site) if run.kind in ("deploy", "rollback")]


def _last(app: App, site: str) -> RunInfo:
    found = interrupted(app, site)
    if not found:
        raise NotFound(f"no deploy of {site} was interrupted", hint=f"vpsctl run list --site {site}")
    return found[-1]


def _settle(app: App, site: Site, lock: Lock, info: RunInfo, report: Report, *, forward: bool | None) -> Settled:
    """`forward`: True goes on, False goes back, None goes on only from the switch onwards."""
    with app.database.transaction() as session:
        release = session.scalar(select(Release).where(Release.run_id == info.id))
    with resume_run(app, info.id, report=report, lock=lock) as run:
        task = Task(app, run, lock, site)
        if release is None:
            # Killed before anything was made but images: there is nothing to go on with.
            run.undone()
            previous = previous_of(app, site)
            return Settled(site.name, run.id, "undone", previous.number if previous else None)
        switched = _has_switched(task, release)
        if forward or (forward is None and switched):
            return Settled(site.name, run.id, "finished", _go_on(task, release, switched=switched).release)
        return _go_back(task, release)


def _has_switched(task: Task, release: Release) -> bool:
    upstreams = task.app.proxy.current(task.site.name)
    if upstreams is not None:
        return upstreams.release == str(release.number)
    return task.site.current_release_id == release.id


def _go_on(task: Task, release: Release, *, switched: bool) -> Deployment:
    app = task.app
    resolved = resolve(app, draft_of(app, task.site, release))
    task.run.redact(resolved.secrets)
    work = Work(task, resolved, _previous(task), release=release.number, release_id=release.id)
    work.images = recorded_images(app, task.names, release.number, dict(release.images))
    if not switched:
        return roll(work)
    mark_serving(app, task.site.id, release.id)
    return complete(work)


def _go_back(task: Task, release: Release) -> Settled:
    app, run, site = task.app, task.run, task.site
    with run.step("undo"):
        result = undo(app, task.names, release=release.number, previous=_previous(task))
        unmark_serving(app, site.id, result.serving)
        record_audit(app, run, "deploy-undone", site.name, release.number)
    run.undone()
    return Settled(site.name, run.id, "undone", result.serving)


def _previous(task: Task) -> Previous | None:
    """What served before that run, as it wrote down itself: the site's row may name its own release already."""
    number = task.run.detail.get("previous")
    if number is None:
        return None
    with task.app.database.transaction() as session:
        row = session.scalar(select(Release).where(Release.site_id == task.site.id, Release.number == number))
    return Previous(number, tuple(row.images)) if row else None
