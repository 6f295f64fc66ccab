"""Files that the `age` program opens: encrypted to public keys, or with a passphrase."""

from collections.abc import Sequence
from typing import Any

import pyrage  # type: ignore[import-untyped]

from vpsctl.errors import Failed, Invalid
from vpsctl.secret import Secret

HEADERS = (b"age-encryption.org/v1\n", b"-----BEGIN AGE ENCRYPTED FILE-----")
SHORTEST = 12
"""Characters of a passphrase: whoever finds the file can try as many as they like."""
_RECIPIENT = "give a key as age-keygen prints it (age1…), or an ssh-ed25519 or ssh-rsa public key"
_IDENTITY = "give a file with AGE-SECRET-KEY-1… as age-keygen writes it, or an SSH private key without a passphrase"
_DAMAGED = "take another copy of it"


def is_age(data: bytes) -> bool:
    """Whether `data` begins as an age file does, binary or armored."""
    return data.lstrip()[:64].startswith(HEADERS)


def encrypt_to(data: bytes, *, recipients: Sequence[str] = (), passphrase: Secret | None = None) -> bytes:
    """A binary age file of `data`, for the holders of any of the keys, or of the passphrase: one of the two.

    Recipients are X25519 keys (age1…) and SSH public keys. Raises Invalid naming the recipient that is none, for a
    short passphrase, and when nobody or both ways are given: the format does not let a passphrase stand beside keys.
    """
    if bool(recipients) == (passphrase is not None):
        problem = "both recipients and a passphrase" if recipients else "neither a recipient nor a passphrase"
        raise Invalid(f"cannot encrypt with {problem}", hint="give --recipient KEY, or --passphrase")
    if passphrase is not None:
        if len(passphrase.reveal()) < SHORTEST:
            raise Invalid(f"a passphrase has at least {SHORTEST} characters", hint="take five words that nobody would guess")
        return bytes(pyrage.passphrase.encrypt(data, passphrase.reveal()))
    return bytes(pyrage.encrypt(data, [_recipient(text.strip()) for text in recipients]))


def decrypt(data: bytes, *, identities: Sequence[Secret] = (), passphrase: Secret | None = None) -> bytes:
    """What `encrypt_to`, or the `age` program, encrypted; binary or armored.

    Each of `identities` is the text of an identity file: AGE-SECRET-KEY-1… lines and comments, or one SSH private key.
    Raises Invalid for an identity that is none and for what is no age file; Failed when none of them opens it, or when
    it was cut or changed.
    """
    if not is_age(data):
        raise Invalid("this is not a file that age has encrypted", hint="file FILE tells what it is")
    try:
        if passphrase is not None:
            return bytes(pyrage.passphrase.decrypt(data, passphrase.reveal()))
        return bytes(pyrage.decrypt(data, [key for text in identities for key in _identities(text)]))
    except pyrage.DecryptError as error:
        raise _unopened(str(error), with_passphrase=passphrase is not None) from error


def _recipient(text: str) -> Any:
    try:
        return (pyrage.ssh if text.startswith("ssh-") else pyrage.x25519).Recipient.from_str(text)
    except pyrage.RecipientError as error:
        if text.upper().startswith("AGE-SECRET-KEY-"):  # not repeated: it is the secret half
            raise Invalid("a recipient is a secret key: its public half belongs there", hint=_RECIPIENT) from None
        raise Invalid(f"{text!r} is not a key that can be encrypted to", hint=_RECIPIENT) from error


def _identities(secret: Secret) -> list[Any]:
    text = secret.reveal().strip()
    try:
        if text.startswith("-----BEGIN ") and "PRIVATE KEY-----" in text:
            return [pyrage.ssh.Identity.from_buffer(text.encode() + b"\n")]
        lines = [line.strip() for line in text.splitlines()]
        keys = [pyrage.x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#")]
    except (pyrage.IdentityError, UnicodeEncodeError):  # a cause might quote the key
        keys = []
    if not keys:
        raise Invalid("an identity is no age or SSH private key that can be used", hint=_IDENTITY)
    return keys


def _unopened(told: str, *, with_passphrase: bool) -> Failed:
    """pyrage has one class for all of it, and age's own words."""
    if "No matching keys" in told:
        message = "it is not encrypted with a passphrase" if with_passphrase else "none of the identities opens it"
        hint = "give the identity file: --identity FILE" if with_passphrase else "give another one, or its passphrase"
        return Failed(f"the age file stays closed: {message}", hint=hint)
    if "Decryption failed" in told and with_passphrase:
        return Failed("the age file stays closed: that is not its passphrase", hint="try again")
    return Failed("the age file was cut or changed, and stays closed", hint=_DAMAGED)
