"""Building a service's image from the site's files, one build at a time on a machine so that the sites keep their share."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from vpsctl.docker_engine.engine import Engine
from vpsctl.docker_engine.types import BuildSpec, Image
from vpsctl.errors import Invalid, NotFound
from vpsctl.sites.compose.spec import Build
from vpsctl.sites.naming import IMAGE_INSTANCE, image_name
from vpsctl.sites.sources.detect import detect_app
from vpsctl.sites.sources.inside import find_inside
from vpsctl.sites.sources.lock import hold_lock
from vpsctl.sites.sources.tree import Detected

TURN = timedelta(minutes=30)
"""How long a build waits for the one before it."""


@dataclass(frozen=True)
class BuildPlan:
    """What would be built: shown by `plan` and `--dry-run`."""

    context: Path
    dockerfile: Path | None
    """None: the one in `detected`."""
    detected: Detected | None = None


@dataclass(frozen=True)
class BuildOrder:
    instance: str
    site: str
    service: str
    release: int
    build: Build
    directory: Path
    """The site's directory: neither the context nor the Dockerfile leads out of it."""


@dataclass(frozen=True)
class BuildLimits:
    memory: int | None = None
    """Bytes."""
    cpus: float | None = None


def plan_build(directory: Path, build: Build) -> BuildPlan:
    """Finds the context and its Dockerfile, or recognises the app. Raises Invalid and NotFound."""
    context = find_inside(directory, build.context, what="the build context")
    if not context.is_dir():
        raise NotFound(f"no build context {build.context} in {directory}", hint="correct build.context in compose.yaml")
    named = find_inside(directory, str(context / (build.dockerfile or "Dockerfile")), what="the Dockerfile")
    if named.is_file():
        return BuildPlan(context, named)
    if build.dockerfile is not None:
        hint = "correct build.dockerfile in compose.yaml"
        raise NotFound(f"no Dockerfile {build.dockerfile} in {context}", hint=hint)
    if build.target is not None:
        hint = "write a Dockerfile, or leave build.target out"
        raise Invalid(f"{context} has no Dockerfile for the target {build.target}", hint=hint)
    return BuildPlan(context, None, detect_app(context))


def build_image(
    engine: Engine, order: BuildOrder, home: Path, *, limits: BuildLimits, on_line: Callable[[str], None]
) -> Image:
    """The service's image, tagged and labelled. Waits its turn, saying so through `on_line`.

    Raises what `plan_build` and `Engine.build` raise, and Conflict when another build takes longer than half an hour.
    """
    plan = plan_build(order.directory, order.build)
    what = f"the build of {order.site}/{order.service}"
    with hold_lock(home / "build.lock", what, timeout=TURN, on_wait=on_line), _dockerfile(plan) as dockerfile:
        if plan.detected is not None:
            on_line(f"no Dockerfile: built as {plan.detected.kind} ({'; '.join(plan.detected.reason)})")
        return engine.build(_spec(order, plan, dockerfile, limits), on_line=on_line)


def _spec(order: BuildOrder, plan: BuildPlan, dockerfile: str, limits: BuildLimits) -> BuildSpec:
    labels = {
        IMAGE_INSTANCE: order.instance,
        "vpsctl.image.site": order.site,
        "vpsctl.image.service": order.service,
        "vpsctl.image.release": str(order.release),
    }
    return BuildSpec(
        context=str(plan.context),
        dockerfile=dockerfile,
        tag=f"{image_name(order.instance, order.site, order.service)}:r{order.release}",
        target=order.build.target,
        args=order.build.args,
        labels=labels,
        memory=limits.memory,
        cpus=limits.cpus,
    )


@contextmanager
def _dockerfile(plan: BuildPlan) -> Iterator[str]:
    """The Dockerfile as BuildSpec names it. A generated one stands outside the context, beside its own ignore file."""
    if plan.dockerfile is not None:
        inside = plan.dockerfile.is_relative_to(plan.context)
        yield str(plan.dockerfile.relative_to(plan.context)) if inside else str(plan.dockerfile)
        return
    assert plan.detected is not None
    with tempfile.TemporaryDirectory(prefix="vpsctl-build-") as directory:
        path = Path(directory) / "Dockerfile"
        path.write_text(plan.detected.dockerfile)
        own = plan.context / ".dockerignore"
        lines = own.read_text(errors="replace").splitlines() if own.is_file() and not own.is_symlink() else []
        # The builder reads <Dockerfile>.dockerignore in place of the context's own.
        Path(f"{path}.dockerignore").write_text("\n".join([*lines, *plan.detected.ignore]) + "\n")
        yield str(path)
