"""Taking over containers that run into a site, without restarting or remaking any of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from vpsctl import private_file
from vpsctl.app import App
from vpsctl.credentials.set import set_credential
from vpsctl.db.models import Site
from vpsctl.errors import Failed, Invalid, VpsctlError
from vpsctl.projects.find import ensure_project
from vpsctl.proxy.types import Route, Upstreams
from vpsctl.run_events import Report, ignore
from vpsctl.runs import RunLog, start_run
from vpsctl.sites import naming
from vpsctl.sites.add import fetched_in_place
from vpsctl.sites.adopt.attach import attach, detach_all
from vpsctl.sites.adopt.infer import Wish
from vpsctl.sites.adopt.prospect import Prospect, look
from vpsctl.sites.adopt.record import Adopted, forget_adoption, write_adoption
from vpsctl.sites.deployment import site_lock
from vpsctl.sites.draft import draft_from, site_directory
from vpsctl.sites.naming import Names
from vpsctl.sites.networks import ensure_ingress, ensure_site_network
from vpsctl.sites.plan import hold_time
from vpsctl.sites.probe import Target, wait_until_serving
from vpsctl.sites.releases import release_row
from vpsctl.sites.remove import close_route
from vpsctl.sites.settle import record_killed
from vpsctl.sites.sources.source import to_document
from vpsctl.sites.undo import ANSWER

LIMIT = timedelta(seconds=10)


@dataclass(frozen=True)
class AdoptedSite:
    site: str
    project: str
    compose: str
    """The file that was inferred."""
    file: str
    """Where it stands."""
    containers: dict[str, tuple[str, ...]]
    """Service to the names of its containers."""
    web: str | None
    """The service that answers visitors."""
    domains: tuple[str, ...]
    credentials: tuple[str, ...]
    """Newly put into the vault."""
    steps: tuple[str, ...]
    """What was done; what would be done, in a dry run."""
    obstacles: tuple[str, ...]
    """Why it would be refused: only in a dry run."""
    run: int | None
    """None: nothing was done."""


def adopt(app: App, wish: Wish, *, dry_run: bool = False, report: Report = ignore) -> AdoptedSite:
    """Make a site of running containers. They go on running; the next deploy replaces them by ones made from the file.

    Everything is checked before anything changes, and what a failure leaves is taken back; killed half way, the same
    call completes it. Beside its own audit row there is one for each credential that it puts into the vault: each is a
    change of its own, which stays when the rest is taken back.
    Raises NotFound, Conflict and Invalid as `look` does; Failed when the site does not answer through the proxy.
    """
    if dry_run:
        return _result(app, look(app, wish), None)
    with app.database.lock("adopt", holder=app.actor.name), site_lock(app, wish.name) as lock:
        prospect = look(app, wish)
        if prospect.obstacles:
            raise Invalid(f"{wish.name}: {prospect.obstacles[0]}", hint=prospect.way_out)
        record_killed(app, wish.name, lock)
        with start_run(app, "adopt", wish.name, detail={"containers": wish.containers}, report=report, lock=lock) as run:
            run.redact(item.value for item in prospect.shape.secrets)
            run.acts("site.adopt", f"site:{prospect.name}", containers=[item.found.name for item in prospect.shape.members])
            with _taken_back_on_failure(app, prospect, run):
                _take_over(app, prospect, run)
            return _result(app, prospect, run.id)


def _take_over(app: App, prospect: Prospect, run: RunLog) -> None:
    """The site's row comes last: until then the same call begins again, and finds done what was done."""
    with run.step("credentials"):
        with app.database.transaction() as session:
            _, made = ensure_project(session, prospect.project)
        run.audited.update(project=prospect.project, project_made=made)
        for name, value in prospect.new_credentials.items():
            set_credential(app, name, value, project=prospect.project)
            run.log(f"credential {name} (project {prospect.project})")
    with run.step("file"):
        directory = site_directory(app, prospect.name)
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        private_file.write(directory / "compose.yaml", prospect.compose.encode())
    with run.step("networks"):
        _connect(app, prospect, run)
    with run.step("route"):
        _route(app, prospect)
    with run.step("record"):
        _record(app, prospect, run)


def _connect(app: App, prospect: Prospect, run: RunLog) -> None:
    """The site's network under the service's name, and the proxy's under no name but its own."""
    names, front = _names(app, prospect), prospect.shape.front
    ensure_site_network(app, prospect.name)
    ensure_ingress(app)
    for member in prospect.shape.members:
        if not member.found.joins_networks:
            continue
        container = app.engine.container(member.found.id)
        wanted = {names.network(): (member.service, *prospect.shape.aliases[member.service])}
        if front is not None and member.service == front.service:
            wanted[naming.ingress(names.instance)] = ()
        for network, aliases in wanted.items():
            if attach(app, container, network, aliases):
                run.log(f"{container.name} is on {network}" + (f" as {', '.join(aliases)}" if aliases else ""))


def _route(app: App, prospect: Prospect) -> None:
    """The traffic goes to the running containers once they answer where the proxy will ask them."""
    web, addresses = prospect.spec.intent.web, prospect.addresses
    if web is None or not web.domains:
        return
    names = _names(app, prospect)
    for address in addresses:
        target = Target(address.rpartition(":")[0], names.network(), web.port, web.domains[0])
        wait_until_serving(app.engine, target, ANSWER, timeout=LIMIT)
    route = Route(prospect.name, web.domains, web.tls, hold_time(prospect.spec))
    app.proxy.switch(prospect.name, Upstreams("0", addresses))
    app.proxy.ensure_routes([route])
    answer = app.proxy.fetch(route, prospect.spec.intent.probe.path, timeout=LIMIT)
    if answer.upstream not in addresses:
        raise Failed(
            f"{web.domains[0]} does not reach {addresses[0]} through the proxy: it answered {answer.status}",
            hint="vpsctl proxy show",
        )


def _record(app: App, prospect: Prospect, run: RunLog) -> None:
    """Release 0: what runs now, under the compose file that would make it again."""
    names = _names(app, prospect)
    images = {member.service: member.found.image.id for member in prospect.shape.members}
    for service, image in images.items():
        app.engine.tag(image, names.image(service, 0))
    fetched = fetched_in_place(site_directory(app, prospect.name), prospect.compose)
    row = Site(name=prospect.name, source=to_document(fetched.source), environment={}, scale={})
    draft = draft_from(app, row, fetched, project=prospect.project)
    with app.database.transaction() as session:
        row.project_id, _ = ensure_project(session, prospect.project)
        session.add(row)
        session.flush()
        release = release_row(app, row, draft, number=0, images=images, run_id=run.id)
        release.served_at = datetime.now(UTC)
        session.add(release)
        session.flush()
        row.current_release_id = release.id
        run.audited["domains"] = prospect.domains
        run.record(session)
        session.flush()
        write_adoption(app.settings.home, prospect.name, adopted_members(app, prospect))


def adopted_members(app: App, prospect: Prospect) -> tuple[Adopted, ...]:
    """Each container with the labels that one made by us would carry."""
    names, web = _names(app, prospect), prospect.spec.intent.web
    made = []
    for member in prospect.shape.members:
        labels = names.labels(
            **{
                naming.SERVICE: member.service,
                naming.RELEASE: "0",
                naming.ROLE: "web" if web and web.service == member.service else "service",
                naming.REPLICAS: str(len(prospect.shape.founds(member.service))),
                naming.MEMORY: str(member.found.container.memory or 0),
                naming.ADOPTED: "true",
            }
        )
        if web and web.service == member.service:
            labels |= {naming.DOMAINS: ",".join(web.domains), naming.PORT: str(web.port), naming.TLS: web.tls}
        made.append(Adopted(member.found.id, member.found.dial, labels))
    return tuple(made)


@contextmanager
def _taken_back_on_failure(app: App, prospect: Prospect, run: RunLog) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        run.detach()
        try:
            _take_back(app, prospect)
            run.audited["outcome"] = "undone"
        except VpsctlError as second:  # the engine or Caddy is gone as well: the first error is the one to tell
            run.log(f"taking it back was interrupted: {second.message}")
            if isinstance(error, VpsctlError):
                error.hint = "when that is mended: the same command again"
        raise


def _take_back(app: App, prospect: Prospect) -> None:
    """The containers are as they were; the compose file and the credentials stay for the next try."""
    names = _names(app, prospect)
    forget_adoption(app.settings.home, prospect.name)
    detach_all(app, names, adopted_members(app, prospect))
    for network in app.engine.networks(names.labels()):
        app.engine.remove_network(network.name)
    close_route(app, prospect.name)


def _names(app: App, prospect: Prospect) -> Names:
    return Names(app.settings.instance, prospect.name)


def _result(app: App, prospect: Prospect, run: int | None) -> AdoptedSite:
    front = prospect.shape.front
    return AdoptedSite(
        site=prospect.name,
        project=prospect.project,
        compose=prospect.compose,
        file=str(site_directory(app, prospect.name) / "compose.yaml"),
        containers={
            service: tuple(found.name for found in prospect.shape.founds(service)) for service in prospect.shape.sketches
        },
        web=front.service if front else None,
        domains=prospect.domains,
        credentials=tuple(prospect.new_credentials),
        steps=tuple(prospect.steps(app.settings.instance)),
        obstacles=prospect.obstacles,
        run=run,
    )
