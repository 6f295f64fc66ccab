"""`volumes:` and `tmpfs:` of a service, short and long form, and what may be bound into a container."""

import posixpath
import re

from vpsctl.sites.compose.field import Field, shown
from vpsctl.sites.compose.names import VOLUME
from vpsctl.sites.compose.spec import VolumeMount
from vpsctl.sites.compose.units import parse_size

_TMPFS = re.compile(r"(/[^:,\0\n]*)(:[a-z0-9=%,_-]+)?")
_SOCKETS = ("docker.sock", "containerd.sock", "podman.sock")
_SOCKET = "/run/docker.sock"


def read_mounts(field: Field) -> tuple[VolumeMount, ...]:
    """Raises Invalid for a bind outside the site's directory and for the Docker socket, unless the operator allows them.

    Symbolic links are not followed here, where nothing is read from the disk: whoever mounts a path must check that
    it stays inside.
    """
    mounts: dict[str, VolumeMount] = {}
    for item in field.items():
        mount = _short(item) if item.scalar else _long(item)
        if mount.target in mounts:
            raise item.invalid(f"two volumes are mounted at {mount.target}", "keep one of the two")
        mounts[mount.target] = mount
    return tuple(mounts.values())


def read_tmpfs(field: Field) -> tuple[str, ...]:
    """One path or a list of them, each with its mount options after a colon."""
    paths = []
    for item in field.items() if field.listed else [field]:
        paths.append(item.matching(_TMPFS, "an absolute path, with options after a colon"))
        check_target(item, paths[-1].partition(":")[0])
    return tuple(paths)


def _short(item: Field) -> VolumeMount:
    parts = item.text().split(":")
    if len(parts) > 3 or not all(parts):
        raise item.invalid(f"{shown(item.text())} is not a volume", "write it like data:/var/lib/data or ./conf:/etc/app:ro")
    if len(parts) == 1:
        return VolumeMount("volume", check_target(item, parts[0]))
    mode = parts[2] if len(parts) == 3 else "rw"
    if mode not in ("ro", "rw"):
        raise item.invalid(f"the volume mode {shown(mode)} is not ro or rw")
    target = check_target(item, parts[1])
    if parts[0].startswith((".", "/", "~")):
        return VolumeMount("bind", target, bind_source(item, parts[0]), mode == "ro")
    return VolumeMount("volume", target, _volume(item, parts[0]), mode == "ro")


def _long(item: Field) -> VolumeMount:
    keys = item.keys(("type", "source", "target", "read_only", "tmpfs"))
    for key in ("type", "target"):
        if key not in keys:
            raise item.invalid(f"has no {key}", f"add {key}:")
    kind = keys["type"].choice(("volume", "bind", "tmpfs"))
    target = check_target(keys["target"], keys["target"].text())
    read_only = keys["read_only"].boolean() if "read_only" in keys else False
    source = keys.get("source")
    if kind == "tmpfs":
        if source:
            raise source.invalid("a tmpfs has no source", "remove it")
        return VolumeMount("tmpfs", target, None, read_only, _tmpfs_size(keys.get("tmpfs")))
    if "tmpfs" in keys:
        raise keys["tmpfs"].invalid("belongs to type: tmpfs", "remove it")
    if kind == "volume":
        return VolumeMount("volume", target, _volume(source, source.text()) if source else None, read_only)
    if source is None:
        raise item.invalid("has no source", "add source: with a path beside compose.yaml")
    return VolumeMount("bind", target, bind_source(source, source.text()), read_only)


def _tmpfs_size(field: Field | None) -> int | None:
    size = field.keys(("size",)).get("size") if field else None
    return size.parsed(parse_size) if size else None


def _volume(item: Field, name: str) -> str:
    if not VOLUME.fullmatch(name):
        raise item.invalid(f"{shown(name)} is not a volume's name", "begin a path with ./ to bind a directory")
    return name


def check_target(item: Field, path: str) -> str:
    """The absolute path in the container, without `..`. Raises Invalid for `/` and for what is no path."""
    normal = posixpath.normpath(path).replace("//", "/")
    if not path.startswith("/") or normal == "/" or ":" in path or not path.isprintable():
        raise item.invalid(f"{shown(path)} is not an absolute path in the container")
    return normal


def bind_source(item: Field, path: str) -> str:
    """The path normalised: relative to the site's directory, or absolute where that is allowed."""
    if path.startswith("~") or not path.isprintable() or not path:
        raise item.invalid(f"{shown(path)} is not a path", "write it relative to compose.yaml: ./data")
    normal = posixpath.normpath(path).replace("//", "/")
    if _reaches_socket(normal):
        item.require(item.scope.allow.docker_socket, "docker_socket", f"the Docker socket in {normal}")
    if normal.startswith(("/", "../")) or normal == "..":
        item.require(
            item.scope.allow.outside_binds, "outside_binds", f"a bind of {shown(path)}, outside the site's directory,"
        )
    return normal


def _reaches_socket(path: str) -> bool:
    """Whether the bind is an engine's socket, or a directory that holds Docker's."""
    if posixpath.basename(path) in _SOCKETS:
        return True
    real = "/run" + path.removeprefix("/var/run") if (path + "/").startswith("/var/run/") else path
    return real in ("/", "/run", "/var", _SOCKET)
