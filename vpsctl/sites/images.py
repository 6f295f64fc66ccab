"""Every service's image as one that cannot change: built, pulled or found, and held by a name of the release's own."""

import platform

from vpsctl.app import App
from vpsctl.docker_engine.types import Image
from vpsctl.errors import Failed, NotFound
from vpsctl.sites.compose.spec import Service, SiteSpec
from vpsctl.sites.compose.units import parse_size
from vpsctl.sites.naming import Names
from vpsctl.sites.snapshot import Resolved
from vpsctl.sites.sources.build import BuildLimits, BuildOrder, build_image
from vpsctl.sites.work import Task


def resolve_images(task: Task, resolved: Resolved, *, release: int, pull: bool) -> dict[str, Image]:
    """Service to image. Raises Failed with the builder's last lines, or with the name of an image that is not to be had."""
    images: dict[str, Image] = {}
    for service in resolved.spec.services.values():
        twin = _same_build(resolved.spec, service, images)
        image = twin or _resolve(task, resolved, service, release=release, pull=pull)
        _check_architecture(task.app, service, image)
        task.app.engine.tag(image.id, task.names.image(service.name, release))
        images[service.name] = image
        task.run.log(f"{service.name}: {image.id.removeprefix('sha256:')[:12]}")
    return images


def _same_build(spec: SiteSpec, service: Service, images: dict[str, Image]) -> Image | None:
    """A worker that is built exactly as the web service is needs no second build."""
    for name, image in images.items():
        if service.build is not None and spec.services[name].build == service.build:
            return image
    return None


def _resolve(task: Task, resolved: Resolved, service: Service, *, release: int, pull: bool) -> Image:
    app, run = task.app, task.run
    if service.build is not None:
        directory = resolved.draft.directory
        assert directory is not None
        order = BuildOrder(app.settings.instance, task.site.name, service.name, release, service.build, directory)
        limits = BuildLimits(parse_size(app.settings.builder_memory), app.settings.builder_cpus)
        return build_image(app.engine, order, app.settings.home, limits=limits, on_line=run.log)
    assert service.image is not None
    found = app.engine.find_image(service.image)
    if found is not None and not pull:
        return found
    run.log(f"{service.name}: pulling {service.image}")
    try:
        return app.engine.pull(service.image, on_line=run.log)
    except NotFound as error:
        raise NotFound(f"services.{service.name}: {error.message}", hint=error.hint) from error


def recorded_images(app: App, names: Names, number: int, recorded: dict[str, str]) -> dict[str, Image]:
    """The images of an earlier release. Raises Failed naming the one that is gone."""
    images = {}
    for service, image_id in recorded.items():
        image = app.engine.find_image(image_id)
        if image is None:
            raise Failed(
                f"the image of {service} in r{number} of {names.site} is no longer on this machine",
                hint=f"build it again: vpsctl deploy {names.site} --ref with the revision of r{number}",
            )
        images[service] = image
    return images


def _check_architecture(app: App, service: Service, image: Image) -> None:
    told = app.engine.machine().architecture
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(told, told)
    if image.architecture and machine and image.architecture != machine:
        raise Failed(
            f"services.{service.name}: the image is for {image.architecture}, this machine is {machine}",
            hint=f"build it for {platform.system().lower()}/{machine}",
        )
