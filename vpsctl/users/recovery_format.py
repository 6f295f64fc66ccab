"""Recovery codes: how they look, how they are typed, and the argon2id hash that is kept of one.

A code begins with its place among its user's ten, "3-k7mq-x2hv-9tpd", so that checking one costs one hash, not ten.
"""

import os
import re
import secrets

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from vpsctl.secret import Secret

COUNT = 10
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32: no i, l, o, u."""
LOOKALIKES = str.maketrans("oil", "011")
_CODE = re.compile(rf"[0-9][{ALPHABET}]{{12}}")
MEMORY, PASSES, LANES = 19 * 1024, 2, 1
"""KiB, and OWASP's first choice for argon2id: 20 to 40 ms on a small machine."""


def new_code(place: int) -> Secret:
    """60 random bits behind `place`, 0 to 9."""
    letters = "".join(secrets.choice(ALPHABET) for _ in range(12))
    return Secret("-".join([str(place), letters[:4], letters[4:8], letters[8:]]))


def hash_code(code: Secret) -> str:
    """In the PHC form, which carries its parameters and salt."""
    kdf = Argon2id(salt=os.urandom(16), length=32, iterations=PASSES, lanes=LANES, memory_cost=MEMORY)
    return kdf.derive_phc_encoded(_normal(code).encode("utf-8", "surrogatepass"))


def place_of(code: Secret) -> int | None:
    """0 to 9; None for what is no recovery code."""
    text = _normal(code)
    return int(text[0]) if _CODE.fullmatch(text) else None


def is_code(code: Secret, kept: str) -> bool:
    """Whether `kept` is the hash of `code`."""
    try:
        Argon2id.verify_phc_encoded(_normal(code).encode("utf-8", "surrogatepass"), kept)
    except InvalidKey:
        return False
    return True


def _normal(code: Secret) -> str:
    return re.sub(r"[\s-]", "", code.reveal().lower()).translate(LOOKALIKES)
