"""age files: whoever they are for opens them, nobody else does, and nothing changed opens at all."""

import pyrage  # type: ignore[import-untyped]
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from vpsctl.age import decrypt, encrypt_to, is_age
from vpsctl.errors import Failed, Invalid
from vpsctl.secret import Secret

KEY = pyrage.x25519.Identity.generate()
OTHER = pyrage.x25519.Identity.generate()
MINE = [Secret(f"# created: once\n# public key: {KEY.to_public()}\n{KEY}\n")]

ENCRYPTED = encrypt_to(b"hunter22" * 10, recipients=[str(KEY.to_public())])


def ssh_pair() -> tuple[str, Secret]:
    key = ed25519.Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    return f"{public} me@laptop", Secret(private)


@settings(max_examples=30, deadline=None)
@given(data=st.binary(max_size=200_000))
def test_what_is_encrypted_comes_back(data: bytes) -> None:
    encrypted = encrypt_to(data, recipients=[str(KEY.to_public())])
    assert is_age(encrypted)
    assert decrypt(encrypted, identities=MINE) == data


def test_each_of_several_recipients_opens_it_alone() -> None:
    public, private = ssh_pair()
    encrypted = encrypt_to(b"hunter22", recipients=[str(KEY.to_public()), f" {public}\n"])
    assert decrypt(encrypted, identities=MINE) == b"hunter22"
    assert decrypt(encrypted, identities=[Secret(str(OTHER)), private]) == b"hunter22"
    with pytest.raises(Failed, match="none of the identities opens it"):
        decrypt(encrypted, identities=[Secret(str(OTHER))])


def test_a_passphrase_opens_what_it_closed_and_nothing_else_does() -> None:
    encrypted = encrypt_to(b"data", passphrase=Secret("correct horse"))
    assert decrypt(encrypted, passphrase=Secret("correct horse")) == b"data"
    with pytest.raises(Failed, match="that is not its passphrase"):
        decrypt(encrypted, passphrase=Secret("battery staple"))
    with pytest.raises(Failed, match="none of the identities"):
        decrypt(encrypted, identities=MINE)


def test_an_armored_file_opens_too() -> None:
    assert decrypt(pyrage.encrypt(b"data", [KEY.to_public()], armored=True), identities=MINE) == b"data"


def test_keys_do_not_open_by_a_passphrase() -> None:
    with pytest.raises(Failed, match="it is not encrypted with a passphrase"):
        decrypt(encrypt_to(b"data", recipients=[str(KEY.to_public())]), passphrase=Secret("x"))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_what_was_cut_or_changed_stays_closed(data: st.DataObject) -> None:
    encrypted = ENCRYPTED
    at = data.draw(st.integers(0, len(encrypted) - 1))
    cut = data.draw(st.booleans())
    changed = encrypted[:at] if cut else encrypted[:at] + bytes([encrypted[at] ^ 1]) + encrypted[at + 1 :]
    with pytest.raises((Failed, Invalid)):
        decrypt(changed, identities=MINE)


@pytest.mark.parametrize("text", ["", "age1xx", "ssh-ed25519 AAAA", "ecdsa-sha2-nistp256 AAAAE2Vj", "me@example.com"])
def test_a_recipient_that_is_none_is_named(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        encrypt_to(b"", recipients=[str(KEY.to_public()), text])
    assert caught.value.message == f"{text!r} is not a key that can be encrypted to"


def test_a_secret_key_as_recipient_is_not_repeated() -> None:
    with pytest.raises(Invalid, match="a recipient is a secret key") as caught:
        encrypt_to(b"", recipients=[str(KEY)])
    assert str(KEY) not in f"{caught.value} {caught.value.hint} {caught.value.__cause__}"


def test_to_nobody_to_both_and_with_a_short_passphrase_is_refused() -> None:
    with pytest.raises(Invalid, match="neither a recipient nor a passphrase"):
        encrypt_to(b"")
    with pytest.raises(Invalid, match="both recipients and a passphrase"):
        encrypt_to(b"", recipients=[str(KEY.to_public())], passphrase=Secret("x"))
    for short in ("", "eleven char"):
        with pytest.raises(Invalid, match="a passphrase has at least 12 characters"):
            encrypt_to(b"", passphrase=Secret(short))


NO_KEYS = ["", "# only a comment\n", "AGE-SECRET-KEY-1HUNTER22", "-----BEGIN RSA PRIVATE KEY-----\nhunter22"]


@pytest.mark.parametrize("text", NO_KEYS)
def test_an_identity_that_is_none_is_not_repeated(text: str) -> None:
    encrypted = encrypt_to(b"", recipients=[str(KEY.to_public())])
    with pytest.raises(Invalid, match="no age or SSH private key") as caught:
        decrypt(encrypted, identities=[Secret(text)])
    assert "hunter22" not in f"{caught.value} {caught.value.__cause__}".lower()


@pytest.mark.parametrize("data", [b"", b"NAME=value", b"\x00\xff"])
def test_what_is_no_age_file_is_said_so(data: bytes) -> None:
    assert not is_age(data)
    with pytest.raises(Invalid, match="not a file that age has encrypted"):
        decrypt(data, identities=MINE)
