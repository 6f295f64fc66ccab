"""What a deploy would do, told without doing it: `vpsctl plan` and `deploy --dry-run`."""

from dataclasses import dataclass
from typing import Literal

from vpsctl.app import App
from vpsctl.docker_engine.types import ContainerSpec
from vpsctl.errors import Unavailable
from vpsctl.sites.compose.spec import Service
from vpsctl.sites.containers import Placement, memory_limit, published_ports, with_config_label
from vpsctl.sites.deployment import previous_of, site_row
from vpsctl.sites.draft import make_draft
from vpsctl.sites.naming import Names
from vpsctl.sites.observe import observe
from vpsctl.sites.plan import Change, plan_changes, wanted_containers
from vpsctl.sites.preflight import capacity_notes, check_disk, check_domains
from vpsctl.sites.releases import next_number
from vpsctl.sites.snapshot import Resolved, resolve
from vpsctl.sites.sources.build import plan_build


@dataclass(frozen=True)
class ImageStep:
    service: str
    action: Literal["build", "pull", "use"]
    reference: str
    generated: str | None = None
    """The Dockerfile that would be written, where the directory has none."""
    reasons: tuple[str, ...] = ()
    """Why the app was taken for what it is."""


@dataclass(frozen=True)
class RouteStep:
    domains: tuple[str, ...]
    tls: str
    port: int
    reload: bool
    """Whether Caddy reloads, since a domain comes or goes: every site's WebSockets then reconnect."""


@dataclass(frozen=True)
class Preview:
    site: str
    release: int
    previous: int | None
    revision: str | None
    images: tuple[ImageStep, ...]
    changes: tuple[Change, ...]
    pre_deploy: tuple[str, ...] | None
    route: RouteStep | None
    memory: int
    """Bytes, the sum of the limits of all its containers."""
    notes: tuple[str, ...]


def preview(app: App, site: str, *, ref: str | None = None, image: str | None = None, pull: bool = False) -> Preview:
    """Raises what the deploy would raise before it changes anything."""
    row = site_row(app, site)
    draft = make_draft(app, row, ref=ref, image=image)
    resolved = resolve(app, draft)
    spec = resolved.spec
    check_disk(app)
    check_domains(app, spec)
    previous = previous_of(app, row)
    names = Names(app.settings.instance, site)
    images = tuple(_image_step(app, resolved, service, pull=pull) for service in spec.services.values())
    number = next_number(app, row)
    changes = plan_changes(spec, _wanted(app, resolved, names, number), observe(app, names))
    intent = spec.intent
    return Preview(
        site,
        number,
        previous.number if previous else None,
        draft.source.get("commit"),
        images,
        changes,
        intent.pre_deploy.command if intent.pre_deploy else None,
        _route_step(app, resolved),
        sum(memory_limit(item) * item.replicas for item in spec.services.values()),
        (*capacity_notes(app, spec), *_port_notes(resolved)),
    )


def _wanted(app: App, resolved: Resolved, names: Names, number: int) -> dict[str, tuple[ContainerSpec, ...]]:
    """Containers as they would be, with images that are here already; one still to be built counts as changed."""
    images = {}
    for service in resolved.spec.services.values():
        found = app.engine.find_image(service.image) if service.image and not service.build else None
        images[service.name] = found.id if found else "to be resolved"
    wanted = wanted_containers(resolved.spec, Placement(names, number, images, resolved.draft.directory))
    return {name: tuple(with_config_label(item, app.fingerprint) for item in specs) for name, specs in wanted.items()}


def _image_step(app: App, resolved: Resolved, service: Service, *, pull: bool) -> ImageStep:
    if service.build is not None:
        assert resolved.draft.directory is not None
        plan = plan_build(resolved.draft.directory, service.build)
        detected = plan.detected
        return ImageStep(
            service.name,
            "build",
            service.build.context,
            detected.dockerfile if detected else None,
            tuple(detected.reason) if detected else (),
        )
    assert service.image is not None
    present = app.engine.find_image(service.image) is not None
    return ImageStep(service.name, "use" if present and not pull else "pull", service.image)


def _route_step(app: App, resolved: Resolved) -> RouteStep | None:
    web = resolved.spec.intent.web
    if web is None or not web.domains:
        return None
    try:
        known = next((route for route in app.proxy.routes() if route.site == resolved.spec.name), None)
    except Unavailable:
        known = None
    same = known is not None and (known.domains, known.tls) == (web.domains, web.tls)
    return RouteStep(web.domains, web.tls, web.port, not same)


def _port_notes(resolved: Resolved) -> tuple[str, ...]:
    spec = resolved.spec
    notes = []
    for service in spec.services.values():
        hidden = len(service.ports) - len(published_ports(spec, service))
        if hidden:
            notes.append(f"{service.name}: its web port is served by the proxy and not published on this machine")
    return tuple(notes)
