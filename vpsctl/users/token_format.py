"""What a token looks like: `vps_user_` + 8 characters of id + 32 of secret + 6 of CRC-32, as GitHub's tokens have it.

The checksum lets a leak scanner tell a token from any other text without asking anybody. It is no secret and no proof.
"""

import re
import secrets
import string
import zlib
from dataclasses import dataclass

from vpsctl.errors import Invalid
from vpsctl.secret import Secret

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
PATTERN = r"vps_[a-z]{2,12}_[0-9A-Za-z]{46}"
"""For a leak scanner; `looks_like_token` then tells chance from a token."""
KIND = "user"
"""A token of a user: the only kind there is so far."""
ID, SECRET, CHECKSUM = 8, 32, 6
"""Characters: 32 of 62 are 190 bits, 6 of 62 hold any CRC-32."""
_TOKEN = re.compile(PATTERN)


@dataclass(frozen=True)
class TokenParts:
    kind: str
    public_id: str
    secret: Secret


def new_parts() -> TokenParts:
    """An id and a secret that nobody had before."""
    return TokenParts(KIND, _random(ID), Secret(_random(SECRET)))


def join_token(parts: TokenParts) -> Secret:
    body = f"vps_{parts.kind}_{parts.public_id}{parts.secret.reveal()}"
    return Secret(body + _checksum(body))


def split_token(token: Secret) -> TokenParts:
    """Raises Invalid, which does not quote it, for what is no token."""
    text = token.reveal()
    if not looks_like_token(text):
        raise Invalid("this is not a token: its form or its checksum is wrong", hint="copy it again, all of it")
    _, kind, rest = text.split("_")
    return TokenParts(kind, rest[:ID], Secret(rest[ID : ID + SECRET]))


def looks_like_token(text: str) -> bool:
    """Whether `text`, as a whole, has a token's form and its checksum fits; one changed character is always noticed."""
    return _TOKEN.fullmatch(text) is not None and _checksum(text[:-CHECKSUM]) == text[-CHECKSUM:]


def _checksum(body: str) -> str:
    """CRC-32 (as in zlib) in base 62, most significant digit first."""
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(CHECKSUM):
        number, digit = divmod(number, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))
