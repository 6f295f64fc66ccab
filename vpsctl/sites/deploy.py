"""Deploying a site from its source."""

from dataclasses import dataclass, replace

from vpsctl.app import App
from vpsctl.errors import Invalid
from vpsctl.run_events import Report, ignore
from vpsctl.runs import start_run
from vpsctl.sites.deployment import Deployment, carry_out, site_lock, site_row
from vpsctl.sites.draft import make_draft
from vpsctl.sites.prove import traffic
from vpsctl.sites.settle import settle
from vpsctl.sites.snapshot import Draft, resolve
from vpsctl.sites.work import Task


@dataclass(frozen=True)
class Options:
    """What the operator asks of one deploy."""

    ref: str | None = None
    """A branch, tag or commit of a git source."""
    image: str | None = None
    """Instead of the web service's own image."""
    pull: bool = False
    """Ask the registry for newer images even where one of that name is here."""
    prove: bool = False
    """Send traffic of our own meanwhile, and report what failed of it."""


def deploy(app: App, site: str, options: Options = Options(), *, report: Report = ignore) -> Deployment:
    """Deploy `site`. A deploy that was killed before is finished or undone first.

    Raises Conflict when the site is being changed, Failed when the new release does not serve: the old one goes on
    serving. Invalid for `prove` on a site that serves nothing yet.
    """
    with site_lock(app, site) as lock:
        row = site_row(app, site)
        settle(app, row, lock, report=report)
        asked = {key: value for key, value in (("ref", options.ref), ("image", options.image)) if value}
        with start_run(app, "deploy", site, detail=asked, report=report, lock=lock) as run:
            task = Task(app, run, lock, site_row(app, site))
            draft = make_draft(app, task.site, ref=options.ref, image=options.image, log=run.log)
            if options.prove:
                return _proved(task, draft, options)
            return carry_out(task, draft, pull=options.pull)


def _proved(task: Task, draft: Draft, options: Options) -> Deployment:
    site = task.site.name
    route = next((item for item in task.app.proxy.routes() if item.site == site), None)
    if route is None or task.app.proxy.current(site) is None:
        raise Invalid(f"{site} serves nothing yet that --prove could send traffic to", hint=f"vpsctl deploy {site}")
    path = resolve(task.app, draft).spec.intent.probe.path
    with traffic(task.app, route, path) as seen:
        deployment = carry_out(task, draft, pull=options.pull)
    return replace(deployment, proof=seen.proof())
