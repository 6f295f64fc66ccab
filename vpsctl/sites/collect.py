"""Garbage: what belongs to releases that no rollback can reach. Ours by label and by reference only; never a volume."""

from collections import defaultdict
from dataclasses import dataclass

from vpsctl.app import App
from vpsctl.docker_engine.types import ContainerSummary
from vpsctl.sites import naming
from vpsctl.sites.naming import Names, release_of
from vpsctl.sites.observe import is_up, made_last
from vpsctl.sites.releases import ReleaseInfo, kept_numbers, list_releases


@dataclass(frozen=True)
class Collected:
    containers: int
    images: int


def collect(app: App, site: str, *, retain: int) -> Collected:
    """Remove the stopped containers and the image names of releases past `retain`, and of those that never served."""
    names = Names(app.settings.instance, site)
    releases = list_releases(app, site)
    keep = kept_numbers(releases, retain)
    containers = 0
    # A drill may run while a release is deployed; what a killed backup left, the next one removes.
    found = [item for item in app.engine.summaries(names.labels()) if item.labels.get(naming.ROLE) != naming.BACKUP_ROLE]
    needed = _needed(found, [item for item in releases if item.number in keep])
    for item in found:
        if not is_up(item) and release_of(item.labels) not in keep and item.id not in needed:
            app.engine.remove(item.id)
            containers += 1
    return Collected(containers, _collect_images(app, names, releases, keep))


def _needed(found: list[ContainerSummary], kept: list[ReleaseInfo]) -> set[str]:
    """Containers of older releases that a kept one goes on with: a database whose definition has not changed since."""
    by_service: dict[str, list[ContainerSummary]] = defaultdict(list)
    for item in found:
        by_service[item.labels.get(naming.SERVICE, "")].append(item)
    return {
        item.id
        for release in kept
        for service in release.images
        for item in made_last(by_service[service], until=release.number)
    }


def _collect_images(app: App, names: Names, releases: tuple[ReleaseInfo, ...], keep: set[int]) -> int:
    """Each release holds its images by a name of its own; dropping the last name of an image removes it."""
    used = {item.image_id for item in app.engine.summaries({naming.INSTANCE: names.instance})}
    there = app.engine.image_names(names.image_pattern())
    held = {image for item in releases if item.number in keep for image in item.images.values()}
    removed = 0
    for item in releases:
        if item.number in keep:
            continue
        for service, image in item.images.items():
            tag = names.image(service, item.number)
            if tag in there:
                app.engine.remove_image(tag)
                removed += image not in held | used
    return removed
