"""What a project takes of this machine: memory and disk of its sites."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from vpsctl.app import App
from vpsctl.errors import VpsctlError
from vpsctl.projects.list import ProjectDetail, describe_project
from vpsctl.sites import naming
from vpsctl.sites.adopt.record import label_all
from vpsctl.sites.naming import Names


@dataclass(frozen=True)
class Spend:
    """Bytes."""

    containers: int
    """That run."""
    memory_caps: int
    uncapped: int
    """Containers without a limit, which the sum does not count."""
    memory: int
    """In use now, without page cache."""
    volumes: int | None
    """What the volumes hold that vpsctl made; None when it was not asked for."""
    images: int
    """Of all kept releases, each image once; a layer that two images share counts in both."""


@dataclass(frozen=True)
class ProjectOverview:
    project: ProjectDetail
    spend: Spend | None
    """None when the Engine did not answer."""
    notes: tuple[str, ...]
    """What could not be asked, one sentence each."""


def show_project(app: App, slug: str, *, volumes: bool = True) -> ProjectOverview:
    """`volumes`: the Engine walks every file of every volume on the machine for their sizes. Raises NotFound."""
    project = describe_project(app, slug, now=datetime.now(UTC))
    try:
        return ProjectOverview(project, read_spend(app, project.sites, volumes=volumes), ())
    except VpsctlError as error:
        return ProjectOverview(project, None, (f"memory and disk are not shown: {error.message}",))


def read_spend(app: App, sites: Sequence[str], *, volumes: bool = True) -> Spend:
    """Four requests, and one more for each container of these sites that runs. Raises Unavailable."""
    if not sites:
        return Spend(0, 0, 0, 0, 0 if volumes else None, 0)
    ours = [
        item
        for item in label_all(app.settings.home, app.engine.summaries())
        if item.labels.get(naming.INSTANCE) == app.settings.instance and item.labels.get(naming.SITE) in sites
    ]
    lasting = [item for item in ours if item.labels.get(naming.ROLE) != naming.BACKUP_ROLE]
    running = [item for item in lasting if item.state == "running"]
    caps = [int(item.labels.get(naming.MEMORY) or 0) for item in running]
    used = app.engine.stats([item.id for item in running], at_once=True)
    patterns = [Names(app.settings.instance, site).image_pattern() for site in sites]
    return Spend(
        len(running),
        sum(caps),
        caps.count(0),
        sum(item.memory for item in used),
        _volumes(app, sites) if volumes else None,
        sum(app.engine.image_sizes(patterns).values()),
    )


def _volumes(app: App, sites: Sequence[str]) -> int:
    found = app.engine.volumes({naming.INSTANCE: app.settings.instance})
    mine = {item.name for item in found if item.labels.get(naming.SITE) in sites}
    return sum(size for name, size in app.engine.volume_sizes().items() if name in mine) if mine else 0
