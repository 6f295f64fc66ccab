"""What a deploy would do: a pure function from the wanted site and the observed one to frozen steps."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from vpsctl.docker_engine.types import ContainerSpec
from vpsctl.sites import naming
from vpsctl.sites.compose.roles import runs_once, update_order
from vpsctl.sites.compose.spec import Condition, SiteSpec
from vpsctl.sites.containers import Placement, container_spec
from vpsctl.sites.observe import Observed

BRIEFLY = timedelta(seconds=5)
Action = Literal["create", "replace", "recreate", "keep", "once"]


@dataclass(frozen=True)
class Change:
    """What happens to one service."""

    service: str
    action: Action
    """create: there is none yet · replace: new beside old, then the old goes · recreate: the old stops first ·
    keep: unchanged and only one may run · once: runs to its end before what depends on it starts."""
    replicas: int
    reason: str


def plan_changes(spec: SiteSpec, wanted: Mapping[str, tuple[ContainerSpec, ...]], observed: Observed) -> tuple[Change, ...]:
    """One change for each service, in the order they are started. `wanted` holds the containers with config labels."""
    return tuple(_change(spec, name, wanted[name], observed) for name in start_order(spec))


def _change(spec: SiteSpec, name: str, wanted: tuple[ContainerSpec, ...], observed: Observed) -> Change:
    service = spec.services[name]
    if not wanted:
        return Change(name, "replace", 0, "it is scaled to none")
    if runs_once(spec, name):
        return Change(name, "once", 1, "others wait for it to complete")
    present = observed.running(name) or observed.made_last(name)
    order = update_order(spec, service)
    if not present:
        return Change(name, "create", service.replicas, "there is none yet")
    if order == "start-first":
        return Change(name, "replace", service.replicas, "new containers start beside the old ones")
    if order == "stop-first":
        return Change(name, "recreate", service.replicas, "it publishes a port, or update.order says stop-first")
    wanted_hash = wanted[0].labels.get(naming.CONFIG)
    if {item.labels.get(naming.CONFIG) for item in present} == {wanted_hash} and len(present) == len(wanted):
        return Change(name, "keep", service.replicas, "its definition has not changed")
    if any(naming.ADOPTED in item.labels for item in present):
        reason = "it was adopted, and Docker cannot label what runs: replaced once, stop-first, over the same data"
        return Change(name, "recreate", service.replicas, reason)
    return Change(name, "recreate", service.replicas, "its definition changed, and only one may hold its volume")


def start_order(spec: SiteSpec) -> tuple[str, ...]:
    """Service names with every dependency before what depends on it; otherwise as written. The reader refused cycles."""
    done: dict[str, None] = {}

    def visit(name: str) -> None:
        if name not in done:
            for dependency in spec.services[name].depends_on:
                if dependency in spec.services:
                    visit(dependency)
            done[name] = None

    for name in spec.services:
        visit(name)
    return tuple(done)


def hold_time(spec: SiteSpec) -> timedelta:
    """How long a request may wait for the site while it has no upstream.

    Long enough to replace a service stop-first where there is one; otherwise short, so that a site that crashed
    answers 502 soon instead of piling requests up.
    """
    orders = {update_order(spec, service) for service in spec.services.values()}
    return spec.intent.update.deploy_timeout if orders != {"start-first"} else BRIEFLY


def wanted_containers(spec: SiteSpec, place: Placement) -> dict[str, tuple[ContainerSpec, ...]]:
    """Every container of a release by service, still without config labels."""
    return {
        name: tuple(container_spec(spec, service, place, replica) for replica in range(1, service.replicas + 1))
        for name, service in spec.services.items()
    }


def wait_conditions(spec: SiteSpec, name: str) -> dict[str, Condition]:
    """What must be true of which other services before `name` starts."""
    return {other: condition for other, condition in spec.services[name].depends_on.items() if other in spec.services}
