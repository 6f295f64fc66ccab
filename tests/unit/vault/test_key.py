"""The master key's file: made once, readable by its owner alone, refused in any other shape."""

import base64
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from vpsctl.errors import Invalid, NotFound
from vpsctl.vault.key import create_key, derive, read_key

KEY = bytes(range(32))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "master.key"


def write(path: Path, data: bytes, mode: int = 0o600) -> None:
    path.write_bytes(data)
    path.chmod(mode)


def test_a_new_key_is_random_private_and_never_overwritten(path: Path, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        assert create_key(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    first = read_key(path)
    assert not create_key(path)
    assert read_key(path) == first
    assert create_key(tmp_path / "other.key")
    assert read_key(tmp_path / "other.key") != first
    assert sorted(item.name for item in tmp_path.iterdir()) == ["master.key", "other.key"]


def test_processes_that_make_it_at_once_agree_on_one_key(path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: (create_key(path), read_key(path)), range(24)))
    assert [won for won, _ in made].count(True) == 1
    assert len({key for _, key in made}) == 1


@pytest.mark.parametrize("data", [KEY, base64.b64encode(KEY), base64.b64encode(KEY) + b"\n"])
def test_raw_and_base64_are_the_same_key(path: Path, data: bytes) -> None:
    write(path, data)
    assert read_key(path) == KEY


def test_a_missing_key_is_named_with_what_to_do(path: Path) -> None:
    with pytest.raises(NotFound) as caught:
        read_key(path)
    assert caught.value.message == f"there is no master key at {path}"
    assert "vpsctl init" in caught.value.hint


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o601])
def test_a_key_that_others_may_read_is_refused(path: Path, mode: int) -> None:
    write(path, KEY, mode)
    with pytest.raises(Invalid) as caught:
        read_key(path)
    assert caught.value.message == f"the master key at {path} can be read by others (mode {mode:04o})"
    assert caught.value.hint == f"chmod 600 {path}"


@pytest.mark.parametrize(
    "data", [b"", KEY[:31], KEY + b"x", base64.b64encode(KEY[:16]), base64.b64encode(KEY)[:-1], b"not base64 at all!"]
)
def test_a_key_of_another_length_is_refused(path: Path, data: bytes) -> None:
    write(path, data)
    with pytest.raises(Invalid, match=r"is not 32 bytes, raw or in base64$"):
        read_key(path)


@pytest.mark.parametrize("data", [b"\x00" * 32, b"changemechangemechangemechangeme", base64.b64encode(b"ab" * 16)])
def test_a_key_that_is_not_random_is_refused(path: Path, data: bytes) -> None:
    write(path, data)
    with pytest.raises(Invalid, match=r"is not random$"):
        read_key(path)


def test_only_a_regular_file_is_a_key(path: Path, tmp_path: Path) -> None:
    path.mkdir(mode=0o700)
    with pytest.raises(Invalid, match=r"cannot be read: Is a directory$"):
        read_key(path)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    with pytest.raises(Invalid, match=r"is not a regular file$"):
        read_key(pipe)
    write(tmp_path / "real", KEY)
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "real")
    with pytest.raises(Invalid, match="cannot be read"):
        read_key(link)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_another_users_key_is_refused(path: Path) -> None:
    write(path, KEY)
    os.chown(path, 12345, 12345)
    with pytest.raises(Invalid) as caught:
        read_key(path)
    assert caught.value.message == f"the master key at {path} belongs to user 12345"


def test_each_purpose_has_a_key_of_its_own() -> None:
    assert derive(KEY, "wrap") == derive(KEY, "wrap")
    assert len({derive(KEY, "wrap"), derive(KEY, "fingerprint"), derive(KEY[::-1], "wrap"), KEY}) == 4
