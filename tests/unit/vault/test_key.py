"""The master key's file: made once, readable by its owner alone, refused in any other shape."""

import base64
import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.waiting import wait_for
from vpsctl.errors import Conflict, Invalid, NotFound
from vpsctl.vault.key import KeyFile, create_key, derive, key_id
from vpsctl.vault.providers.document import FIELDS, Document, read_document, write_document

KEY = bytes(range(32))
OTHER = bytes(range(32, 64))
ID = "0123456789abcdef"
SYSTEMD = {"provider": "systemd", "credential": "vpsctl-master-key", "key_id": ID}
PASSPHRASE = {
    "provider": "passphrase",
    "salt": "QUJDREVGR0hJSktMTU5PUA==",
    "memory_kib": 64,
    "iterations": 1,
    "lanes": 1,
    "key_id": ID,
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "master.key"


def write(path: Path, data: bytes, mode: int = 0o600) -> None:
    path.write_bytes(data)
    path.chmod(mode)


def read(path: Path) -> bytes:
    return KeyFile(path).read()


def names(directory: Path) -> list[str]:
    return sorted(item.name for item in directory.iterdir())


def test_a_new_key_is_random_private_and_never_overwritten(path: Path, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        assert create_key(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    first = read(path)
    assert not create_key(path)
    assert read(path) == first
    assert create_key(tmp_path / "other.key")
    assert read(tmp_path / "other.key") != first
    assert names(tmp_path) == ["master.key", "other.key"]


def test_processes_that_make_it_at_once_agree_on_one_key(path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: (create_key(path), read(path)), range(24)))
    assert [won for won, _ in made].count(True) == 1
    assert len({key for _, key in made}) == 1


@pytest.mark.parametrize("data", [KEY, base64.b64encode(KEY), base64.b64encode(KEY) + b"\n", b"{" + KEY[1:]])
def test_raw_and_base64_are_the_same_key(path: Path, data: bytes) -> None:
    write(path, data)
    assert read(path) == (data if len(data) == 32 else KEY)
    assert KeyFile(path).provider() == "file"
    assert KeyFile(path).kept().key_id == key_id(read(path))


def test_a_missing_key_is_named_with_the_ways_back(path: Path) -> None:
    for ask in (read, lambda path: KeyFile(path).provider()):
        with pytest.raises(NotFound) as caught:
            ask(path)
        assert caught.value.message == f"there is no master key at {path}"
        assert caught.value.hint == "put it back, or: vpsctl key restore --kit FILE; on a new machine: vpsctl init"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o601])
@pytest.mark.parametrize("data", [KEY, json.dumps(SYSTEMD).encode()])
def test_a_key_that_others_may_read_is_refused(path: Path, mode: int, data: bytes) -> None:
    write(path, data, mode)
    with pytest.raises(Invalid) as caught:
        read(path)
    assert caught.value.message == f"the master key at {path} can be read by others (mode {mode:04o})"
    assert caught.value.hint == f"chmod 600 {path}"


@pytest.mark.parametrize(
    "data", [b"", KEY[:31], KEY + b"x", base64.b64encode(KEY[:16]), base64.b64encode(KEY)[:-1], b"not base64 at all!"]
)
def test_a_key_of_another_length_is_refused(path: Path, data: bytes) -> None:
    write(path, data)
    with pytest.raises(Invalid) as caught:
        read(path)
    assert caught.value.message == f"the master key at {path} is not 32 bytes, raw or in base64"
    assert caught.value.hint == "put the right key file back, or: vpsctl key restore --kit FILE --replace"


@pytest.mark.parametrize("data", [b"\x00" * 32, b"changemechangemechangemechangeme", base64.b64encode(b"ab" * 16)])
def test_a_key_that_is_not_random_is_refused(path: Path, data: bytes) -> None:
    write(path, data)
    with pytest.raises(Invalid) as caught:
        read(path)
    assert caught.value.message == f"the master key at {path} is not random"
    assert "vpsctl key restore --kit FILE --replace" in caught.value.hint


def test_only_a_regular_file_is_a_key(path: Path, tmp_path: Path) -> None:
    path.mkdir(mode=0o700)
    pipe, link, real = tmp_path / "pipe", tmp_path / "link", tmp_path / "real"
    os.mkfifo(pipe, 0o600)
    write(real, KEY)
    link.symlink_to(real)
    wrong = {
        path: "cannot be read: Is a directory",
        pipe: "is not a regular file",
        link: "cannot be read: Too many levels of symbolic links",
    }
    for place, why in wrong.items():
        with pytest.raises(Invalid) as caught:
            read(place)
        assert caught.value.message == f"the master key at {place} {why}"
        assert caught.value.hint == f"ls -l {place}"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_another_users_key_is_refused(path: Path) -> None:
    write(path, KEY)
    os.chown(path, 12345, 12345)
    with pytest.raises(Invalid) as caught:
        read(path)
    assert caught.value.message == f"the master key at {path} belongs to user 12345"
    assert caught.value.hint == f"chown root {path}"


# the document of a key that is kept elsewhere


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ("{", "it is no JSON"),
        ('{"a": ' * 100_000, "it is no JSON"),
        ("{}", "its provider must be one of systemd, passphrase, keyring"),
        ('{"provider": ["systemd"]}', "its provider must be one of systemd, passphrase, keyring"),
        (json.dumps({**SYSTEMD, "provider": "file"}), "its provider must be one of systemd, passphrase, keyring"),
        (json.dumps({**SYSTEMD, "key_id": ID[:-1]}), "its key_id must be 16 hex digits"),
        (json.dumps({**SYSTEMD, "key_id": 7}), "its key_id must be 16 hex digits"),
        (json.dumps({**SYSTEMD, "credential": 7}), "for systemd it must hold credential (text)"),
        (json.dumps({**SYSTEMD, "salt": "x"}), "for systemd it must hold credential (text)"),
        (
            json.dumps({**PASSPHRASE, "lanes": True}),
            "for passphrase it must hold salt (text), memory_kib (a number), iterations (a number), lanes (a number)",
        ),
    ],
)
def test_a_damaged_document_is_refused(path: Path, document: str, why: str) -> None:
    write(path, document.encode())
    with pytest.raises(Invalid) as caught:
        read(path)
    assert caught.value.message == f"the document of the master key at {path} is damaged: {why}"
    assert caught.value.hint == "put the right key file back, or: vpsctl key restore --kit FILE --replace"


@given(
    provider=st.sampled_from(sorted(FIELDS)),
    name=st.text(max_size=30),
    number=st.integers(),
    kid=st.from_regex(r"[0-9a-f]{16}", fullmatch=True),
)
def test_a_document_is_read_as_it_was_written(provider: str, name: str, number: int, kid: str) -> None:
    fields: dict[str, str | int] = {key: name if kind is str else number for key, kind in FIELDS[provider].items()}
    document = Document(provider, kid, fields)
    assert read_document(write_document(document), Path("here")) == document


@given(data=st.binary(max_size=200).filter(lambda data: len(data) != 31))  # with the brace: a raw key
@example(data=b"{" * 100_000)
def test_whatever_a_file_holds_it_is_a_key_or_a_sentence(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("any") / "master.key"
    write(path, b"{" + data)
    with pytest.raises(Invalid):
        assert len(read(path)) != 32


# the next key


def test_a_staged_key_takes_the_place_of_the_old_one_in_one_step(path: Path, tmp_path: Path) -> None:
    write(path, KEY)
    keys = KeyFile(path)
    assert keys.staged() is None
    assert keys.kept_next() is None
    before = keys.stamp()
    new = keys.stage("file")
    assert (keys.read(), keys.staged(), keys.stamp()) == (KEY, new, before)
    assert stat.S_IMODE(keys.next_path.stat().st_mode) == 0o600
    assert KeyFile(path).staged() == new, "another process sees it"
    keys.promote()
    assert (keys.read(), keys.staged()) == (new, None)
    assert keys.stamp() != before
    assert names(tmp_path) == ["master.key"]
    keys.promote()  # as after a kill: there is nothing to do
    assert keys.read() == new


def test_a_second_key_is_not_staged_over_the_first(path: Path, tmp_path: Path) -> None:
    write(path, KEY)
    keys = KeyFile(path)
    new = keys.stage("file")
    with pytest.raises(Conflict) as caught:
        KeyFile(path).stage("file")
    assert caught.value.message == f"a next master key is staged already at {keys.next_path}"
    assert caught.value.hint == "vpsctl key rotate resumes it"
    assert keys.staged() == new
    keys.discard()
    keys.discard()
    assert (keys.staged(), keys.read(), names(tmp_path)) == (None, KEY, ["master.key"])


def test_a_staged_key_that_is_none_says_where(path: Path) -> None:
    write(path, KEY)
    keys = KeyFile(path)
    write(keys.next_path, b"short")
    with pytest.raises(Invalid, match=r"^the master key at .*master\.key\.next is not 32 bytes, raw or in base64$"):
        keys.staged()
    assert keys.read() == KEY


def test_an_unknown_provider_is_refused_and_nothing_is_written(path: Path, tmp_path: Path) -> None:
    write(path, KEY)
    with pytest.raises(Invalid) as caught:
        KeyFile(path).stage("vault")
    assert caught.value.message == "there is no key provider 'vault'"
    assert caught.value.hint == "vpsctl key providers lists them"
    assert names(tmp_path) == ["master.key"]


def test_a_file_that_changed_has_another_stamp(path: Path, tmp_path: Path) -> None:
    keys = KeyFile(path)
    assert keys.stamp() is None
    write(path, KEY)
    first = keys.stamp()
    assert first == keys.stamp()
    write(tmp_path / "other", OTHER)
    (tmp_path / "other").rename(path)
    assert keys.stamp() != first
    assert keys.read() == OTHER


def test_the_same_inode_and_mtime_do_not_hide_another_key_or_mode(path: Path) -> None:
    keys = KeyFile(path)
    write(path, KEY)
    first, before = keys.stamp(), path.stat()

    def another() -> bool:
        path.write_bytes(path.read_bytes().swapcase())
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
        return keys.stamp() != first

    def readable_by_others() -> bool:
        path.chmod(0o644)
        return keys.stamp() != second

    wait_for(another, "another stamp", 5)  # the kernel's clock for files goes in steps of some milliseconds
    second = keys.stamp()
    wait_for(readable_by_others, "another stamp", 5)


# what follows from a key


def test_each_purpose_has_a_key_of_its_own() -> None:
    assert derive(KEY, "wrap") == derive(KEY, "wrap")
    assert len({derive(KEY, "wrap"), derive(KEY, "fingerprint"), derive(KEY[::-1], "wrap"), KEY}) == 4


def test_the_id_of_a_key_stays_what_it_was() -> None:
    assert key_id(KEY) == "38c38431f3656d57"
    assert key_id(KEY) != key_id(OTHER)
