"""A deploy that was killed: finished or undone, by what stands on the engine and in the proxy, not by what was meant."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Literal

from sqlalchemy import select

from vpsctl.app import App
from vpsctl.db.lock import Lock
from vpsctl.db.models import Release, Run, Site
from vpsctl.errors import Conflict, Failed, Invalid, NotFound
from vpsctl.proxy.types import Route
from vpsctl.run_events import Report, ignore
from vpsctl.run_history import RunInfo, find_interrupted
from vpsctl.runs import alive, resume_run
from vpsctl.sites.deployment import complete, previous_of, roll, site_lock, site_row
from vpsctl.sites.images import recorded_images
from vpsctl.sites.releases import mark_serving, unmark_serving
from vpsctl.sites.snapshot import draft_of, resolve
from vpsctl.sites.undo import undo
from vpsctl.sites.work import Previous, Task, Work

KINDS = ("deploy", "rollback", "scale", "start", "stop", "restart", "remove", "restore")
"""Runs that hold the site's lock while they go on."""
ACTIONS = {True: "site.resume", False: "site.abort", None: "site.settle"}
"""By `forward`: what settling is called in the audit trail."""
DONE_AGAIN = ("scale", "start", "stop", "restart", "remove", "adopt")
"""Runs of which nothing is left to finish or undo when they were killed: the same command looks at what is there."""

ABOVE: dict[str, Callable[[App, str, Lock, Report], object]] = {}
"""Kinds of runs that a part above this one settles, by what does it: known where that part is there."""


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
    _check_nobody_else(app, site.name)
    record_killed(app, site.name, lock)
    _settle_above(app, site.name, lock, report)
    settled = []
    for info in interrupted(app, site.name):
        # It did not last and was taken back, or can no longer be read; its run says so, and the new deploy may go on.
        with suppress(Failed, Invalid, NotFound):
            settled.append(_settle(app, site, lock, info, report, forward=None))
    return settled


def record_killed(app: App, site: str, lock: Lock, kinds: Sequence[str] = DONE_AGAIN) -> None:
    """Runs of these kinds that were killed end as failed, with the audit row that they could not write any more."""
    with app.database.transaction() as session:
        killed = [run for run in find_interrupted(session, site) if run.kind in kinds]
    for info in killed:
        died = Failed(f"the process that ran it was killed: {info.kind} of {site}", hint=f"vpsctl site show {site}")
        with suppress(Failed), resume_run(app, info.id, lock=lock) as run:
            run.acts("site.settle", f"site:{site}", kind=info.kind, begun_by=info.actor)
            raise died


def _settle_above(app: App, site: str, lock: Lock, report: Report) -> None:
    """A restore that was killed, first: it may have left data that is not the release's. Raises Conflict."""
    with app.database.transaction() as session:
        left = [run for run in find_interrupted(session, site) if run.kind == "restore"]
    for kind in {run.kind for run in left}:
        if kind not in ABOVE:
            raise Conflict(f"a restore of {site} was killed: run {left[0].id}", hint=f"vpsctl restore undo {site}")
        ABOVE[kind](app, site, lock, report)


def _check_nobody_else(app: App, site: str) -> None:
    """A process that lost its lock, because Postgres restarted, is still at it, or going back. Raises Conflict."""
    with app.database.transaction() as session:
        rows = session.scalars(select(Run).where(Run.subject == site, Run.state == "running", Run.kind.in_(KINDS)))
        row = next((row for row in rows if alive(row)), None)
    if row is not None:
        raise Conflict(
            f"{row.kind} run {row.id} of {site} goes on in process {row.pid}, though its lock is lost",
            hint=f"wait for it to end: vpsctl run show {row.id}",
        )


def resume(app: App, site: str, *, report: Report = ignore) -> Settled:
    """`deploy resume`: go on from where it was killed. Raises NotFound when nothing was interrupted."""
    with site_lock(app, site) as lock:
        row = site_row(app, site)
        _check_nobody_else(app, site)
        return _settle(app, row, lock, _last(app, site), report, forward=True)


def abort(app: App, site: str, *, report: Report = ignore) -> Settled:
    """`deploy abort`: take it back, even when its release serves already. Raises NotFound when nothing was interrupted."""
    with site_lock(app, site) as lock:
        row = site_row(app, site)
        _check_nobody_else(app, site)
        return _settle(app, row, lock, _last(app, site), report, forward=False)


def interrupted(app: App, site: str) -> list[RunInfo]:
    with app.database.transaction() as session:
        return [run for run in find_interrupted(session, site) if run.kind in ("deploy", "rollback")]


def _last(app: App, site: str) -> RunInfo:
    found = interrupted(app, site)
    if not found:
        raise NotFound(f"no deploy of {site} was interrupted", hint=f"vpsctl run list {site}")
    return found[-1]


def _settle(app: App, site: Site, lock: Lock, info: RunInfo, report: Report, *, forward: bool | None) -> Settled:
    """`forward`: True goes on, False goes back, None goes on only from the switch onwards."""
    with app.database.transaction() as session:
        release = session.scalar(select(Release).where(Release.run_id == info.id))
    with resume_run(app, info.id, report=report, lock=lock) as run:
        task = Task(app, run, lock, site)
        number = release.number if release else None
        act = partial(run.acts, ACTIONS[forward], f"site:{site.name}", kind=info.kind, release=number, begun_by=info.actor)
        if not forward:
            act()
        previous = previous_of(app, site)
        if release is None or (previous is not None and previous.number > release.number):
            # Killed before anything was made but images; or a later release serves, which may use what this one made.
            act()
            run.undone()
            return Settled(site.name, run.id, "undone", previous.number if previous else None)
        switched = _has_switched(task, release)
        if forward or (forward is None and switched):
            work = _taken_up(task, release, switched=switched, leave=bool(forward))
            act()
            deployment = complete(work) if switched else roll(work)
            return Settled(site.name, run.id, "finished", deployment.release)
        return _go_back(task, release)


def _has_switched(task: Task, release: Release) -> bool:
    if task.app.proxy.held(task.site.name):
        return False  # requests wait: it went back from the switch, or never came so far
    upstreams = task.app.proxy.current(task.site.name)
    if upstreams is not None:
        return upstreams.release == str(release.number)
    return task.site.current_release_id == release.id


def _taken_up(task: Task, release: Release, *, switched: bool, leave: bool) -> Work:
    """The deployment as it stood. When it can no longer be read, `leave` keeps the run open for `abort`."""
    app = task.app
    try:
        resolved = resolve(app, draft_of(app, task.site, release))
        task.run.redact(resolved.secrets)
        work = Work(task, resolved, _previous(task), release=release.number, release_id=release.id)
        work.images = recorded_images(app, task.names, release.number, dict(release.images))
        if switched:
            mark_serving(app, task.site.id, release.id)
    except BaseException as error:
        if leave or not isinstance(error, Failed | Invalid | NotFound):
            task.run.leave()
        raise
    return work


def _go_back(task: Task, release: Release) -> Settled:
    """Raises what kept it from going back; the run then stays open, and can be aborted again."""
    app, run, site = task.app, task.run, task.site
    try:
        with run.step("undo"):
            result = undo(app, task.names, release=release.number, previous=_previous(task))
            unmark_serving(app, site.id, release.number, serving=result.serving)
    except BaseException:
        run.leave()
        raise
    run.undone()
    return Settled(site.name, run.id, "undone", result.serving)


def _previous(task: Task) -> Previous | None:
    """What served before that run, as it wrote down itself: the site's row may name its own release already."""
    before = task.run.detail.get("before")
    if before is None:
        return None
    route = before["route"]
    if route is not None:
        hold = timedelta(seconds=route["hold"])
        route = Route(route["site"], tuple(route["domains"]), route["tls"], hold)
    return Previous(before["number"], tuple(before["services"]), route)
