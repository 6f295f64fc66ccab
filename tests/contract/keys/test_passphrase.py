"""A master key out of a passphrase: argon2id, and a person who may not be there."""

import base64
import json
import unicodedata
from pathlib import Path

import pytest

from tests.contract.keys.conftest import KEY, Person, names, write_private
from vpsctl.errors import Invalid, Unavailable
from vpsctl.vault.key import KeyFile, key_id

WORDS = "Ünpaired seven lanterns"


def staged(path: Path) -> bytes:
    """The key, which is promoted."""
    person = Person(WORDS, WORDS)
    keys = KeyFile(path, ask=person)
    new = keys.stage("passphrase")
    assert person.asked == ["New passphrase of the master key: ", "The same once more: "]
    assert keys.staged() == new
    keys.promote()
    assert keys.read() == new
    assert len(person.asked) == 2, "who has just typed it is not asked again"
    return new


def test_the_passphrase_gives_the_key_again(path: Path) -> None:
    new = staged(path)
    person = Person(unicodedata.normalize("NFD", WORDS))
    keys = KeyFile(path, ask=person)
    assert (keys.provider(), keys.read(), keys.read()) == ("passphrase", new, new)
    assert person.asked == [f"Passphrase of master key {key_id(new)}: "]
    document = json.loads(path.read_text())
    assert len(base64.b64decode(document.pop("salt"))) == 16
    assert document == {
        "provider": "passphrase", "memory_kib": 65536, "iterations": 3, "lanes": 4, "key_id": key_id(new),
    }  # fmt: skip
    for form in (new, base64.b64encode(new), new.hex().encode(), WORDS.encode()):
        assert form not in path.read_bytes()


def test_two_keys_from_one_passphrase_differ(path: Path) -> None:
    keys = KeyFile(path, ask=Person(WORDS, WORDS, WORDS, WORDS))
    first = keys.stage("passphrase")
    keys.promote()
    assert keys.stage("passphrase") != first


def test_another_passphrase_is_refused(path: Path) -> None:
    staged(path)
    person = Person(WORDS + " ", WORDS)
    keys = KeyFile(path, ask=person)
    with pytest.raises(Invalid) as caught:
        keys.read()
    assert caught.value.message == "that is not the passphrase of the master key"
    assert caught.value.hint == "try again, or: vpsctl key restore --kit FILE --replace"
    assert len(keys.read()) == 32, "a wrong one is not remembered"


@pytest.mark.parametrize("change", [{"memory_kib": 65535}, {"iterations": 2}, {"lanes": 1}, {"salt": "QUJD" * 8}])
def test_other_parameters_give_no_key(path: Path, change: dict[str, str | int]) -> None:
    staged(path)
    write_private(path, json.dumps({**json.loads(path.read_text()), **change}).encode())
    with pytest.raises(Invalid, match="^that is not the passphrase of the master key$"):
        KeyFile(path, ask=Person(WORDS)).read()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"memory_kib": 7}, "the parameters of the master key's passphrase are out of range"),
        ({"memory_kib": 10**9}, "the parameters of the master key's passphrase are out of range"),
        ({"iterations": 0}, "the parameters of the master key's passphrase are out of range"),
        ({"lanes": -1}, "the parameters of the master key's passphrase are out of range"),
        ({"salt": "ü"}, "the salt of the master key's passphrase is not base64 of 16 to 64 bytes"),
        ({"salt": "QUJD"}, "the salt of the master key's passphrase is not base64 of 16 to 64 bytes"),
    ],
)
def test_absurd_parameters_are_refused_before_anybody_types(path: Path, change: dict[str, str | int], why: str) -> None:
    document: dict[str, str | int] = {
        "provider": "passphrase", "salt": "QUJD" * 8, "memory_kib": 64, "iterations": 1, "lanes": 1, "key_id": key_id(KEY),
    }  # fmt: skip
    write_private(path, json.dumps({**document, **change}).encode())
    with pytest.raises(Invalid) as caught:
        KeyFile(path, ask=Person()).read()
    assert caught.value.message == why


def test_where_nobody_can_be_asked(path: Path) -> None:
    staged(path)
    with pytest.raises(Unavailable) as caught:
        KeyFile(path).read()
    assert caught.value.message == "the master key comes from a passphrase, and nobody can be asked for it here"
    assert caught.value.hint == "run it on a terminal; for cron and services: vpsctl key rotate --to file"
    with pytest.raises(Unavailable) as caught:
        KeyFile(path).stage("passphrase")
    assert caught.value.message == (
        "provider passphrase does not work here: nobody can be asked for one here, run it on a terminal"
    )
    assert names(path.parent) == ["master.key"]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (("elevenchars", "elevenchars"), "a passphrase has at least 12 characters"),
        ((WORDS, WORDS.lower()), "the two passphrases differ"),
    ],
)
def test_a_passphrase_that_is_none_stages_nothing(path: Path, texts: tuple[str, str], message: str) -> None:
    keys = KeyFile(path, ask=Person(*texts))
    with pytest.raises(Invalid) as caught:
        keys.stage("passphrase")
    assert caught.value.message == message
    assert names(path.parent) == ["master.key"]
    assert keys.read() == KEY
