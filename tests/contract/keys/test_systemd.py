"""A master key as a systemd credential: encrypted by the real systemd-creds, with a machine key of the test's own."""

import base64
import json
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contract.keys.conftest import KEY, names, write_private
from vpsctl.errors import Failed, Invalid, Unavailable, VpsctlError
from vpsctl.vault.key import KeyFile, key_id
from vpsctl.vault.providers import systemd

NAME = "vpsctl-master-key"
encrypts = pytest.mark.skipif(
    shutil.which("systemd-creds") is None or os.geteuid() != 0, reason="needs systemd-creds, which encrypts for root only"
)


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """systemd's directory of encrypted credentials; not there yet."""
    store = tmp_path / "credstore.encrypted"
    monkeypatch.setattr(systemd, "STORE", store)
    monkeypatch.setenv("SYSTEMD_CREDENTIAL_SECRET", str(tmp_path / "machine.secret"))
    return store


@pytest.fixture
def credentials(tmp_path: Path) -> Path:
    """What systemd makes for a unit."""
    directory = tmp_path / "credentials"
    directory.mkdir(mode=0o700)
    return directory


def document(path: Path, name: str = NAME, key: bytes = KEY) -> None:
    write_private(path, json.dumps({"provider": "systemd", "credential": name, "key_id": key_id(key)}).encode())


def refusal(keys: KeyFile) -> VpsctlError:
    with pytest.raises(VpsctlError) as caught:
        keys.read()
    return caught.value


@pytest.mark.parametrize("content", [KEY, base64.b64encode(KEY) + b"\n"])
@pytest.mark.parametrize("mode", [0o400, 0o440])  # the second as an ACL for User= makes it look
def test_a_unit_reads_what_systemd_gave_it(path: Path, credentials: Path, content: bytes, mode: int) -> None:
    document(path)
    (credentials / NAME).write_bytes(content)
    (credentials / NAME).chmod(mode)
    keys = KeyFile(path, credentials=credentials)
    assert (keys.provider(), keys.read()) == ("systemd", KEY)
    assert keys.kept().place == f"systemd credential {NAME}"


def test_a_credential_that_everybody_may_read_is_refused(path: Path, credentials: Path) -> None:
    document(path)
    (credentials / NAME).write_bytes(KEY)
    (credentials / NAME).chmod(0o444)
    error = refusal(KeyFile(path, credentials=credentials))
    assert isinstance(error, Invalid)
    assert error.message == f"the systemd credential {NAME} at {credentials / NAME} can be read by others (mode 0444)"


def test_a_unit_that_was_given_none(path: Path, credentials: Path, store: Path) -> None:
    document(path)
    error = refusal(KeyFile(path, credentials=credentials))
    assert isinstance(error, Unavailable)
    assert error.message == f"systemd gave this unit no credential {NAME}"
    assert error.hint == f"add LoadCredentialEncrypted={NAME}:{store}/{NAME} to the unit"


def test_a_command_that_does_not_run_under_systemd(path: Path, store: Path) -> None:
    document(path)
    error = refusal(KeyFile(path))
    assert isinstance(error, Unavailable)
    assert error.message == f"the master key is systemd credential {NAME}, and this command does not run under systemd"
    assert error.hint == f"systemd-run --pty --wait -p LoadCredentialEncrypted={NAME}:{store}/{NAME} vpsctl …"


def test_another_key_in_the_credential_is_told_by_name(path: Path, credentials: Path) -> None:
    document(path)
    other = KEY[::-1]
    write_private(credentials / NAME, other)
    error = refusal(KeyFile(path, credentials=credentials))
    assert isinstance(error, Invalid)
    assert error.message == f"systemd credential {NAME} holds master key {key_id(other)}, and {path} names {key_id(KEY)}"
    assert error.hint == f"put {path} or the key back as they were"


@pytest.mark.parametrize(("content", "why"), [(b"short", "is not 32 bytes, raw or in base64"), (b"a" * 32, "is not random")])
def test_a_credential_that_is_no_key(path: Path, credentials: Path, content: bytes, why: str) -> None:
    document(path)
    write_private(credentials / NAME, content)
    error = refusal(KeyFile(path, credentials=credentials))
    assert error.message == f"the master key in systemd credential {NAME} {why}"


@pytest.mark.parametrize("name", ["../../etc/shadow", "", "a/b", "-x", "a" * 200])
def test_a_name_that_leads_elsewhere_is_refused(path: Path, credentials: Path, name: str) -> None:
    document(path, name)
    for keys in (KeyFile(path), KeyFile(path, credentials=credentials)):
        assert refusal(keys).message == f"{name!r} is no name of a systemd credential"


@encrypts
def test_a_new_key_is_encrypted_and_opens_again_for_root(path: Path, store: Path, credentials: Path) -> None:
    keys = KeyFile(path)
    new = keys.stage("systemd")
    name = f"{NAME}-{key_id(new)}"
    assert json.loads(keys.next_path.read_text()) == {"provider": "systemd", "credential": name, "key_id": key_id(new)}
    assert names(store) == [name]
    assert [stat.S_IMODE(place.stat().st_mode) for place in (store, store / name)] == [0o700, 0o600]
    for form in (new, base64.b64encode(new), new.hex().encode()):
        for file in (keys.next_path, store / name):
            assert form not in file.read_bytes().replace(b"\n", b"")
    keys.promote()
    assert KeyFile(path).read() == new
    assert KeyFile(path, credentials=credentials).read() == new, "a unit from before the rotation, which has another one"
    again = keys.stage("systemd")
    assert (keys.read(), keys.staged()) == (new, again), "both at once"
    keys.discard()
    assert (names(store), names(path.parent)) == ([name], ["master.key"])
    keys.forget(key_id(new))
    keys.forget(key_id(new))
    assert names(store) == []


@encrypts
def test_a_credential_of_another_machine_does_not_open(path: Path, tmp_path: Path) -> None:
    keys = KeyFile(path)
    keys.stage("systemd")
    keys.promote()
    (tmp_path / "machine.secret").unlink()
    error = refusal(keys)
    assert isinstance(error, Failed)
    assert error.message.startswith(f"systemd-creds could not decrypt {systemd.STORE / keys.kept().place.split()[-1]}: ")
    assert error.hint == "was it made on another machine? vpsctl key restore --kit FILE"


@encrypts
def test_when_the_next_key_cannot_be_written_nothing_of_it_stays(tmp_path: Path, store: Path) -> None:
    with pytest.raises(FileNotFoundError):
        KeyFile(tmp_path / "nowhere" / "master.key").stage("systemd")
    assert names(store) == []


def test_without_the_program_nothing_is_staged(path: Path, store: Path, program: Callable[[str, str], None]) -> None:
    with pytest.raises(Unavailable) as caught:
        KeyFile(path).stage("systemd")
    why = "there is no systemd-creds (systemd 250 or later)"
    assert caught.value.message == f"provider systemd does not work here: {why}"
    assert caught.value.hint == "vpsctl key providers"
    assert (names(path.parent), names(store)) == (["master.key"], [])


@pytest.mark.parametrize(
    ("script", "kind", "message"),
    [
        ("echo no TPM >&2; echo really none >&2; exit 3", Failed, "systemd-creds could not encrypt {}: really none"),
        ("exec /bin/cat", Failed, "systemd credential {} does not open again"),
        ("exec /bin/sleep 30", Unavailable, "systemd-creds did not encrypt {} within 0 s"),
    ],
)
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may encrypt")
def test_when_systemd_does_not_encrypt_nothing_is_staged(
    path: Path,
    store: Path,
    program: Callable[[str, str], None],
    monkeypatch: pytest.MonkeyPatch,
    script: str,
    kind: type[VpsctlError],
    message: str,
) -> None:
    if "cat" in script:
        script = '[ "$1" = encrypt ] && exec /bin/cat || echo other'
    program("systemd-creds", f"#!/bin/sh\n{script}\n")
    monkeypatch.setattr(systemd, "DEADLINE", 0.3 if "sleep" in script else 20)
    with pytest.raises(kind) as caught:
        KeyFile(path).stage("systemd")
    start, end = message.split("{}")
    assert caught.value.message.startswith(f"{start}{NAME}-")
    assert caught.value.message.endswith(end)
    assert (names(path.parent), names(store)) == (["master.key"], [])
