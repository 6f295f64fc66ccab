"""Changing how many containers a service has: of the release that serves, remembered for those to come."""

from dataclasses import dataclass

from vpsctl.app import App
from vpsctl.db.models import Release, Site
from vpsctl.docker_engine.types import Container, ContainerSpec
from vpsctl.errors import Conflict, Invalid
from vpsctl.proxy.types import Upstreams
from vpsctl.proxy.upstreams import SLOTS
from vpsctl.run_events import Report, ignore
from vpsctl.runs import start_run
from vpsctl.sites.compose.roles import update_order
from vpsctl.sites.deployment import previous_of, site_lock, site_row
from vpsctl.sites.draft import with_files
from vpsctl.sites.images import recorded_images
from vpsctl.sites.lookup import current_release
from vpsctl.sites.naming import release_of
from vpsctl.sites.observe import is_up
from vpsctl.sites.plan import Change
from vpsctl.sites.ports import assign_ports
from vpsctl.sites.probe import probe_target, wait_until_serving
from vpsctl.sites.rollout import start_service
from vpsctl.sites.settle import settle
from vpsctl.sites.snapshot import draft_of, resolve
from vpsctl.sites.stopping import stop_all
from vpsctl.sites.undo import web_address
from vpsctl.sites.work import Task, Work


@dataclass(frozen=True)
class Scaled:
    site: str
    service: str
    before: int
    after: int


def scale(app: App, site: str, service: str, count: int, *, report: Report = ignore) -> Scaled:
    """Run `count` containers of `service`. New ones serve once they answer; surplus ones drain before they stop.

    Raises Invalid for a service that only one container may be of, Conflict before the first deploy.
    """
    with site_lock(app, site) as lock:
        row = site_row(app, site)
        settle(app, row, lock, report=report)
        row = site_row(app, site)
        release = _release(app, row)
        with start_run(app, "scale", site, detail={"service": service, "count": count}, report=report, lock=lock) as run:
            work = _work(Task(app, run, lock, row), release, service, count)
            before = len([item for item in work.observe().running(service) if release_of(item.labels) == work.release])
            run.acts("site.scale", f"site:{site}", service=service, count=count, before=before)
            with run.step("scale"):
                _apply(work, service)
            with app.database.transaction() as session:
                session.get_one(Site, row.id).scale = {**row.scale, service: count}
                run.record(session)
            return Scaled(site, service, before, count)


def _release(app: App, row: Site) -> Release:
    with app.database.transaction() as session:
        release = current_release(session, row)
    if release is None:
        raise Conflict(f"{row.name} was never deployed", hint=f"vpsctl deploy {row.name}")
    serving = app.proxy.current(row.name)
    if serving is not None and serving.release != str(release.number):
        hint = f"vpsctl deploy {row.name}"
        raise Conflict(f"r{serving.release} of {row.name} serves, and the ledger says r{release.number}", hint=hint)
    if release.number == 0:
        raise Conflict(f"{row.name} was adopted: its containers are not vpsctl's yet", hint=f"vpsctl deploy {row.name}")
    return release


def _work(task: Task, release: Release, service: str, count: int) -> Work:
    app, row = task.app, task.site
    row.scale = {**row.scale, service: count}
    resolved = resolve(app, with_files(app, row, draft_of(app, row, release)))
    if service not in resolved.spec.services:
        raise Invalid(f"{row.name} has no service {service!r}", hint=f"one of: {', '.join(resolved.spec.services)}")
    if not 1 <= count <= SLOTS:
        raise Invalid(f"a service has 1 to {SLOTS} containers, not {count}", hint=f"vpsctl stop {row.name} stops a site")
    if count > 1 and update_order(resolved.spec, resolved.spec.services[service]) != "start-first":
        raise Invalid(
            f"only one container may be of {service}: it holds a volume or publishes a port",
            hint="give it more memory or CPUs in deploy.resources instead",
        )
    task.run.redact(resolved.secrets)
    work = Work(task, resolved, previous_of(app, row), release=release.number, release_id=release.id, switched=True)
    work.images = recorded_images(app, task.names, release.number, dict(release.images))
    work.host_ports = assign_ports(app, row.id, resolved.spec)
    work.decide()
    work.changes = tuple(Change(item.service, "keep", item.replicas, "") for item in work.changes if item.service != service)
    return work


def _apply(work: Work, service: str) -> None:
    if update_order(work.spec, work.spec.services[service]) == "start-first":
        _bring_up(work, service)
        wanted = {item.name for item in work.wanted[service]}
        mine = [item for item in work.observe().running(service) if release_of(item.labels) == work.release]
        surplus = [item for item in mine if item.name not in wanted]
    else:
        # The one there is may be of an earlier release, which this one keeps: another must never start beside it.
        surplus = work.observe().running(service)[len(work.wanted[service]) :]
    _take_down(work, service, surplus)


def _bring_up(work: Work, service: str) -> None:
    """Those that are missing, until they answer; when one does not, they go again."""
    there = {item.name: item for item in work.observe().of(service)}
    try:
        start_service(work, service)
        for spec in work.wanted[service] if _is_web(work, service) else ():
            if spec.name not in there or not is_up(there[spec.name]):
                _await(work, spec)
    except BaseException:
        wanted = {item.name for item in work.wanted[service]} - there.keys()
        begun = [item for item in work.observe().of(service) if item.name in wanted]
        stop_all(work.app.engine, begun, work.spec)
        for item in begun:
            work.app.engine.remove(item.id, force=True)
        raise


def _is_web(work: Work, service: str) -> bool:
    return work.spec.intent.web is not None and work.spec.intent.web.service == service


def _await(work: Work, spec: ContainerSpec) -> None:
    target = probe_target(work.spec, spec.name, spec.attachments[0].network)
    intent = work.spec.intent
    wait_until_serving(work.app.engine, target, intent.probe, timeout=intent.update.deploy_timeout, check=work.lock.check)


def _take_down(work: Work, service: str, surplus: list[Container]) -> None:
    web = work.spec.intent.web
    if web is not None and web.service == service and web.domains:
        if update_order(work.spec, work.spec.services[service]) == "start-first":
            work.app.proxy.switch(work.site, Upstreams(str(work.release), work.web_addresses()))
        if surplus:
            addresses = [web_address(item) for item in surplus]
            work.app.proxy.drain(addresses, timeout=work.spec.intent.update.drain_timeout)
    stop_all(work.app.engine, surplus, work.spec)
    for gone in surplus:
        work.app.engine.remove(gone.id)
