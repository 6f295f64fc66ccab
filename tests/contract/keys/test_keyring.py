"""A master key in a keyring: Python's own keyring in a process of its own, with backends that behave and that do not."""

import base64
import json
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.contract.keys.conftest import KEY, names, write_private
from vpsctl.errors import Failed, Unavailable, VpsctlError
from vpsctl.vault.key import KeyFile, key_id
from vpsctl.vault.providers import keyring

HERE = Path(__file__).parent
REASON = "a keyring opens with a desktop session, which a server has not"
INSTEAD = "vpsctl key restore --kit FILE, then: vpsctl key rotate --to systemd, or --to file"


@pytest.fixture(autouse=True)
def entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a FileKeyring keeps; there is no desktop session."""
    for name in ("DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "DISPLAY", "PYTHON_KEYRING_BACKEND"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("FILE_KEYRING", str(tmp_path / "entries.json"))
    return tmp_path / "entries.json"


def choose(tmp_path: Path, backend: str) -> None:
    """Through the keyring's own settings file."""
    directory = tmp_path / "config" / "python_keyring"
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "keyringrc.cfg").write_text(f"[backend]\ndefault-keyring=file_keyring.{backend}\nkeyring-path={HERE}\n")


def document(path: Path, key: bytes = KEY) -> None:
    text = json.dumps({"provider": "keyring", "service": "vpsctl", "username": "mine", "key_id": key_id(key)})
    write_private(path, text.encode())


def refused(keys: KeyFile, kind: type[VpsctlError]) -> VpsctlError:
    """Of staging, which leaves nothing."""
    with pytest.raises(kind) as caught:
        keys.stage("keyring")
    assert names(keys.path.parent) == ["master.key"]
    return caught.value


def test_a_keyring_keeps_the_key_and_gives_it_back(path: Path, tmp_path: Path, entries: Path) -> None:
    choose(tmp_path, "FileKeyring")
    keys = KeyFile(path)
    new = keys.stage("keyring")
    name = f"vpsctl-master-key-{key_id(new)}"
    assert json.loads(keys.next_path.read_text()) == {
        "provider": "keyring", "service": "vpsctl", "username": name, "key_id": key_id(new),
    }  # fmt: skip
    assert json.loads(entries.read_text()) == {f"vpsctl/{name}": base64.b64encode(new).decode()}
    keys.promote()
    assert (keys.provider(), KeyFile(path).read()) == ("keyring", new)
    again = keys.stage("keyring")
    assert (keys.read(), keys.staged()) == (new, again)
    keys.discard()
    assert list(json.loads(entries.read_text())) == [f"vpsctl/{name}"]
    keys.forget(key_id(new))
    keys.forget(key_id(new))
    assert json.loads(entries.read_text()) == {}
    with pytest.raises(Unavailable) as caught:
        keys.read()
    assert (caught.value.message, caught.value.hint) == (f"the keyring has no entry vpsctl/{name}", INSTEAD)


@pytest.mark.parametrize("backend", ["fail", "null"])
def test_a_server_has_no_keyring(path: Path, monkeypatch: pytest.MonkeyPatch, backend: str) -> None:
    if backend == "null":
        monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    why = f"Python's keyring finds none (keyring.backends.{backend}.Keyring); {REASON}"
    assert KeyFile(path).unavailable("keyring") == why
    assert refused(KeyFile(path), Unavailable).message == f"provider keyring does not work here: {why}"
    document(path)
    with pytest.raises(Unavailable) as caught:
        KeyFile(path).read()
    assert caught.value.message == f"the master key is in a keyring, and none can be used here: {why}"
    assert caught.value.hint == INSTEAD


def test_a_file_that_protects_nothing_is_no_keyring(path: Path, tmp_path: Path, entries: Path) -> None:
    choose(tmp_path, "PlaintextKeyring")
    error = refused(KeyFile(path), Unavailable)
    why = f"file_keyring.PlaintextKeyring keeps what it is given in a file that it does not protect; {REASON}"
    assert error.message == f"provider keyring does not work here: {why}"
    assert not entries.exists()


def test_a_keyring_that_refuses_or_forgets(path: Path, tmp_path: Path) -> None:
    choose(tmp_path, "LockedKeyring")
    error = refused(KeyFile(path), Unavailable)
    assert error.message == "the keyring refuses: PasswordSetError: the collection is locked"
    choose(tmp_path, "ForgetfulKeyring")
    assert refused(KeyFile(path), Failed).message == "the keyring did not keep the master key"


def test_another_key_in_the_keyring_is_told_by_name(path: Path, tmp_path: Path, entries: Path) -> None:
    choose(tmp_path, "FileKeyring")
    document(path)
    entries.write_text(json.dumps({"vpsctl/mine": base64.b64encode(KEY[::-1]).decode()}))
    with pytest.raises(VpsctlError) as caught:
        KeyFile(path).read()
    assert caught.value.message == (
        f"keyring entry vpsctl/mine holds master key {key_id(KEY[::-1])}, and {path} names {key_id(KEY)}"
    )


def test_a_keyring_that_waits_for_a_click_is_cut_off(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    choose(tmp_path, "PromptingKeyring")
    document(path)
    monkeypatch.setattr(keyring, "DEADLINE", 2.0)
    with pytest.raises(Unavailable, match="^the keyring did not answer within 2 s$"):
        KeyFile(path).read()


def test_a_backend_that_prints_is_not_an_answer(path: Path, tmp_path: Path) -> None:
    choose(tmp_path, "LoudKeyring")
    document(path)
    with pytest.raises(Unavailable, match="^the keyring has no entry vpsctl/mine$"):
        KeyFile(path).read()


@pytest.fixture
def silent_bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A D-Bus that takes connections and never says a word."""
    with closing(socket.socket(socket.AF_UNIX)) as listening:
        listening.bind(str(tmp_path / "bus"))
        listening.listen()
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path / 'bus'}")
        yield


@pytest.mark.usefixtures("silent_bus")
def test_a_bus_that_says_nothing_is_no_keyring(path: Path) -> None:
    begun = time.monotonic()
    assert "Python's keyring finds none" in refused(KeyFile(path), Unavailable).message
    assert time.monotonic() - begun < keyring.DEADLINE
