"""Which containers may not run at the same time: two over one data directory ruin it, of two on one port one fails. Pure."""

from collections.abc import Iterable

from vpsctl.docker_engine.types import Container, ContainerSpec, Mount
from vpsctl.sites import naming
from vpsctl.sites.observe import Observed, is_up


def written(mounts: Iterable[Mount]) -> set[str]:
    """The volumes and directories that are mounted to be written to."""
    return {mount.source for mount in mounts if mount.source and mount.kind != "tmpfs" and not mount.read_only}


def held(item: Container | ContainerSpec) -> set[str]:
    """What it writes to outside itself, and the ports of the machine that it takes."""
    return written(item.mounts) | {f"{port.host_port}/{port.protocol}" for port in item.ports if port.host_port}


def obsolete_holders(
    wanted: dict[str, tuple[ContainerSpec, ...]], service: str, before: Iterable[Container]
) -> list[Container]:
    """Running containers of other services that hold what `service` is to hold, and whose own service no longer does.

    A database that was renamed, or a volume or port that went from one service to another. Services that share a volume
    on purpose go on sharing it.
    """
    mine = {thing for spec in wanted[service] for thing in held(spec)}
    found = []
    for item in before:
        theirs = item.labels.get(naming.SERVICE, "")
        if is_up(item) and theirs != service:
            still = {thing for spec in wanted.get(theirs, ()) for thing in held(spec)}
            if mine & held(item) - still:
                found.append(item)
    return found


def rivals(new: Iterable[Container], asleep: Iterable[Container], observed: Observed, *, number: int) -> list[Container]:
    """Those of `new` that must stop before the containers `asleep`, of release `number`, may start again."""
    return [item for item in new if is_up(item) and any(_exclude(item, old, observed, number) for old in asleep)]


def _exclude(new: Container, old: Container, observed: Observed, number: int) -> bool:
    service = new.labels.get(naming.SERVICE, "")
    if service == old.labels.get(naming.SERVICE):
        # What carries no order was adopted or made by an older vpsctl: of that one at a time, which is always safe.
        return any(item.labels.get(naming.ORDER) != "start-first" for item in (new, old))
    shared_before = {thing for item in observed.made_last(service, until=number) for thing in held(item)}
    return bool(held(new) & held(old) - shared_before)
