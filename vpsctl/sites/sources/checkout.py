"""The files of a source on this machine: a directory in place, or a git revision exported from a mirror we keep."""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path

from vpsctl.errors import Failed, Invalid, NotFound, Unavailable
from vpsctl.secret import Secret
from vpsctl.sites.sources.explain import explain
from vpsctl.sites.sources.git import Access, Git, GitFailedError, git_for_fetch, git_in_directory
from vpsctl.sites.sources.lock import hold_lock
from vpsctl.sites.sources.source import Source, at_ref, shown

DEADLINE = timedelta(minutes=10)
KEPT_EXPORTS = 3

_HEAD = "refs/vpsctl/head"
_ASKED = "refs/vpsctl/asked"
_MIRRORED = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")


@dataclass(frozen=True)
class Checkout:
    directory: Path
    """Where the compose file is looked for; inside the export (or the directory) whatever symbolic links say."""
    revision: str
    """40 hex digits of the commit, or "directory"."""
    ref: str | None = None
    commit: str | None = None
    """Also set for a directory that is a git working tree."""
    dirty: bool = False
    """A directory with changes that are not committed."""
    subject: str = ""
    """The first line of the commit."""
    notes: tuple[str, ...] = ()
    """What the operator should know: submodules and LFS files that are not there."""


def checkout(
    source: Source, into: Path, *, ref: str | None = None, token: Secret | None = None, deploy_key: Secret | None = None
) -> Checkout:
    """Makes the files of `source` (at `ref` if given) present and says which revision they are.

    `into` is the site's own cache, {home}/sources/<site>: a bare mirror, the last exports, one lock. A killed call leaves
    no half export; the next one sweeps what it left. Raises Invalid, NotFound, Unavailable, Failed, Conflict.
    """
    source = at_ref(source, ref)
    if source.kind == "directory":
        return _in_place(source)
    what = f"a checkout of {shown(source.location)}"
    try:
        into.mkdir(parents=True, exist_ok=True)
        into.chmod(0o700)
        with hold_lock(into / ".lock", what, timeout=DEADLINE, on_wait=_quiet) as lock, _workspace(into) as workspace:
            access = Access(token, deploy_key)
            git = git_for_fetch(source, into / "mirror.git", workspace, access, timeout=DEADLINE)
            return _from_mirror(replace(git, lock=lock), source, into, workspace, access)
    except OSError as error:
        raise Failed(f"cannot write the sources in {into}: {error}", hint="vpsctl doctor shows the disk") from error


def _quiet(_: str) -> None:
    """Nobody is told about a wait of moments: the site's own lock already keeps deployments apart."""


@contextmanager
def _workspace(into: Path) -> Iterator[Path]:
    """A private directory for secrets and half-made files; under the lock, so what an earlier call left is dead."""
    for left in into.glob(".tmp-*"):
        shutil.rmtree(left)
    path = Path(tempfile.mkdtemp(prefix=".tmp-", dir=into))
    try:
        yield path
    finally:
        shutil.rmtree(path)


def _from_mirror(git: Git, source: Source, into: Path, workspace: Path, access: Access) -> Checkout:
    secrets = tuple(secret for secret in (access.token, access.deploy_key) if secret is not None)
    try:
        _prepare_mirror(git, into / "mirror.git", workspace)
        revision = _fetch_revision(git, source)
        export = _export(git, into, workspace, revision)
        subject = git.run("log", "-1", "--format=%s", revision).strip()
    except GitFailedError as error:
        raise explain(source, error.words, secrets) from error
    except Unavailable as error:
        if "in time" not in error.message:
            raise
        raise Unavailable(f"{shown(source.location)} did not answer in {DEADLINE}", hint=error.hint) from error
    _prune_exports(into, keep=export)
    directory = _descend(export, source)
    return Checkout(directory, revision, source.ref, commit=revision, subject=subject, notes=_missing_parts(export))


def _prepare_mirror(git: Git, mirror: Path, workspace: Path) -> None:
    """An empty mirror at the first call, whole or not at all; afterwards, the lock files of a killed git are removed.

    Safe: the lock is inherited by every git that we start, so none of ours can still be at work here.
    """
    if not (mirror / "HEAD").is_file():
        shutil.rmtree(mirror, ignore_errors=True)
        new = workspace / "mirror.git"
        replace(git, place=()).run("init", "--quiet", "--bare", str(new))
        new.rename(mirror)
    for left in (*mirror.glob("*.lock"), *(mirror / "refs").rglob("*.lock"), *(mirror / "objects").glob("**/tmp_*")):
        left.unlink()


def _fetch_revision(git: Git, source: Source) -> str:
    """The commit that the ref names now; a whole commit id that the mirror has already needs no network."""
    ref = source.ref
    if ref is not None and _is_commit_id(ref):
        if not _has(git, ref):
            _fetch(git, source, *_MIRRORED)
        if not _has(git, ref) and not _try_fetch_commit(git, source, ref):
            raise NotFound(f"no commit {ref} in {shown(source.location)}", hint="push it, or name a branch: --ref main")
        return git.run("rev-parse", "--verify", f"{ref}^{{commit}}").strip()
    if ref in (None, "HEAD"):
        _fetch(git, source, f"+HEAD:{_HEAD}", *_MIRRORED)
        return _peel(git, source, _HEAD)
    if ref.startswith("refs/") and not ref.startswith(("refs/heads/", "refs/tags/")):
        _fetch(git, source, f"+{ref}:{_ASKED}", *_MIRRORED)
        return _peel(git, source, _ASKED)
    _fetch(git, source, *_MIRRORED)
    return _peel(git, source, _find_name(git, source, ref))


def _fetch(git: Git, source: Source, *refspecs: str) -> None:
    flags = ("--quiet", "--force", "--prune", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules")
    try:
        git.run("fetch", *flags, "--", source.location, *refspecs)
    except GitFailedError as error:
        if not re.search(r"couldn't find remote ref", error.words, re.IGNORECASE):
            raise
        raise _no_such_ref(source, ()) from error


def _try_fetch_commit(git: Git, source: Source, commit: str) -> bool:
    """Asks for a commit on no branch; servers may refuse that, and then it does not exist for us."""
    try:
        git.run("fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--", source.location, f"+{commit}:{_ASKED}")
    except GitFailedError as error:
        if re.search(r"not our ref|unadvertised|no such remote ref|couldn't find remote ref", error.words, re.IGNORECASE):
            return False
        raise
    return True


def _find_name(git: Git, source: Source, ref: str) -> str:
    names = git.run("for-each-ref", "--format=%(refname)", "refs/heads", "refs/tags").split()
    if ref in names:
        return ref
    found = [name for name in (f"refs/heads/{ref}", f"refs/tags/{ref}") if name in names]
    if len(found) == 2 and _peel(git, source, found[0]) != _peel(git, source, found[1]):
        raise Invalid(f"{ref} is a branch and a tag of {shown(source.location)}", hint=f"say which: --ref {found[0]}")
    if found:
        return found[0]
    if re.fullmatch(r"[0-9a-f]{7,39}", ref) and _has(git, ref):
        return ref
    raise _no_such_ref(source, tuple(name.split("/", 2)[2] for name in names))


def _no_such_ref(source: Source, names: tuple[str, ...]) -> NotFound:
    place = shown(source.location)
    if source.ref is None:
        return NotFound(f"{place} has no default branch", hint="push one, or name a branch with --ref")
    near = get_close_matches(source.ref, names, n=3, cutoff=0.5) or list(names[:5])
    hint = f"it has {', '.join(near)}" if near else f"git ls-remote {place} lists what it has"
    return NotFound(f"no branch, tag or commit {source.ref} in {place}", hint=hint)


def _peel(git: Git, source: Source, name: str) -> str:
    try:
        return git.run("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}").strip()
    except GitFailedError as error:
        raise Invalid(f"{source.ref} of {shown(source.location)} is not a commit", hint="name a branch or a tag") from error


def _has(git: Git, name: str) -> bool:
    return git.succeeds("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}") and git.succeeds("cat-file", "-e", name)


def _is_commit_id(ref: str) -> bool:
    return re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", ref) is not None


def _export(git: Git, into: Path, workspace: Path, revision: str) -> Path:
    """The tree of the commit in {into}/<commit>, appearing whole by one rename.

    `checkout-index`, as `git archive` leaves out what `export-ignore` names and a worktree keeps a way back to the mirror.
    """
    export, index = into / revision, str(workspace / "index")
    git.run("read-tree", revision, GIT_INDEX_FILE=index)
    if export.is_dir():
        if _is_whole(git, export, index):
            os.utime(export)
            return export
        shutil.rmtree(export)
    new = workspace / "tree"
    new.mkdir(mode=0o755)
    git.run("checkout-index", "--all", "--force", GIT_INDEX_FILE=index, GIT_WORK_TREE=str(new))
    new.rename(export)
    return export


def _is_whole(git: Git, export: Path, index: str) -> bool:
    """Each file still has the bytes of the commit: a power cut can leave an export with empty ones."""
    try:
        git.run("update-index", "--refresh", GIT_INDEX_FILE=index, GIT_WORK_TREE=str(export))
    except GitFailedError:
        return False
    return True


def _prune_exports(into: Path, *, keep: Path) -> None:
    exports = sorted((path for path in into.iterdir() if _is_commit_id(path.name)), key=lambda path: path.stat().st_mtime)
    for old in [path for path in exports if path != keep][: -(KEPT_EXPORTS - 1)]:
        shutil.rmtree(old)


def _descend(root: Path, source: Source) -> Path:
    inside, place = (root / (source.subdirectory or ".")).resolve(), shown(source.location)
    if not inside.is_relative_to(root.resolve()):
        raise Invalid(f"the subdirectory {source.subdirectory} leads outside {place}", hint="name a real directory")
    if not inside.is_dir():
        raise NotFound(f"no directory {source.subdirectory} in {place}", hint="correct the site's subdirectory")
    return inside


def _missing_parts(export: Path) -> tuple[str, ...]:
    notes = []
    if (export / ".gitmodules").exists():
        notes.append("its submodules are not fetched: vendor them, or build an image elsewhere")
    attributes = export / ".gitattributes"
    if attributes.is_file() and not attributes.is_symlink() and b"filter=lfs" in attributes.read_bytes():
        notes.append("its Git LFS files are pointers here: keep them out of LFS, or build an image elsewhere")
    return tuple(notes)


def _in_place(source: Source) -> Checkout:
    root = Path(source.location)
    if not root.is_dir():
        raise NotFound(f"the directory {root} is gone", hint="put it back, or add the site again with its new place")
    directory = _descend(root, source)
    git = git_in_directory(directory, timeout=timedelta(seconds=20))
    try:
        commit, subject = git.run("log", "-1", "--format=%H%n%s").split("\n", 1)
        dirty = bool(git.run("status", "--porcelain", "--untracked-files=normal", "--", "."))
    except (GitFailedError, Unavailable):
        # No repository, no commit yet, another user's, or no git here: the directory is deployed as it stands.
        return Checkout(directory, "directory")
    return Checkout(directory, "directory", commit=commit, dirty=dirty, subject=subject.strip())
