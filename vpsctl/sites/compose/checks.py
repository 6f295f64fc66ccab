"""What must hold between the parts of a site once each of them is read."""

from collections.abc import Iterator, Mapping

from vpsctl.errors import Invalid
from vpsctl.sites.compose.field import Field, shown
from vpsctl.sites.compose.roles import beside_web, is_stateful
from vpsctl.sites.compose.spec import Healthcheck, Service, SiteSpec

_DISABLED = Healthcheck(("NONE",))


def check_site(spec: SiteSpec, root: Field) -> None:
    """Raises Invalid for the first thing that does not fit, at the line it stands on."""
    for service in spec.services.values():
        _check_names(spec, service, root)
        _check_replicas(spec, service, root)
    _check_cycles(spec.services, root)
    _check_published(spec, root)
    _check_web(spec, root)
    _check_reachable(spec, root)


def place(root: Field, *keys: str) -> Field:
    """The field under `keys`, or the last one on the way there."""
    for key in keys:
        if root.scalar or root.listed or key not in root.entries():
            break
        root = root.entries()[key]
    return root


def replica_problem(spec: SiteSpec, service: Service, replicas: int) -> str | None:
    """Why `service` cannot run that many containers; also for `vpsctl scale`, which no compose file passes through."""
    fixed = [port.published for port in beside_web(spec, service) if port.published]
    if replicas > 1 and fixed:
        return f"{service.name} publishes port {fixed[0]}, which one container at a time can hold"
    if replicas > 1 and is_stateful(service):
        return f"{service.name} is a database, of which one container at a time can hold the data"
    if replicas < 1 and spec.intent.web and spec.intent.web.service == service.name:
        return f"{service.name} is the web service, which needs one container at least"
    return None


def _check_replicas(spec: SiteSpec, service: Service, root: Field) -> None:
    problem = replica_problem(spec, service, service.replicas)
    if problem:
        raise place(root, "services", service.name, "deploy", "replicas").invalid(problem, "correct deploy.replicas")


def _check_reachable(spec: SiteSpec, root: Field) -> None:
    web = spec.intent.web
    mode = spec.services[web.service].network_mode if web and web.service in spec.services else None
    if web and mode:
        raise place(root, "services", web.service, "network_mode").invalid(
            f"{web.service} is the web service, which Caddy reaches over the site's network", "remove network_mode"
        )


def _check_names(spec: SiteSpec, service: Service, root: Field) -> None:
    for name, condition in service.depends_on.items():
        where = place(root, "services", service.name, "depends_on", name)
        if name not in spec.services:
            raise _unknown_service(name, where, root)
        if condition == "service_healthy" and spec.services[name].healthcheck == _DISABLED:
            raise where.invalid(
                f"{name} has its health check disabled, so it never becomes healthy", "wait for service_started"
            )
    for mount in service.volumes:
        if mount.kind == "volume" and mount.source is not None and mount.source not in spec.volumes:
            raise place(root, "services", service.name, "volumes").invalid(
                f"the volume {mount.source} is not declared",
                f"add it at the end of the file: volumes: {{{mount.source}: {{}}}}",
            )
    for network in service.networks:
        if network != "default" and network not in spec.networks:
            raise place(root, "services", service.name, "networks", network).invalid(
                f"the network {network} is not declared", f"add it at the end of the file: networks: {{{network}: {{}}}}"
            )


def _unknown_service(name: str, where: Field, root: Field) -> Invalid:
    written = place(root, "services").entries()
    if name in written:
        return where.invalid(
            f"the service {name} is left out here by its profiles", "add one of them to x-vpsctl: {profiles: […]}"
        )
    return where.invalid(f"there is no service {shown(name)}", f"services: {', '.join(written)}")


def _check_cycles(services: Mapping[str, Service], root: Field) -> None:
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            circle = " → ".join((*path[path.index(name) :], name))
            raise place(root, "services", name, "depends_on").invalid(
                f"these services wait for each other: {circle}", "remove one of the dependencies"
            )
        if name not in done:
            for other in services[name].depends_on:
                visit(other, (*path, name))
            done.add(name)

    for name in services:
        visit(name, ())


def _published(spec: SiteSpec) -> Iterator[tuple[Service, tuple[int, str, str]]]:
    for service in spec.services.values():
        for port in beside_web(spec, service):
            if port.published:
                yield service, (port.published, port.protocol, port.host_ip or "127.0.0.1")


def _check_published(spec: SiteSpec, root: Field) -> None:
    holders: dict[tuple[int, str, str], str] = {}
    for service, port in _published(spec):
        other = holders.setdefault(port, service.name)
        if other != service.name:
            raise place(root, "services", service.name, "ports").invalid(
                f"port {port[0]} is published by {other} as well", "publish it once"
            )


def _check_web(spec: SiteSpec, root: Field) -> None:
    web = spec.intent.web
    if web is None:
        if spec.intent.pre_deploy and spec.intent.pre_deploy.service is None and len(spec.services) > 1:
            raise place(root, "x-vpsctl", "pre_deploy").invalid("names no service", "add service: whose image it runs with")
        return
    service = spec.services[web.service]
    if service.network_mode:
        raise place(root, "services", web.service, "network_mode").invalid(
            f"{web.service} is the web service, which the proxy reaches over a network", "remove it, or write web: false"
        )
    ports = beside_web(spec, service)
    if spec.intent.update.order == "start-first" and (ports or is_stateful(service)):
        held = f"port {ports[0].target}" if ports else "its data"
        raise place(root, "x-vpsctl", "update", "order").invalid(
            f"{web.service} cannot start first: {held} is for one container at a time", "write order: auto"
        )
