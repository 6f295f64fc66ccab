"""What must be true before a deploy may begin, so that it fails at once and in words rather than half way."""

import os
from collections.abc import Mapping

from vpsctl.app import App
from vpsctl.docker_engine.engine import Engine
from vpsctl.docker_engine.types import Image
from vpsctl.errors import Conflict, Failed, Invalid
from vpsctl.sites.capacity import Cap, fits
from vpsctl.sites.caps import labelled_budget
from vpsctl.sites.compose.spec import SiteSpec
from vpsctl.sites.compose.units import parse_size
from vpsctl.sites.containers import cpu_limit, memory_limit
from vpsctl.sites.observe import Observed

INODES = 10_000
"""Fewer free inodes than this, and an image of many small files does not unpack."""


def check_disk(app: App) -> None:
    """Raises Failed when the engine's disk or ours is nearly full: a deploy would tear half way."""
    floor = parse_size(app.settings.disk_floor)
    for path in {app.engine.machine().root_dir, str(app.settings.home)}:
        if not os.path.isdir(path):
            continue  # the engine runs elsewhere
        stat = os.statvfs(path)
        free = stat.f_bavail * stat.f_frsize
        if free < floor:
            left, wanted = f"{free // 1024**2} MiB", app.settings.disk_floor
            raise Failed(
                f"{path} has {left} free, less than disk_floor ({wanted}): nothing was changed",
                hint="docker image prune, or lower disk_floor in the settings; vpsctl doctor shows the disk",
            )
        if stat.f_files > 0 and stat.f_favail < INODES:
            raise Failed(
                f"{path} has {stat.f_favail} inodes free: nothing was changed", hint="remove many small files there"
            )


def check_domains(app: App, spec: SiteSpec) -> None:
    """Raises Conflict naming the site that has one of these domains."""
    web = spec.intent.web
    for route in app.proxy.routes() if web else ():
        taken = set(route.domains) & set(web.domains if web else ())
        if taken and route.site != spec.name:
            raise Conflict(f"{sorted(taken)[0]} belongs to the site {route.site}", hint=f"vpsctl site show {route.site}")


def capacity_notes(app: App, spec: SiteSpec) -> tuple[str, ...]:
    """What does not fit, in sentences, said before the deploy; the limits are promises, not allocations."""
    more = [
        Cap("site", spec.name, memory_limit(item), cpu_limit(item))
        for item in spec.services.values()
        for _ in range(item.replicas)
    ]
    return fits(labelled_budget(app), more, replaces=spec.name).reasons


def check_postgres_major(engine: Engine, spec: SiteSpec, images: Mapping[str, Image], observed: Observed) -> None:
    """Raises Invalid when a Postgres service would jump a major version over data of the old one."""
    for name, image in images.items():
        new = image.environment.get("PG_MAJOR")
        for container in observed.of(name)[-1:] if new else []:
            before = engine.find_image(container.image_id)
            old = before.environment.get("PG_MAJOR") if before else None
            if old and old != new:
                raise Invalid(
                    f"services.{name} would go from Postgres {old} to {new}, which cannot read the data of {old}",
                    hint=f"dump it (vpsctl exec {spec.name} --service {name} -- pg_dumpall -U postgres), give the new one"
                    " a new volume, and load the dump",
                )
