"""Checking out real git repositories: every kind of ref, what moves, what is refused, what is killed."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path
from secrets import token_hex

import pytest

from tests.operations.sources.conftest import Repository
from tests.operations.sources.git_server import serve
from tests.waiting import wait_for
from vpsctl.errors import Conflict, Invalid, NotFound, Unavailable
from vpsctl.secret import Secret
from vpsctl.sites.sources import checkout as checkout_module
from vpsctl.sites.sources.checkout import Checkout, checkout
from vpsctl.sites.sources.source import Source


def fetch(repository: Repository, cache: Path, ref: str | None = None) -> Checkout:
    return checkout(Source("git", str(repository.bare)), cache, ref=ref)


def read(found: Checkout, name: str = "index.html") -> str:
    return (found.directory / name).read_text()


def test_branch_tag_commit_and_default_are_each_found(repository: Repository, cache: Path) -> None:
    first = repository.commit({"index.html": "one"}, "the first")
    repository.git("tag", "-a", "v1", "-m", "annotated")
    repository.git("push", "-q", "origin", "v1")
    second = repository.commit({"index.html": "two"}, "the second")
    third = repository.commit({"index.html": "three"}, "the third", branch="feature/x")
    found = {
        ref: fetch(repository, cache, ref) for ref in (None, "main", "v1", "feature/x", first, second[:9], "refs/tags/v1")
    }
    assert {ref: (one.revision, read(one)) for ref, one in found.items()} == {
        None: (second, "two"),
        "main": (second, "two"),
        "v1": (first, "one"),
        "feature/x": (third, "three"),
        first: (first, "one"),
        second[:9]: (second, "two"),
        "refs/tags/v1": (first, "one"),
    }
    assert found["main"].subject == "the second"
    assert not found["main"].dirty


def test_moved_and_forced_branches_are_followed_and_the_lost_commit_stays_reachable(
    repository: Repository, cache: Path
) -> None:
    lost = repository.commit({"index.html": "lost"})
    assert read(fetch(repository, cache, "main")) == "lost"
    repository.git("checkout", "-q", "--orphan", "other")
    repository.commit({"index.html": "forced"})
    assert read(fetch(repository, cache, "main")) == "forced"
    assert read(fetch(repository, cache, lost)) == "lost"


def test_a_known_commit_needs_no_repository(repository: Repository, cache: Path) -> None:
    commit = repository.commit({"index.html": "one"})
    fetch(repository, cache)
    shutil.rmtree(repository.bare)
    assert read(fetch(repository, cache, commit)) == "one"
    with pytest.raises(NotFound, match="no repository at"):
        fetch(repository, cache, "main")


def test_a_branch_deleted_at_the_source_is_gone_here(repository: Repository, cache: Path) -> None:
    repository.commit({"index.html": "x"})
    repository.commit({"index.html": "y"}, branch="feature")
    assert read(fetch(repository, cache, "feature")) == "y"
    repository.git("push", "-q", "origin", ":feature")
    with pytest.raises(NotFound) as raised:
        fetch(repository, cache, "feature")
    assert raised.value.message == f"no branch, tag or commit feature in {repository.bare}"


def test_a_missing_ref_names_what_is_near(repository: Repository, cache: Path) -> None:
    repository.commit({"index.html": "x"}, branch="feature/checkout")
    with pytest.raises(NotFound, match="no branch, tag or commit feature/chekout in") as raised:
        fetch(repository, cache, "feature/chekout")
    assert raised.value.hint == "it has feature/checkout"


def test_a_missing_commit_and_an_empty_repository_are_not_found(repository: Repository, cache: Path) -> None:
    with pytest.raises(NotFound, match="has no default branch"):
        fetch(repository, cache)
    repository.commit({"index.html": "x"})
    with pytest.raises(NotFound, match=r"no commit 1{40} in"):
        fetch(repository, cache, "1" * 40)


def test_a_name_that_is_a_branch_and_a_tag_is_not_guessed(repository: Repository, cache: Path) -> None:
    repository.commit({"index.html": "tagged"})
    repository.git("tag", "release")
    repository.git("push", "-q", "origin", "refs/tags/release")
    repository.commit({"index.html": "branched"}, branch="release")
    with pytest.raises(Invalid, match="release is a branch and a tag"):
        fetch(repository, cache, "release")
    assert read(fetch(repository, cache, "refs/heads/release")) == "branched"


def test_a_tag_of_something_else_is_invalid(repository: Repository, cache: Path) -> None:
    repository.commit({"index.html": "x"})
    repository.git("tag", "blob", "HEAD:index.html")
    repository.git("push", "-q", "origin", "blob")
    with pytest.raises(Invalid, match=r"blob of .* is not a commit"):
        fetch(repository, cache, "blob")


def test_an_option_as_ref_runs_nothing(repository: Repository, cache: Path, tmp_path: Path) -> None:
    repository.commit({"index.html": "x"})
    with pytest.raises(Invalid, match="starts with '-'"):
        fetch(repository, cache, f"--upload-pack=touch {tmp_path}/owned")
    assert not (tmp_path / "owned").exists()


def test_files_that_git_archive_would_change_arrive_as_committed(repository: Repository, cache: Path) -> None:
    files = {
        ".gitattributes": "secret.txt export-ignore\nindex.html export-subst\n",
        "secret.txt": "s",
        "index.html": "$Format:%H$",
    }
    repository.commit({**files, "run.sh": "#!/bin/sh\n", "ünï cödé.txt": "u", "bytes": b"\x00\xff\r\n"})
    (repository.tree / "run.sh").chmod(0o755)
    (repository.tree / "link").symlink_to("/etc/passwd")
    repository.commit({})
    old = os.umask(0o077)
    try:
        found = fetch(repository, cache)
    finally:
        os.umask(old)
    assert {path.name for path in found.directory.iterdir()} == {*files, "run.sh", "ünï cödé.txt", "bytes", "link"}
    assert read(found) == "$Format:%H$"
    assert (found.directory / "bytes").read_bytes() == b"\x00\xff\r\n"
    assert (found.directory / "run.sh").stat().st_mode & 0o777 == 0o755
    assert (found.directory / "secret.txt").stat().st_mode & 0o777 == 0o644
    assert (found.directory / "link").readlink() == Path("/etc/passwd")


def test_a_changed_export_is_made_again(repository: Repository, cache: Path) -> None:
    repository.commit({"index.html": "right", "other.html": "o"})
    found = fetch(repository, cache)
    (found.directory / "index.html").write_text("")
    (found.directory / "other.html").unlink()
    again = fetch(repository, cache)
    assert (read(again), read(again, "other.html")) == ("right", "o")


def test_only_the_last_exports_are_kept(repository: Repository, cache: Path) -> None:
    commits = [repository.commit({"index.html": str(number)}) for number in range(5)]
    for number, commit in enumerate(commits):
        found = fetch(repository, cache, commit)
        os.utime(found.directory, (number, number))
    kept = {path.name for path in cache.iterdir() if len(path.name) == 40}
    assert kept == set(commits[-3:])


def test_a_subdirectory_is_inside_the_repository(repository: Repository, cache: Path) -> None:
    repository.commit({"apps/shop/compose.yaml": "name: shop", "README": "r"})
    (repository.tree / "out").symlink_to("/etc")
    repository.commit({})
    source = Source("git", str(repository.bare), subdirectory="apps/shop")
    assert read(checkout(source, cache), "compose.yaml") == "name: shop"
    with pytest.raises(NotFound, match="no directory apps/blog in"):
        checkout(Source("git", str(repository.bare), subdirectory="apps/blog"), cache)
    with pytest.raises(Invalid, match="leads outside"):
        checkout(Source("git", str(repository.bare), subdirectory="out"), cache)


def test_hooks_and_submodules_of_the_repository_do_not_run(repository: Repository, cache: Path, tmp_path: Path) -> None:
    hook = repository.bare / "hooks" / "post-checkout"
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/owned\n")
    hook.chmod(0o755)
    repository.commit(
        {".gitmodules": f'[submodule "x"]\n path = x\n url = ext::touch {tmp_path}/owned\n', "index.html": "i"}
    )
    found = fetch(repository, cache)
    assert not (tmp_path / "owned").exists()
    assert found.notes == ("its submodules are not fetched: vendor them, or build an image elsewhere",)


def test_a_directory_is_used_in_place_and_tells_what_is_uncommitted(
    repository: Repository, cache: Path, tmp_path: Path
) -> None:
    commit = repository.commit({"index.html": "x"}, "the page")
    clean = checkout(Source("directory", str(repository.tree)), cache)
    assert (clean.directory, clean.revision) == (repository.tree, "directory")
    assert (clean.commit, clean.subject, clean.dirty) == (commit, "the page", False)
    (repository.tree / "new.html").write_text("n")
    assert checkout(Source("directory", str(repository.tree)), cache).dirty
    plain = tmp_path / "plain"
    plain.mkdir()
    assert checkout(Source("directory", str(plain)), cache) == Checkout(plain, "directory")
    with pytest.raises(NotFound, match=r"plain is gone"):
        plain.rmdir()
        checkout(Source("directory", str(plain)), cache)
    assert not cache.exists()


def test_a_token_opens_a_private_repository_and_shows_nowhere(repository: Repository, cache: Path) -> None:
    repository.commit({"index.html": "private"})
    mark = token_hex(8)  # the other workers look for canaries of their own meanwhile
    token, seen = f"{mark}/t@ken:%1", set[bytes]()
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            for process in Path("/proc").glob("[0-9]*"):
                for name in ("cmdline", "environ"):
                    try:
                        seen.add((process / name).read_bytes())
                    except OSError:
                        continue

    with serve(repository.bare.parent, token=token) as server:
        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            source = Source("git", f"{server.url}/shop.git", credential="GIT_TOKEN")
            found = checkout(source, cache, token=Secret(token))
        finally:
            done.set()
            watcher.join()
        assert read(found) == "private"
        assert server.users[0] == "x-access-token"
        assert any(b"credential.helper=store" in line for line in seen), "the watcher never saw git"
        assert not any(mark.encode() in line for line in seen)
        assert subprocess.run(["grep", "-rl", mark, cache], capture_output=True).stdout == b""
        named = Source("git", f"{server.url.replace('//', '//deploy@')}/shop.git")
        assert read(checkout(named, cache, token=Secret(token))) == "private"
        assert server.users[-1] == "deploy"


def test_a_wrong_or_missing_token_says_what_to_store(repository: Repository, cache: Path) -> None:
    repository.commit({"index.html": "private"})
    with serve(repository.bare.parent, token="right") as server:
        url = f"{server.url}/shop.git"
        with pytest.raises(Invalid, match=r"did not accept the credential ACME_TOKEN") as wrong:
            checkout(Source("git", url, credential="ACME_TOKEN"), cache, token=Secret("canary-wrong"))
        with pytest.raises(Invalid, match=r"did not accept us without a credential") as missing:
            checkout(Source("git", url), cache)
    assert "vpsctl cred set ACME_TOKEN" in wrong.value.hint
    assert "vpsctl cred set GIT_TOKEN" in missing.value.hint
    assert "canary" not in repr((wrong.value, wrong.value.__cause__, wrong.value.hint))
    assert not list(cache.glob(".tmp-*"))


def test_secrets_of_the_wrong_kind_are_refused(repository: Repository, cache: Path) -> None:
    with pytest.raises(Invalid, match="a token does not open"):
        checkout(Source("git", "git@example.com:a/b.git"), cache, token=Secret("x"))
    with pytest.raises(Invalid, match="a deploy key does not open"):
        checkout(Source("git", "https://example.com/a/b.git"), cache, deploy_key=Secret("x"))


def test_a_host_that_is_not_there_is_unavailable(cache: Path) -> None:
    for url in ("http://127.0.0.1:1/shop.git", "ssh://127.0.0.1:1/shop.git", "https://nowhere.invalid/shop.git"):
        with pytest.raises(Unavailable, match="cannot reach") as raised:
            checkout(Source("git", url), cache)
        assert url in raised.value.message


def test_an_unknown_repository_over_http_is_not_found(repository: Repository, cache: Path) -> None:
    with serve(repository.bare.parent) as server, pytest.raises(NotFound, match=r"no repository at .*/blog\.git"):
        checkout(Source("git", f"{server.url}/blog.git"), cache)


def test_a_server_that_stops_half_way_meets_the_deadline(
    repository: Repository, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.commit({"index.html": "x", "big": os.urandom(200_000)})
    with serve(repository.bare.parent) as server:
        source = Source("git", f"{server.url}/shop.git")
        server.hold.clear()
        monkeypatch.setattr(checkout_module, "DEADLINE", timedelta(seconds=1))
        with pytest.raises(Unavailable, match="did not answer in 0:00:01"):
            checkout(source, cache)
        assert server.stopped_half_way.is_set()
        server.hold.set()
        monkeypatch.setattr(checkout_module, "DEADLINE", timedelta(seconds=20))
        assert read(checkout(source, cache)) == "x"


def test_killed_half_way_leaves_nothing_half_and_the_next_call_works(repository: Repository, cache: Path) -> None:
    repository.commit({"index.html": "x", "big": os.urandom(200_000)})
    program = (
        "import sys; from pathlib import Path; from vpsctl.sites.sources.checkout import checkout;"
        "from vpsctl.sites.sources.source import Source; checkout(Source('git', sys.argv[1]), Path(sys.argv[2]))"
    )
    with serve(repository.bare.parent) as server:
        source = Source("git", f"{server.url}/shop.git")
        server.hold.clear()
        with subprocess.Popen([sys.executable, "-c", program, source.location, cache]) as process:
            wait_for(server.stopped_half_way.is_set, "data of the fetch")
            process.kill()
        assert process.returncode == -signal.SIGKILL
        assert not [path for path in cache.iterdir() if len(path.name) == 40]
        # What a git killed at its worst moment leaves, once the orphan has ended and so let go of the lock.
        (cache / "mirror.git" / "packed-refs.lock").touch()
        server.hold.set()
        found = checkout(source, cache)
    assert read(found) == "x"
    assert sorted(path.name for path in cache.iterdir()) == sorted([".lock", "mirror.git", found.revision])


def test_two_at_once_wait_for_each_other(repository: Repository, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository.commit({"index.html": "x", "big": os.urandom(200_000)})
    with serve(repository.bare.parent) as server:
        source = Source("git", f"{server.url}/shop.git")
        server.hold.clear()
        found: list[Checkout] = []
        first = threading.Thread(target=lambda: found.append(checkout(source, cache)))
        first.start()
        wait_for(server.stopped_half_way.is_set, "data of the fetch")
        monkeypatch.setattr(checkout_module, "DEADLINE", timedelta(seconds=0.2))
        with pytest.raises(Conflict, match=r"a checkout of .* \(process \d+\) still holds it up"):
            checkout(source, cache)
        monkeypatch.setattr(checkout_module, "DEADLINE", timedelta(seconds=20))
        second = threading.Thread(target=lambda: found.append(checkout(source, cache)))
        second.start()
        server.hold.set()
        first.join()
        second.join()
    assert [read(one) for one in found] == ["x", "x"]


def test_a_mirror_follows_the_site_to_another_repository(repository: Repository, cache: Path, tmp_path: Path) -> None:
    repository.commit({"index.html": "old"})
    assert read(fetch(repository, cache, "main")) == "old"
    other = Repository(repository.tree, tmp_path / "served" / "other.git")
    subprocess.run(["git", "init", "-q", "-b", "main", "--bare", other.bare], check=True)
    repository.git("remote", "set-url", "origin", str(other.bare))
    other.commit({"index.html": "new"})
    assert read(fetch(other, cache, "main")) == "new"


def test_a_deploy_key_reaches_ssh_as_a_private_file_that_goes_afterwards(
    repository: Repository, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program `ssh` of this test notes what it was given and then does what sshd would: it serves the repository."""
    repository.commit({"index.html": "private"})
    fake, notes = tmp_path / "bin" / "ssh", tmp_path / "notes"
    fake.parent.mkdir()
    fake.write_text(
        f"#!{sys.executable}\nimport os, sys, pathlib, subprocess\n"
        "key = pathlib.Path(sys.argv[sys.argv.index('-i') + 1])\n"
        "said = f'{key.stat().st_mode & 0o777:o} {key.read_text()!r} {sys.argv[1:]}'\n"
        f"pathlib.Path({str(notes)!r}).write_text(said)\n"
        "sys.exit(subprocess.run(['sh', '-c', sys.argv[-1]]).returncode)\n"
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
    source = Source("git", f"git@git.example.com:{repository.bare}", credential="GIT_KEY")
    assert (
        read(checkout(source, cache, deploy_key=Secret("-----BEGIN KEY-----\r\ncanary\r\n-----END KEY-----"))) == "private"
    )
    mode, _, rest = notes.read_text().partition(" ")
    text, _, argv = rest.partition(" [")
    assert (mode, text) == ("600", repr("-----BEGIN KEY-----\ncanary\n-----END KEY-----\n"))
    for wanted in ("BatchMode=yes", "StrictHostKeyChecking=accept-new", f"UserKnownHostsFile={cache.parent}/known_hosts"):
        assert wanted in argv
    assert "canary" not in argv
    assert subprocess.run(["grep", "-rl", "canary", cache], capture_output=True).stdout == b""
