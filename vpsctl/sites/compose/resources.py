"""Replicas and limits of a service: `deploy:`, and the older `mem_limit` and `cpus` beside it."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from vpsctl.sites.compose.field import Field
from vpsctl.sites.compose.spec import Resources
from vpsctl.sites.compose.units import parse_cpus, parse_memory

T = TypeVar("T")
MAX_REPLICAS = 12
"""The slots of a route (DESIGN §7)."""
_DEPLOY_ADVICE = {
    "update_config": "write it as x-vpsctl.update: {order: …}",
    "rollback_config": "remove it: a deploy that fails leaves the old release serving",
    "restart_policy": "write restart: on the service",
    "labels": "write labels: on the service",
    "mode": "remove it: there is one machine",
    "placement": "remove it: there is one machine",
    "endpoint_mode": "remove it: there is one machine",
}


def read_deploy(keys: Mapping[str, Field]) -> tuple[int, Resources]:
    """Replicas and resources from a service's keys. Raises Invalid where two keys say different things."""
    deploy = keys["deploy"].keys(("replicas", "resources"), _DEPLOY_ADVICE) if "deploy" in keys else {}
    resources = deploy["resources"].keys(("limits", "reservations")) if "resources" in deploy else {}
    limits = resources["limits"].keys(("memory", "cpus", "pids")) if "limits" in resources else {}
    reserved: dict[str, Field] = {}
    if "reservations" in resources:
        advice = {"cpus": "remove it: the engine can limit CPUs, not reserve them", "devices": "remove it"}
        reserved = resources["reservations"].keys(("memory",), advice)
    replicas = deploy["replicas"].integer(0, MAX_REPLICAS) if "replicas" in deploy else 1
    memory = _one(limits.get("memory"), keys.get("mem_limit"), parse_memory)
    reservation = reserved["memory"].parsed(parse_memory) if "memory" in reserved else None
    if memory is not None and reservation is not None and reservation > memory:
        raise reserved["memory"].invalid("more memory is reserved than the limit allows", "lower it, or raise the limit")
    return replicas, Resources(
        memory=memory,
        cpus=_one(limits.get("cpus"), keys.get("cpus"), parse_cpus),
        memory_reservation=reservation,
        pids=limits["pids"].integer(1, 4_194_304) if "pids" in limits else None,
    )


def _one(new: Field | None, old: Field | None, parser: Callable[[str], T]) -> T | None:
    first = new.parsed(parser) if new else None
    second = old.parsed(parser) if old else None
    if new and old and first != second:
        raise old.invalid(f"differs from {new.path} on line {new.line}", "keep one of the two")
    return first if new else second
