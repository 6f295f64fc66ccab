"""Stand-in images: made from packages once, kept as archives in the cache, loaded from there."""

import fcntl
import hashlib
import os
import platform
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.images.apt import Apt
from tests.images.archive import Layer, base_layer, fill, write_archive
from tests.images.recipes import IMAGES, PACKAGES
from tests.images.tree import closure, download_wheels, machine_bundle, unpack

RELEASE = "bookworm"


class Unsupported(Exception):
    """Stand-ins cannot be made on this machine; the message is a sentence."""


def cache_directory(name: str = "images") -> Path:
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    directory = Path(home, "vpsctl", name)
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def archives(names: list[str]) -> dict[str, Path]:
    """The archive of each named image, made now where the cache does not hold it. Raises Unsupported, AptFailed."""
    cache, version = cache_directory(), recipe_version()
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = {name: cache / f"{name.replace(':', '_')}.{version}.tar" for name in names}
        missing = {name: path for name, path in wanted.items() if not path.exists()}
        if missing:
            make(cache, missing)
    return wanted


def recipe_version() -> str:
    """Of all that goes into an image: a change to this folder or to the machine's CA bundle makes new ones."""
    parts = sorted(path for path in Path(__file__).parent.iterdir() if path.is_file())
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in [*parts, Path(machine_bundle())])).hexdigest()[:12]


def make(cache: Path, targets: dict[str, Path]) -> None:
    if platform.machine() != "x86_64":
        raise Unsupported(f"stand-in images are made for x86_64, and this machine is {platform.machine()}")
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Unsupported("stand-in images are made from Debian packages, which needs root and apt-get")
    with TemporaryDirectory(dir=cache) as directory, ThreadPoolExecutor(1) as pool:
        root, work = Path(directory, "root"), Path(directory)
        wheels = pool.submit(download_wheels, work / "wheels")
        packages = Apt(cache / "apt", RELEASE).download(PACKAGES, work / "packages")
        unpack(root, packages, wheels.result())
        shared, base = base_layer(root)

        def one(name: str) -> None:
            own = closure(root, IMAGES[name]) - shared
            layers = [base, fill(Layer(), root, IMAGES[name], own)] if IMAGES[name].paths else [base]
            for old in cache.glob(f"{name.replace(':', '_')}.*.tar"):
                old.unlink()
            write_archive(targets[name], name, IMAGES[name], layers)

        with ThreadPoolExecutor(2) as writers:
            list(writers.map(one, targets))
