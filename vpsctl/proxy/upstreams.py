"""The files Caddy reads at each request: whom a site's traffic goes to, and its maintenance page.

`{root}/{site}/current` is a symbolic link to a generation, a directory with the slot files `0` to `11` that hold one
address each and `state.json`. Renaming a new link over it swaps all replicas at once, and the rename either happens or
does not: a full disk, a kill or a power cut leaves the old set or the new one.
"""

import fcntl
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from vpsctl.errors import Failed, Invalid
from vpsctl.proxy.types import Upstreams

SLOTS = 12
"""Divisible by 1, 2, 3, 4, 6 and 12 replicas; with any other number the shares differ by one slot."""
MAINTENANCE = "maintenance.html"
PAGE_LIMIT = 1 << 20
"""Caddy reads at most 1 MiB of a file into a placeholder and cuts the rest without a word."""
REFUSING = "127.0.0.1:1"
"""Nothing listens there inside Caddy's container: the dial is refused at once, and a refused dial is the one failure
that Caddy retries for every method, POST included."""
CURRENT, STATE, GENERATION, LINK = "current", "state.json", "g-", "l-"
SITE = re.compile(r"[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?")
ADDRESS = re.compile(r"(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}")


def slots(addresses: Sequence[str]) -> tuple[str, ...]:
    """The addresses dealt over the slots in turn, so that each has its equal share.

    Raises Invalid without an address, with more than `SLOTS`, or for one that is not `name:port`.
    """
    if not 1 <= len(addresses) <= SLOTS:
        raise Invalid(f"a site is served by 1 to {SLOTS} replicas, not {len(addresses)}", hint="vpsctl scale SITE SERVICE=N")
    for address in addresses:
        if not ADDRESS.fullmatch(address):
            raise Invalid(
                f"{address!r} is not an address name:port", hint="set x-vpsctl.web.port in the site's compose.yaml"
            )
    return tuple(addresses[index % len(addresses)] for index in range(SLOTS))


def swap(root: Path, site: str, upstreams: Upstreams) -> Upstreams | None:
    """Send the site's traffic to `upstreams`, atomically and for good; returns what was before.

    Raises Failed when the files cannot be written: the old upstreams go on serving.
    """
    slots(upstreams.addresses)
    return _put(root, site, upstreams)


def hold(root: Path, site: str) -> Upstreams | None:
    """Let every request of the site wait (Route.hold) until the next `swap`; returns what was before."""
    return _put(root, site, None)


def current(root: Path, site: str) -> Upstreams | None:
    """Whom the site's traffic goes to; None before the first `swap` and during a `hold`.

    Raises Failed when the state is there and cannot be read.
    """
    return _read_state(_directory(root, site))


def held(root: Path, site: str) -> bool:
    """Whether requests are waiting: a `hold` that no `swap` has ended."""
    directory = _directory(root, site)
    return (directory / CURRENT).exists() and _read_state(directory) is None


def forget(root: Path, site: str) -> None:
    """Remove the site's files, its maintenance page among them; nothing happens when there are none.

    Raises Failed when they cannot be removed. The rename first: no request meets half of them.
    """
    directory = _directory(root, site)
    gone = root / f".{site}.{os.getpid()}.gone"
    with _explained(f"cannot remove the upstreams of {site}", root), suppress(FileNotFoundError):
        directory.rename(gone)
        shutil.rmtree(gone)


def set_maintenance(root: Path, site: str, page: str | None) -> None:
    """Answer the site's requests with 503 and this page from now on; None: serve it again.

    Raises Invalid for a page above `PAGE_LIMIT` bytes, Failed when the file cannot be written.
    """
    directory = _directory(root, site)
    target = directory / MAINTENANCE
    data = page.encode() if page is not None else b""
    if len(data) > PAGE_LIMIT:
        raise Invalid(
            f"the maintenance page of {site} is {len(data)} bytes, above the limit of {PAGE_LIMIT}", hint="shorten it"
        )
    with _explained(f"cannot change the maintenance page of {site}", root):
        if page is None:
            target.unlink(missing_ok=True)
            return
        with _locked(directory):
            write_file(target, data)


def maintained(root: Path, site: str) -> str | None:
    """The maintenance page that is shown now; None: the site is served."""
    try:
        return (_directory(root, site) / MAINTENANCE).read_text()
    except FileNotFoundError:
        return None


def write_file(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Write the whole file or leave the old one: temporary file, fsync, rename, fsync of the directory. Raises OSError."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(handle, mode)
            os.fsync(handle)
        os.replace(name, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(name)
        raise
    _sync(path.parent)


def _directory(root: Path, site: str) -> Path:
    if not SITE.fullmatch(site):
        raise Invalid(f"{site!r} is not a site's name", hint="vpsctl site list")
    return root / site


def _put(root: Path, site: str, upstreams: Upstreams | None) -> Upstreams | None:
    directory = _directory(root, site)
    with _explained(f"cannot switch the traffic of {site}; what served it goes on", root), _locked(directory):
        before = _read_state(directory)
        generation = _write_generation(directory, upstreams)
        previous = _target(directory)
        _point(directory, generation)
        _collect(directory, keep={generation, previous})
    return before


def _write_generation(directory: Path, upstreams: Upstreams | None) -> str:
    """One file for each distinct address and hard links for its other slots: fewer fsyncs make a faster switch."""
    path = Path(tempfile.mkdtemp(prefix=GENERATION, dir=directory))
    addresses = upstreams.addresses if upstreams else (REFUSING,)
    state = {"release": upstreams.release, "addresses": addresses} if upstreams else None
    try:
        for index in range(SLOTS):
            if index < len(addresses):
                _write_synced(path / str(index), addresses[index].encode())
            else:
                os.link(path / str(index % len(addresses)), path / str(index))
        _write_synced(path / STATE, json.dumps(state).encode())
        path.chmod(0o755)
        _sync(path)
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        raise
    return path.name


def _point(directory: Path, generation: str) -> None:
    link = directory / f"{LINK}{generation}"
    try:
        link.symlink_to(generation)
        os.replace(link, directory / CURRENT)
    except BaseException:
        link.unlink(missing_ok=True)
        shutil.rmtree(directory / generation, ignore_errors=True)
        raise
    _sync(directory)


def _collect(directory: Path, *, keep: set[str | None]) -> None:
    """Old generations go, except the last: a request may have resolved the link just before it moved."""
    for path in directory.iterdir():
        if path.name.startswith(LINK):
            path.unlink(missing_ok=True)
        elif path.name.startswith(GENERATION) and path.name not in keep:
            shutil.rmtree(path, ignore_errors=True)


def _target(directory: Path) -> str | None:
    try:
        return os.readlink(directory / CURRENT)
    except FileNotFoundError:
        return None


def _read_state(directory: Path) -> Upstreams | None:
    path = directory / CURRENT / STATE
    try:
        state = json.loads(path.read_bytes())
        return Upstreams(state["release"], tuple(state["addresses"])) if state else None
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Failed(f"cannot read {path}: {error}", hint="deploy the site again, which writes it anew") from error


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fchmod(file.fileno(), 0o644)
        os.fsync(file.fileno())


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Alone in the site's directory among the processes; the lock dies with its owner."""
    if not directory.is_dir():
        directory.mkdir(parents=True, exist_ok=True)
        _sync(directory.parent)
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextmanager
def _explained(what: str, root: Path) -> Iterator[None]:
    """An error of write(2), such as a full disk, names no file: the directory says which disk."""
    try:
        yield
    except OSError as error:
        raise Failed(f"{what}: {error.strerror or error} ({error.filename or root})", hint="vpsctl doctor") from error
