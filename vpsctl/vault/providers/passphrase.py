"""A master key derived from a passphrase that a person types: argon2id."""

import base64
import binascii
import os
import unicodedata
from collections.abc import Callable, Mapping

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from vpsctl.errors import Invalid, Unavailable
from vpsctl.secret import Secret
from vpsctl.vault.providers.document import HINT, Document, Field

SIZE = 32
SALT = 16
PARAMETERS: Mapping[str, int] = {"memory_kib": 65536, "iterations": 3, "lanes": 4}
"""RFC 9106 section 4, the second recommended choice: the first one's 2 GiB are more than many a VPS has."""
MOST = {"memory_kib": 2 * 1024 * 1024, "iterations": 1000, "lanes": 64}
SHORTEST = 12
"""Characters. Somebody with a copy of the disk tries some dozens a second for each core, without any limit."""
NOBODY = "the master key comes from a passphrase, and nobody can be asked for it here"
Ask = Callable[[str], Secret]


def unavailable(ask: Ask | None) -> str | None:
    """Why a new passphrase cannot be asked for; None when it can."""
    return None if ask else "nobody can be asked for one here, run it on a terminal"


def new_key(ask: Ask | None) -> tuple[bytes, dict[str, Field]]:
    """A key out of a new passphrase, which is asked for twice, and the document's fields.

    Raises Invalid when it is too short or when the two differ, Unavailable when there is nobody to ask.
    """
    if ask is None:
        raise Unavailable(NOBODY, hint="run it on a terminal")
    first = ask("New passphrase of the master key: ")
    if len(first.reveal()) < SHORTEST:
        raise Invalid(f"a passphrase has at least {SHORTEST} characters", hint="take five words that nobody would guess")
    if ask("The same once more: ") != first:
        raise Invalid("the two passphrases differ", hint="try again")
    salt = os.urandom(SALT)
    fields: dict[str, Field] = {"salt": base64.b64encode(salt).decode(), **PARAMETERS}
    return _derive(first, salt, **PARAMETERS), fields


def read_key(document: Document, ask: Ask | None) -> bytes:
    """The key that the typed passphrase gives, whether right or wrong.

    Raises Unavailable when there is nobody to ask or too little memory, Invalid when the document's numbers are absurd.
    """
    salt = _salt(document)
    numbers = {name: document.number(name) for name in PARAMETERS}
    if any(not 1 <= number <= MOST[name] for name, number in numbers.items()) or (
        numbers["memory_kib"] < 8 * numbers["lanes"]
    ):
        raise Invalid("the parameters of the master key's passphrase are out of range", hint=HINT)
    if ask is None:
        hint = "run it on a terminal; for cron and services: vpsctl key rotate --to file"
        raise Unavailable(NOBODY, hint=hint)
    return _derive(ask(f"Passphrase of master key {document.key_id}: "), salt, **numbers)


def _salt(document: Document) -> bytes:
    try:
        salt = base64.b64decode(document.text("salt"), validate=True)
    except (binascii.Error, ValueError):
        salt = b""
    if not SALT <= len(salt) <= 64:
        raise Invalid(f"the salt of the master key's passphrase is not base64 of {SALT} to 64 bytes", hint=HINT)
    return salt


def _derive(passphrase: Secret, salt: bytes, *, memory_kib: int, iterations: int, lanes: int) -> bytes:
    text = unicodedata.normalize("NFC", passphrase.reveal())  # terminals differ in how they send an é
    try:
        argon = Argon2id(salt=salt, length=SIZE, iterations=iterations, lanes=lanes, memory_cost=memory_kib)
        return argon.derive(text.encode("utf-8", "surrogatepass"))
    except MemoryError as error:
        message = f"there is no room for the {memory_kib // 1024} MiB that deriving the master key takes"
        raise Unavailable(message, hint="free some memory and try again") from error
