"""One deployment from its draft to its end: the ordered steps, each persisted, and the way back when one fails."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from vpsctl.app import App
from vpsctl.db.lock import Lock
from vpsctl.db.models import Site
from vpsctl.docker_engine.types import Image
from vpsctl.errors import Failed, Unavailable, VpsctlError
from vpsctl.sites import naming
from vpsctl.sites.bake import bake
from vpsctl.sites.collect import collect
from vpsctl.sites.images import recorded_images, resolve_images
from vpsctl.sites.lookup import current_release, get_site
from vpsctl.sites.naming import Names
from vpsctl.sites.observe import is_up, observe
from vpsctl.sites.ports import assign_ports
from vpsctl.sites.preflight import capacity_notes, check_disk, check_domains, check_postgres_major
from vpsctl.sites.prepare import prepare
from vpsctl.sites.prove import Proof
from vpsctl.sites.releases import mark_serving, next_number, record_release, unmark_serving
from vpsctl.sites.rollout import keep_logs, new_containers, probe_new, replace_exclusive, run_pre_deploy, start_new, still
from vpsctl.sites.snapshot import Draft, resolve
from vpsctl.sites.switching import confirm, drain, stop_old, switch
from vpsctl.sites.undo import undo
from vpsctl.sites.work import Previous, Task, Work


@dataclass(frozen=True)
class Deployment:
    """What a deploy, rollback, resume came to."""

    site: str
    release: int
    previous: int | None
    run: int
    urls: tuple[str, ...]
    switch_time: float | None
    """Seconds that the switch itself took."""
    notes: tuple[str, ...] = ()
    proof: Proof | None = None
    """What became of the requests that `--prove` sent meanwhile."""


@contextmanager
def site_lock(app: App, site: str) -> Iterator[Lock]:
    """Nobody else changes the site meanwhile. Raises Conflict with who does."""
    with app.database.lock(f"site:{site}", holder=app.actor.name) as lock:
        yield lock


def site_row(app: App, site: str) -> Site:
    """Raises NotFound."""
    with app.database.transaction() as session:
        return get_site(session, site)


def previous_of(app: App, row: Site) -> Previous | None:
    """What serves. The proxy's files win where they are newer: the ledger may have been restored from a backup."""
    with app.database.transaction() as session:
        release = current_release(session, session.get_one(Site, row.id))
        known = Previous(release.number, tuple(release.images)) if release else None
    serving = app.proxy.current(row.name)
    number = int(serving.release) if serving and serving.release.isdigit() else None
    if number is None or (known is not None and number <= known.number):
        return known
    up = [item.labels for item in observe(app, Names(app.settings.instance, row.name)).containers if is_up(item)]
    return Previous(number, tuple(sorted({labels.get(naming.SERVICE, "") for labels in up})))


def routed(app: App, previous: Previous | None, site: str) -> Previous | None:
    """`previous` with the route that Caddy has for it, so that going back brings that back too. Raises Unavailable."""
    if previous is None:
        return None
    return replace(previous, route=next((route for route in app.proxy.routes() if route.site == site), None))


def carry_out(
    task: Task, draft: Draft, *, pull: bool = False, recorded: tuple[int, dict[str, str]] | None = None
) -> Deployment:
    """All steps of a new release. `recorded` is an earlier release's number and images, used instead of new ones."""
    app, run = task.app, task.run
    resolved = resolve(app, draft)
    run.redact(resolved.secrets)
    previous = routed(app, previous_of(app, task.site), task.site.name)
    work = Work(task, resolved, previous, release=next_number(app, task.site), release_id=0)
    try:
        with run.step("preflight"):
            notes = check(work)
        asked, before = dict(run.detail), previous.number if previous else None
        with run.step("resolve") as step:
            work.images = _images(work, pull=pull, recorded=recorded)
            check_postgres_major(app.engine, work.spec, work.images, work.observe())
            images = {name: image.id for name, image in work.images.items()}
            # Until here it was refused: images alone change nothing of the site.
            run.acts(f"site.{run.kind}", f"site:{work.site}", release=work.release, previous=before, **asked)
            work.release_id = record_release(app, draft, number=work.release, images=images, run_id=run.id)
            step.detail["release"] = work.release
            run.note(release=work.release, previous=before, before=previous)
    except KeyboardInterrupt as error:
        error.add_note(still(work))
        raise
    return roll(work, notes=notes)


def _images(work: Work, *, pull: bool, recorded: tuple[int, dict[str, str]] | None) -> dict[str, Image]:
    if recorded is None:
        return resolve_images(work.task, work.resolved, release=work.release, pull=pull)
    images = recorded_images(work.app, work.names, *recorded)
    for service, image in images.items():
        work.app.engine.tag(image.id, work.names.image(service, work.release))
    return images


def check(work: Work) -> tuple[str, ...]:
    check_disk(work.app)
    check_domains(work.app, work.spec)
    notes = capacity_notes(work.app, work.spec)
    for note in notes:
        work.run.log(f"note: {note}")
    return notes


def roll(work: Work, *, notes: tuple[str, ...] = ()) -> Deployment:
    """From resolved images to the end; on failure what served before serves again."""
    with _taken_back_on_failure(work):
        work.host_ports = assign_ports(work.app, work.task.site.id, work.spec)
        work.decide()
        _bring_up(work)
        with work.run.step("switch") as step:
            switch(work)
            step.detail["seconds"] = work.switch_time
    return complete(work, notes=notes)


def complete(work: Work, *, notes: tuple[str, ...] = ()) -> Deployment:
    """From the switch to the end: the new release is seen to serve, the old one lets go, the new one is watched."""
    work.switched = True
    with _taken_back_on_failure(work):
        if not work.changes:
            work.host_ports = assign_ports(work.app, work.task.site.id, work.spec)
            work.decide()
        for name, act in (("confirm", confirm), ("drain", drain), ("stop", stop_old), ("bake", bake)):
            with work.run.step(name):
                act(work)
    _finish(work)
    web = work.spec.intent.web
    urls = tuple(_url(work, domain) for domain in web.domains) if web else ()
    previous = work.previous.number if work.previous else None
    return Deployment(work.site, work.release, previous, work.run.id, urls, work.switch_time, notes)


@contextmanager
def _taken_back_on_failure(work: Work) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        _take_back(work, error)
        raise


def _bring_up(work: Work) -> None:
    """Nothing of the old release changes here, but for services that only one container may be of."""
    run, update = work.run, work.spec.intent
    with run.step("prepare"):
        prepare(work)
    with run.step("replace"):
        replace_exclusive(work)
    if update.pre_deploy:
        with run.step("pre-deploy"):
            run_pre_deploy(work, update.pre_deploy)
    with run.step("start"):
        start_new(work)
    with run.step("probe"):
        probe_new(work)


def _finish(work: Work) -> None:
    """What may fail without taking the release back: garbage and the ledger."""
    with work.run.step("collect") as step:
        try:
            mark_serving(work.app, work.task.site.id, work.release_id)  # at the switch Postgres may have been away
            gone = collect(work.app, work.site, retain=work.spec.intent.update.retain)
            step.detail.update(containers=gone.containers, images=gone.images)
        except Unavailable as error:
            work.run.leave()
            raise Failed(
                f"r{work.release} of {work.site} serves, but {error.message}",
                hint=f"when it is back: vpsctl deploy resume {work.site}",
            ) from error
        except (KeyboardInterrupt, SystemExit):
            work.run.leave()
            raise


def _take_back(work: Work, error: BaseException) -> None:
    """Undo, and complete the sentence about the failure with what stands. The first error is the one to tell."""
    work.run.detach()
    told = error if isinstance(error, VpsctlError) else None
    try:
        work.run.log(f"going back: {str(error) or type(error).__name__}")
        _undo(work)
    except VpsctlError as second:
        # The engine or Postgres is gone as well: what is left is settled by the next deploy.
        work.run.leave()
        work.run.log(f"going back was interrupted: {second.message}")
        if told:
            if second.message not in told.message:
                told.message = f"{told.message}; going back was interrupted: {second.message}"
            told.hint = f"when that is mended: vpsctl deploy resume {work.site}, or abort"
        return
    except BaseException as second:
        # Ctrl-C once more, while it went back: the next deploy settles it.
        work.run.leave()
        second.add_note(f"r{work.release} of {work.site} is half taken back: vpsctl deploy abort {work.site}")
        raise
    if told is None:
        error.add_note(still(work))
    if told and still(work) not in told.message:
        told.message = f"{told.message}; {still(work)}"
        told.hint = told.hint or f"vpsctl run show {work.run.id}"


def _undo(work: Work) -> None:
    keep_logs(work, [item.name for item in new_containers(work)])
    result = undo(work.app, work.names, release=work.release, previous=work.previous)
    try:
        if work.switched:
            unmark_serving(work.app, work.task.site.id, work.release, serving=result.serving)
        work.run.audited["outcome"] = "undone"
    except Unavailable as error:
        # It is taken back; the next deploy finds the run open, sees that nothing is left to undo, and records it.
        work.run.leave()
        work.run.log(f"not recorded: {error.message}")


def _url(work: Work, domain: str) -> str:
    web = work.spec.intent.web
    secure = web is not None and web.tls != "off"
    scheme, usual = ("https", 443) if secure else ("http", 80)
    port = work.app.settings.https_port if secure else work.app.settings.http_port
    return f"{scheme}://{domain}" + ("" if port == usual else f":{port}")
