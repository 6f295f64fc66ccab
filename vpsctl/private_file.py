"""Files that only their owner may read: written whole or not at all, refused when others could have read them."""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from vpsctl.errors import Conflict, Failed, Invalid, NotFound


def write_new(path: Path, data: bytes) -> bool:
    """Write `data` to `path` (0600) unless a file stands there; True when it was written.

    The file appears whole or not at all, and two processes at once agree on one of them.
    """
    with _draft(path, data) as draft:
        try:
            os.link(draft, path)  # unlike a rename, it fails when the name is taken
        except FileExistsError:
            return False
    _sync(path.parent)
    return True


def write(path: Path, data: bytes) -> None:
    """Write `data` to `path` (0600) over what stands there: the old file or the new one, never a part. Raises OSError."""
    with _draft(path, data) as draft:
        os.replace(draft, path)
    _sync(path.parent)


def rename(path: Path, target: Path) -> bool:
    """`path` takes the place of `target`, durably and in one step; False when there is no `path`. Raises OSError."""
    try:
        os.replace(path, target)
    except FileNotFoundError:
        return False
    _sync(target.parent)
    return True


def remove(path: Path) -> bool:
    """Remove a file durably; False when there is none. Raises OSError."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    _sync(path.parent)
    return True


def check_free(path: Path) -> None:
    """That a new file can be made where the operator said. Raises Conflict when it exists, NotFound for its directory."""
    if path.is_symlink() or path.exists():
        raise Conflict(f"{path} is there already", hint="give a file that is not there yet")
    directory = path.absolute().parent
    if not directory.is_dir():
        raise NotFound(f"there is no directory {directory}", hint=f"mkdir -p {directory}")


def write_free(path: Path, data: bytes) -> None:
    """`write_new` where the operator said. Raises Conflict when somebody was faster, Failed when it cannot be written."""
    try:
        written = write_new(path, data)
    except OSError as error:
        raise Failed(f"cannot write {path}: {error.strerror}", hint="give another place") from error
    if not written:
        raise Conflict(f"{path} is there already", hint="give a file that is not there yet")


@contextmanager
def new_file(path: Path) -> Iterator[IO[bytes]]:
    """A file (0600) that is written piece by piece and stands at `path` once the block has ended well.

    Raises FileExistsError when another stands there by then, and OSError.
    """
    with _beside(path) as (draft, file):
        yield file
        _finish(file)
        os.link(draft, path)
    _sync(path.parent)


@contextmanager
def _draft(path: Path, data: bytes) -> Iterator[Path]:
    """The bytes in a file beside `path`, which is gone afterwards."""
    with _beside(path) as (draft, file):
        file.write(data)
        _finish(file)
        yield draft


@contextmanager
def _beside(path: Path) -> Iterator[tuple[Path, IO[bytes]]]:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield draft, file
    except OSError as error:
        error.filename = error.filename or str(path)  # what fails on a descriptor, such as on a full disk, names no file
        raise
    finally:
        draft.unlink(missing_ok=True)


def _finish(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read(path: Path, what: str, *, forbidden: int = 0o077) -> bytes:
    """The bytes of a private file; `what` names it in sentences ("master key"). `forbidden`: mode bits of other people.

    Raises NotFound when there is none, Invalid when it is no regular file, is another user's, or others may read it.
    """
    try:
        file = open(path, "rb", opener=_without_following)  # noqa: SIM115  closed below; only the opening is translated
    except FileNotFoundError as error:
        raise NotFound(f"there is no {what} at {path}", hint="vpsctl init, or put the old one back") from error
    except OSError as error:
        raise Invalid(f"the {what} at {path} cannot be read: {error.strerror}", hint=f"ls -l {path}") from error
    with file:
        _check(path, what, os.fstat(file.fileno()), forbidden)
        return file.read()


def _without_following(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)  # a pipe would wait for its writer


def _check(path: Path, what: str, status: os.stat_result, forbidden: int) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise Invalid(f"the {what} at {path} is not a regular file", hint=f"ls -l {path}")
    if status.st_uid not in (0, os.geteuid()):
        raise Invalid(f"the {what} at {path} belongs to user {status.st_uid}", hint=f"chown root {path}")
    if status.st_mode & forbidden:
        mode = stat.S_IMODE(status.st_mode)
        raise Invalid(f"the {what} at {path} can be read by others (mode {mode:04o})", hint=f"chmod 600 {path}")
