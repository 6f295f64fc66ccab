"""Where a container keeps its data, in the words of a compose file: the very same volumes, as external ones. Pure."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from vpsctl.docker_engine.types import Mount
from vpsctl.sites.adopt.found import Found, Sketch
from vpsctl.sites.compose.names import VOLUME

_ANONYMOUS = re.compile(r"[0-9a-f]{64}")


def infer_storage(found: Found, sketch: Sketch, *, service: str, taken: Mapping[str, str]) -> None:
    """`taken`: volumes that have keys already, in services before this one."""
    mounts = [
        _mount(found, mount, sketch, lambda mount: _key(mount, service, {**taken, **sketch.volumes}))
        for mount in found.container.mounts
        if ":" not in mount.target
    ]
    if mounts:
        sketch.entries["volumes"] = mounts
    sketch.notes.extend(
        f"cannot be carried over: what is mounted at {mount.target!r}"
        for mount in found.container.mounts
        if ":" in mount.target
    )
    listed = {mount.target for mount in found.container.mounts}
    tmpfs = {path: options for path, options in (found.host.get("Tmpfs") or {}).items() if path not in listed}
    if tmpfs:
        sketch.entries["tmpfs"] = [f"{path}:{options.lower()}" if options else path for path, options in tmpfs.items()]
    if found.stateful and not sketch.volumes and not any(mount.kind == "bind" for mount in found.container.mounts):
        sketch.notes.append(
            "it has no volume: its data stands in the container itself and is NOT in the one that the next deploy makes"
        )


def _mount(found: Found, mount: Mount, sketch: Sketch, key_of: Callable[[Mount], str]) -> Any:
    read_only = {"read_only": True} if mount.read_only else {}
    if mount.kind == "tmpfs":
        limit = _tmpfs_size(found, mount.target)
        return {"type": "tmpfs", "target": mount.target, **({"tmpfs": {"size": limit}} if limit else {})}
    source = mount.source or ""
    if mount.kind == "bind":
        sketch.notes.append(
            f'it binds {source}, outside the site\'s directory, which needs allow = ["outside_binds"] in the settings'
        )
        return {"type": "bind", "source": source, "target": mount.target, **read_only}
    key = key_of(mount)
    sketch.volumes[key] = source
    if _ANONYMOUS.fullmatch(source):
        sketch.notes.append(f"the anonymous volume at {mount.target} is used by its own name: {source}")
    return f"{key}:{mount.target}" + (":ro" if mount.read_only else "")


def _key(mount: Mount, service: str, taken: Mapping[str, str]) -> str:
    """The volume's own name; an anonymous one is called after where it is mounted. No two volumes get one key."""
    name = mount.source or ""
    if not _ANONYMOUS.fullmatch(name) and VOLUME.fullmatch(name):
        plain = name
    else:
        plain = f"{service}-" + (re.sub(r"[^a-z0-9]+", "-", mount.target.lower()).strip("-") or "data")[:60]
    numbered = (f"{plain[:96]}-{number}" for number in range(2, len(taken) + 3))
    return next(key for key in (plain, *numbered) if taken.get(key, name) == name)


def _tmpfs_size(found: Found, target: str) -> int | None:
    for item in found.host.get("Mounts") or ():
        if item.get("Target") == target:
            limit: int | None = (item.get("TmpfsOptions") or {}).get("SizeBytes")
            return limit
    return None
