"""Bringing the new release up beside the old one, and proving that it serves, before any traffic reaches it."""

import socket
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from vpsctl.docker_engine.types import Container, ContainerSpec, Image
from vpsctl.errors import Conflict, Failed, Invalid, NotFound
from vpsctl.proxy.types import Upstreams
from vpsctl.sites import naming
from vpsctl.sites.compose.roles import update_order
from vpsctl.sites.compose.spec import Condition, PreDeploy
from vpsctl.sites.containers import container_spec
from vpsctl.sites.observe import is_up
from vpsctl.sites.plan import Change, hold_time, start_order, wait_conditions
from vpsctl.sites.probe import ending, probe_target, running_container, wait_until_serving
from vpsctl.sites.rivals import obsolete_holders
from vpsctl.sites.stopping import stop_all
from vpsctl.sites.work import Work

POLL = 0.1
READY = timedelta(seconds=30)
LOG_TAIL = 200
LOG_TOLD = 10
"""Of them, how many are shown at once; `vpsctl run show` has them all."""


def replace_exclusive(work: Work) -> None:
    """Services that only one container may be of (databases): made, or replaced stop-first with the requests held."""
    for change in work.changes:
        if change.action == "keep":
            _start_kept(work, change.service)
        elif change.action == "recreate" and _is_exclusive(work, change):
            _replace_held(work, change)
        elif change.action == "create" and _is_exclusive(work, change):
            if _obsolete(work, change.service):
                _replace_held(work, change)
            else:
                start_service(work, change.service)
                wait_ready_all(work, change.service)


def _start_kept(work: Work, service: str) -> None:
    """The one that there is goes on; `vpsctl stop`, or a crash without a restart policy, may have ended it."""
    if work.observe().running(service):
        return
    for item in work.observe().made_last(service):
        work.run.log(f"{item.name} is started again")
        work.app.engine.start(item.id)
        wait_ready(work, item.name, work.images[service])


def _obsolete(work: Work, service: str) -> list[Container]:
    """Containers of the site's other services that have to go before this one, since it takes over their data or port."""
    before = [item for item in work.observe().containers if naming.release_of(item.labels) != work.release]
    return obsolete_holders(work.wanted, service, before)


def _is_exclusive(work: Work, change: Change) -> bool:
    return update_order(work.spec, work.spec.services[change.service]) == "recreate"


def _replace_held(work: Work, change: Change) -> None:
    """No request is in flight and none is let through while the one container is exchanged."""
    work.run.log(f"{change.service}: {change.reason}; requests wait meanwhile")
    before = hold_requests(work)
    obsolete = _obsolete(work, change.service)
    stop_all(work.app.engine, [*work.observe().running(change.service), *obsolete], work.spec)
    start_service(work, change.service)
    wait_ready_all(work, change.service)
    if before is not None and not obsolete:  # without what was renamed the old release could not serve
        work.app.proxy.switch(work.site, before)


def hold_requests(work: Work) -> Upstreams | None:
    """Let new requests wait at the proxy and those in flight end; what was served before, None without a route."""
    before = work.app.proxy.current(work.site)
    if before is not None:
        _hold_longer(work)
        work.app.proxy.hold(work.site)
        work.app.proxy.drain(before.addresses, timeout=work.spec.intent.update.drain_timeout)
    return before


def _hold_longer(work: Work) -> None:
    """The route is still the old release's, which may have had no reason to let requests wait as long."""
    enough = hold_time(work.spec)
    for route in work.app.proxy.routes():
        if route.site == work.site and route.hold < enough:
            work.app.proxy.ensure_routes([replace(route, hold=enough)])


def run_pre_deploy(work: Work, command: PreDeploy) -> None:
    """The one-shot command of the new release, before its containers start. Raises Failed with its exit code."""
    web = work.spec.intent.web
    service = command.service or (web.service if web else next(iter(work.spec.services)))
    base = container_spec(work.spec, work.spec.services[service], work.place(), 1)
    name = f"{work.names.instance}-{work.site}-pre-deploy-r{work.release}"
    spec = _one_shot(work, base, name, command.command)
    engine = work.app.engine
    left = engine.find_container(name)
    if left is not None:
        engine.remove(name, force=True)
    engine.create(spec)
    try:
        engine.start(name)
        code = engine.wait(name, timeout=command.timeout)
    finally:
        keep_logs(work, [name])
        engine.remove(name, force=True)
    if code != 0:
        raise Failed(
            f"the pre-deploy command of {work.site} ended with exit code {code}; {still(work)}",
            hint=f"vpsctl run show {work.run.id}",
        )


def _one_shot(work: Work, base: ContainerSpec, name: str, command: tuple[str, ...]) -> ContainerSpec:
    inside = tuple(item for item in base.attachments if item.network != naming.ingress(work.names.instance))
    inside = tuple(replace(item, aliases=()) for item in inside)
    return replace(
        base,
        name=name,
        command=command,
        restart="no",
        ports=(),
        attachments=inside,
        healthcheck=None,
        labels={**base.labels, naming.ROLE: "pre-deploy"},
    )


def start_new(work: Work) -> None:
    """Every other service of the release, each once what it depends on is there."""
    for change in work.changes:
        if change.action == "keep" or (_is_exclusive(work, change) and change.action in ("create", "recreate")):
            continue
        wait_for_dependencies(work, change.service)
        obsolete = _obsolete(work, change.service) if _is_alone(work, change) else []
        if change.action == "recreate" or obsolete:
            # It holds something only one may hold (a port): the old one goes first, while requests wait.
            hold_requests(work)
            running = work.observe().running(change.service)
            old = [item for item in running if naming.release_of(item.labels) != work.release]
            stop_all(work.app.engine, [*old, *obsolete], work.spec)
        start_service(work, change.service)
        if change.action == "once":
            _await_completion(work, change.service)


def _is_alone(work: Work, change: Change) -> bool:
    return update_order(work.spec, work.spec.services[change.service]) != "start-first"


def start_service(work: Work, service: str) -> None:
    """Create and start each replica; one that exists with this very definition is started, another is made anew."""
    engine = work.app.engine
    for spec in work.wanted[service]:
        found = engine.find_container(spec.name)
        if found is not None and found.labels.get(naming.SITE) != work.site:
            raise Conflict(
                f"a container named {spec.name} exists and is not of this site",
                hint=f"docker rename it, then vpsctl deploy {work.site}",
            )
        if found is not None and found.labels.get(naming.CONFIG) != spec.labels[naming.CONFIG]:
            if work.switched and is_up(found):
                continue  # it serves: only a new release may replace it
            engine.remove(spec.name, force=True)
            found = None
        if found is None:
            engine.create(spec)
        if found is None or found.state != "running":
            engine.start(spec.name)


def wait_for_dependencies(work: Work, service: str) -> None:
    for other, condition in wait_conditions(work.spec, service).items():
        _await(work, other, condition)


def _await(work: Work, service: str, condition: Condition) -> None:
    if condition == "service_completed_successfully":
        return  # it ran to its end when it was started
    for container in work.observe().running(service):
        if condition == "service_healthy":
            wait_healthy(work, container.name, restarts=container.restart_count)


def _await_completion(work: Work, service: str) -> None:
    for spec in work.wanted[service]:
        code = work.app.engine.wait(spec.name, timeout=work.spec.intent.update.deploy_timeout)
        if code != 0:
            raise Failed(
                f"{service} ended with exit code {code} and others wait for it to complete; {still(work)}",
                hint=f"vpsctl run show {work.run.id}",
            )


def wait_ready_all(work: Work, service: str) -> None:
    for spec in work.wanted[service]:
        wait_ready(work, spec.name, work.images[service])


def wait_ready(work: Work, name: str, image: Image) -> None:
    """Healthy where there is a health check; else until the image's first port accepts; else until it runs."""
    container = running_container(work.app.engine, name)
    if container.health is not None:
        wait_healthy(work, name)
    elif image.exposed_ports and container.addresses:
        _wait_accepting(work, name, image.exposed_ports[0])


def wait_healthy(work: Work, name: str, *, restarts: int = 0) -> None:
    """Raises Failed when it ends, turns unhealthy or is not healthy within deploy_timeout.

    `restarts`: how often it had restarted before anyone waited for it.
    """
    limit = work.spec.intent.update.deploy_timeout
    deadline = time.monotonic() + limit.total_seconds()
    while True:
        container = running_container(work.app.engine, name, restarts)
        if container.health == "healthy":
            return
        if container.health is None:
            raise Failed(
                f"{name} has no health check, and another service waits for it to be healthy",
                hint="add healthcheck to the service, or depend on service_started",
            )
        if container.health == "unhealthy" or time.monotonic() > deadline:
            raise Failed(f"{name} is {container.health} after {limit.total_seconds():.0f} s")
        time.sleep(POLL)


def _wait_accepting(work: Work, name: str, port: int) -> None:
    deadline = time.monotonic() + READY.total_seconds()
    while True:
        container = running_container(work.app.engine, name)
        address = next(iter(container.addresses.values()), None)
        if address and _accepts(address, port):
            return
        if time.monotonic() > deadline:
            work.run.log(f"{name} does not accept on port {port} after {READY.total_seconds():.0f} s; going on")
            return
        time.sleep(POLL)


def _accepts(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=1):
            return True
    except OSError:
        return False


def probe_new(work: Work) -> None:
    """Every web container answers by our own HTTP; every other one of this release runs and has not restarted."""
    web = work.spec.intent.web
    if web is not None:
        network = work.wanted[web.service][0].attachments[0].network
        for spec in work.wanted[web.service]:
            target = probe_target(work.spec, spec.name, network)
            took = wait_until_serving(
                work.app.engine,
                target,
                work.spec.intent.probe,
                timeout=work.spec.intent.update.deploy_timeout,
                check=work.lock.check,
            )
            work.run.log(f"{spec.name} answers after {took.total_seconds():.2f} s")
    for name in started_services(work):
        for spec in work.wanted[name]:
            container = running_container(work.app.engine, spec.name)
            if container.restart_count:
                raise Failed(f"{spec.name} keeps restarting: {ending(container)}")


def started_services(work: Work) -> list[str]:
    """Services that this release started and that must go on running."""
    actions = {change.service: change.action for change in work.changes}
    return [name for name in start_order(work.spec) if actions[name] not in ("keep", "once")]


def keep_logs(work: Work, names: Iterable[str]) -> None:
    """The last lines of each container into the run's log, since a container that is removed takes its own along.

    Where they cannot be read (a log driver that keeps none, a container that vanished), the run says why, and goes on.
    """
    for name in names:
        try:
            lines = list(work.app.engine.logs(name, tail=LOG_TAIL))
            for index, line in enumerate(lines):
                work.run.log(f"{name} | {line.text}", told=index >= len(lines) - LOG_TOLD)
        except (Failed, NotFound, Conflict, Invalid) as error:
            work.run.log(f"{name} | (no logs: {error.message})")


def new_containers(work: Work) -> list[Container]:
    return [item for item in work.observe().containers if naming.release_of(item.labels) == work.release]


def still(work: Work) -> str:
    """What stands, for the sentence about a failure."""
    return f"r{work.previous.number} still serves" if work.previous else "nothing was serving before"
