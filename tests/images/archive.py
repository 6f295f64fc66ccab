"""Image archives as the Engine loads them (`docker load`), byte for byte the same for the same content."""

import hashlib
import io
import json
import os
import subprocess
import tarfile
from pathlib import Path

from tests.images.recipes import BASE, Recipe, image_config
from tests.images.tree import MERGED, closure

MADE_AT = 1767225600
"""2026-01-01, the time of every file: zip archives made in a container refuse what is older than 1980."""


class Layer:
    """A layer being written: parents are made before what stands in them, everything is owned by root unless said."""

    def __init__(self) -> None:
        self.buffer = io.BytesIO()
        self.tar = tarfile.open(fileobj=self.buffer, mode="w", format=tarfile.GNU_FORMAT)  # noqa: SIM115  closed in finish()
        self.made = {"", "/"}

    def entry(self, path: str, kind: bytes, mode: int, *, target: str = "", data: bytes = b"", owner: int = 0) -> None:
        self.parents(path)
        info = tarfile.TarInfo(path.lstrip("/"))
        info.type, info.mode, info.linkname, info.size, info.mtime = kind, mode, target, len(data), MADE_AT
        info.uid = info.gid = owner
        self.tar.addfile(info, io.BytesIO(data))

    def parents(self, path: str) -> None:
        self.directory(os.path.dirname(path))

    def directory(self, path: str, mode: int = 0o755, owner: int = 0) -> None:
        if path not in self.made:
            self.made.add(path)
            self.entry(path, tarfile.DIRTYPE, mode, owner=owner)

    def link(self, path: str, target: str) -> None:
        self.entry(path, tarfile.SYMTYPE, 0o777, target=target)

    def copy(self, root: Path, path: str) -> None:
        self.parents(path)
        self.tar.add(root / path.lstrip("/"), path.lstrip("/"), recursive=False, filter=anonymous)

    def finish(self) -> bytes:
        self.tar.close()
        return self.buffer.getvalue()


def anonymous(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mtime = MADE_AT
    return info


def fill(layer: Layer, root: Path, recipe: Recipe, paths: set[str]) -> bytes:
    for path in sorted(paths):
        layer.copy(root, path)
    for path, (owner, mode) in recipe.directories.items():
        layer.directory(path, mode, owner)
    for path, target in recipe.links.items():
        layer.link(path, target)
    for path, (data, mode) in recipe.files.items():
        layer.entry(path, tarfile.REGTYPE, mode, data=data)
    return layer.finish()


def base_layer(root: Path) -> tuple[set[str], bytes]:
    """The paths of the layer that all images share, and the layer: busybox with a link for each of its commands."""
    paths = closure(root, BASE)
    layer = Layer()
    for name in MERGED:
        layer.directory(f"/usr/{name}")
        layer.link(f"/{name}", f"usr/{name}")
    listed = subprocess.run(
        ["chroot", str(root), "/bin/busybox", "--list"], text=True, capture_output=True, check=True
    ).stdout
    for command in listed.split():
        if command != "busybox":
            layer.link(f"/usr/bin/{command}", "busybox")
    return paths, fill(layer, root, BASE, paths)


def write_archive(target: Path, name: str, recipe: Recipe, layers: list[bytes]) -> None:
    """`target` appears whole or not at all."""
    digests = [hashlib.sha256(layer).hexdigest() for layer in layers]
    config = image_config(recipe, [f"sha256:{digest}" for digest in digests])
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = [{"Config": config_name, "RepoTags": [name], "Layers": [f"{digest}.tar" for digest in digests]}]
    partial = target.with_suffix(".partial")
    with tarfile.open(partial, "w") as archive:
        parts = {f"{digest}.tar": layer for digest, layer in zip(digests, layers, strict=True)}
        for member, data in {**parts, config_name: config, "manifest.json": json.dumps(manifest).encode()}.items():
            info = tarfile.TarInfo(member)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    partial.replace(target)
