"""The vault opens what it sealed, where it sealed it, and nothing else."""

import base64
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from vpsctl.errors import Failed
from vpsctl.vault import bindings
from vpsctl.vault.key import KeyFile, key_id
from vpsctl.vault.sealed import Sealed, binding, pack, unpack
from vpsctl.vault.vault import Vault

PARTS = st.lists(st.text(max_size=8) | st.integers(), max_size=5)
NewVault = Callable[..., Vault]
NONE: Mapping[str, bytes] = {}
OLD, NEW = bytes(range(50, 82)), bytes(range(1, 33))
FIELDS = [field.name for field in fields(Sealed)]
BYTES = [name for name in FIELDS if name != "key_id"]
HERE, THERE = binding("credential_versions", 1, 1, "A", ""), binding("credential_versions", 2, 1, "A", "")


@pytest.fixture(scope="module")
def new_vault(tmp_path_factory: pytest.TempPathFactory) -> NewVault:
    """A vault over the key file that holds these 32 bytes, and over these older keys."""

    def make(key: bytes, older: Mapping[str, bytes] = NONE) -> Vault:
        path: Path = tmp_path_factory.mktemp("vault") / "master.key"
        path.write_bytes(base64.b64encode(key))
        path.chmod(0o600)
        return Vault(KeyFile(path), older.get)

    return make


@pytest.fixture(scope="module")
def vault(new_vault: NewVault) -> Vault:
    return new_vault(bytes(range(32)))


def refused(vault: Vault, sealed: Sealed, bound: bytes) -> Failed:
    with pytest.raises(Failed) as caught:
        vault.decrypt(sealed, binding=bound)
    return caught.value


@given(plaintext=st.binary(max_size=300), parts=PARTS)
def test_what_was_sealed_opens_in_its_place(vault: Vault, plaintext: bytes, parts: list[str | int]) -> None:
    bound = binding(*parts)
    assert vault.decrypt(vault.encrypt(plaintext, binding=bound), binding=bound) == plaintext


@given(mine=PARTS, other=PARTS)
def test_a_binding_tells_any_two_places_apart(mine: list[str | int], other: list[str | int]) -> None:
    same = [str(part) for part in mine] == [str(part) for part in other]
    assert (binding(*mine) == binding(*other)) == same


@given(plaintext=st.binary(max_size=50), mine=PARTS, other=PARTS)
def test_elsewhere_it_does_not_open(vault: Vault, plaintext: bytes, mine: list[str | int], other: list[str | int]) -> None:
    assume(binding(*mine) != binding(*other))
    error = refused(vault, vault.encrypt(plaintext, binding=binding(*mine)), binding(*other))
    assert error.message == "a stored value was altered or moved, and the vault refuses to open it"


@given(plaintext=st.binary(max_size=40), name=st.sampled_from(BYTES), data=st.data())
def test_any_changed_byte_is_refused(vault: Vault, plaintext: bytes, name: str, data: st.DataObject) -> None:
    sealed = vault.encrypt(plaintext, binding=HERE)
    value = bytearray(getattr(sealed, name))
    value[data.draw(st.integers(0, len(value) - 1))] ^= data.draw(st.integers(1, 255))
    refused(vault, replace(sealed, **{name: bytes(value)}), HERE)


@given(name=st.sampled_from(BYTES), data=st.data())
def test_any_cut_or_longer_field_is_refused(vault: Vault, name: str, data: st.DataObject) -> None:
    sealed = vault.encrypt(b"value", binding=HERE)
    value = getattr(sealed, name)
    changed = data.draw(
        st.sampled_from([value[: data.draw(st.integers(0, len(value) - 1))], value + b"\x00", b"\x00" + value])
    )
    refused(vault, replace(sealed, **{name: changed}), HERE)


@given(taken=st.sets(st.sampled_from(BYTES), min_size=1, max_size=len(BYTES)))
def test_fields_of_another_value_never_open(vault: Vault, taken: set[str]) -> None:
    mine, other = vault.encrypt(b"mine", binding=HERE), vault.encrypt(b"other", binding=THERE)
    refused(vault, replace(mine, **{name: getattr(other, name) for name in taken}), HERE)


@given(taken=st.sets(st.sampled_from(BYTES), min_size=1, max_size=len(BYTES) - 1))
def test_two_seals_of_one_place_do_not_mix(vault: Vault, taken: set[str]) -> None:
    first, second = vault.encrypt(b"first", binding=HERE), vault.encrypt(b"second", binding=HERE)
    refused(vault, replace(first, **{name: getattr(second, name) for name in taken}), HERE)


def test_nothing_repeats_between_two_seals_of_one_value(vault: Vault) -> None:
    first, second = (vault.encrypt(b"same", binding=HERE) for _ in range(2))
    assert all(getattr(first, name) != getattr(second, name) for name in BYTES)
    assert b"same" not in pack(first)


def test_another_master_key_is_told_by_name(vault: Vault, new_vault: NewVault) -> None:
    other = new_vault(bytes(range(1, 33)))
    error = refused(other, vault.encrypt(b"value", binding=HERE), HERE)
    assert f"was encrypted with master key {vault.key_id}" in error.message
    assert error.message.endswith(f"is {other.key_id}")
    assert vault.key_id in error.hint


def test_a_forged_key_id_does_not_help(vault: Vault, new_vault: NewVault) -> None:
    other = new_vault(bytes(range(1, 33)))
    refused(other, replace(vault.encrypt(b"value", binding=HERE), key_id=other.key_id), HERE)


@given(plaintext=st.binary(max_size=100))
def test_one_column_holds_it_all(vault: Vault, plaintext: bytes) -> None:
    sealed = vault.encrypt(plaintext, binding=HERE)
    assert unpack(pack(sealed)) == sealed


@given(data=st.data())
def test_a_changed_column_never_opens(vault: Vault, data: st.DataObject) -> None:
    packed = bytearray(pack(vault.encrypt(b"value", binding=HERE)))
    if data.draw(st.booleans()):
        packed[data.draw(st.integers(0, len(packed) - 1))] ^= data.draw(st.integers(1, 255))
    else:
        del packed[data.draw(st.integers(0, len(packed) - 1)) :]
    with pytest.raises(Failed):
        vault.decrypt(unpack(bytes(packed)), binding=HERE)


# older keys, and a key that changes while the process goes on


def sealed_key(vault: Vault, key: bytes) -> bytes:
    """As `master_keys` holds it."""
    return pack(vault.encrypt(key, binding=bindings.master_key(key_id(key))))


def test_an_older_key_opens_what_is_under_it(new_vault: NewVault) -> None:
    older: dict[str, bytes] = {}
    old, now = new_vault(OLD), new_vault(NEW, older)
    sealed = old.encrypt(b"value", binding=HERE)
    back = f"vpsctl key restore --kit FILE --key {old.key_id} --replace"
    assert refused(now, sealed, HERE).hint == f"put master key {old.key_id} back: {back}"
    older[old.key_id] = sealed_key(now, OLD)
    assert now.decrypt(sealed, binding=HERE) == b"value"
    moved = now.rewrap(sealed, binding=HERE)
    assert (moved.key_id, now.decrypt(moved, binding=HERE)) == (now.key_id, b"value")


def test_a_key_of_another_name_is_not_taken_for_an_older_one(new_vault: NewVault) -> None:
    other = bytes(range(100, 132))
    older: dict[str, bytes] = {}
    old, now = new_vault(OLD), new_vault(NEW, older)
    sealed = old.encrypt(b"value", binding=HERE)
    wrong = {
        "another key's row": sealed_key(now, other),
        "another key, bound to this name": pack(now.encrypt(other, binding=bindings.master_key(old.key_id))),
        "under itself": sealed_key(old, OLD),
        "no sealed value": b"x" * 200,
    }
    for what, row in wrong.items():
        older[old.key_id] = row
        assert refused(now, sealed, HERE), what


def test_older_keys_that_need_each_other_are_refused(new_vault: NewVault) -> None:
    first, second = new_vault(OLD), new_vault(bytes(range(100, 132)))
    ring = {
        first.key_id: pack(second.encrypt(OLD, binding=bindings.master_key(first.key_id))),
        second.key_id: pack(first.encrypt(bytes(range(100, 132)), binding=bindings.master_key(second.key_id))),
    }
    refused(new_vault(NEW, ring), first.encrypt(b"value", binding=HERE), HERE)


def test_threads_open_what_is_under_one_older_key_at_once(new_vault: NewVault) -> None:
    old = new_vault(OLD)
    sealed = old.encrypt(b"value", binding=HERE)
    both = threading.Barrier(2)

    def find(name: str) -> bytes:
        both.wait(10)  # each of the two is opening the key now
        return row

    def fresh() -> Vault:
        return Vault(new_vault(NEW).key_file, find)

    row = sealed_key(new_vault(NEW), OLD)
    now = fresh()
    with ThreadPoolExecutor(2) as pool:
        opened = [pool.submit(now.decrypt, sealed, binding=HERE) for _ in range(2)]
        assert [each.result() for each in opened] == [b"value"] * 2


def test_a_promoted_key_reaches_a_vault_that_is_open(new_vault: NewVault) -> None:
    vault = new_vault(OLD)
    old, sealed = vault.key_id, vault.encrypt(b"value", binding=HERE)
    other = KeyFile(vault.key_file.path)
    new = key_id(other.stage("file"))
    assert vault.key_id == old
    assert vault.encrypt(b"value", binding=HERE, under=new).key_id == new, "the staged one can be used at once"
    other.promote()
    assert vault.key_id == new
    assert vault.encrypt(b"value", binding=HERE).key_id == new
    assert vault.decrypt(sealed, binding=HERE) == b"value", "the one before is remembered"
