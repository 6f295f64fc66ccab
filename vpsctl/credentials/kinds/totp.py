"""Seeds of one-time codes (RFC 6238): base32, or an otpauth:// URI where the codes are not the usual ones.

Not through pyotp, which refuses the seeds of 80 bits that many services hand out.
"""

import base64
import hmac
import re
import secrets
from binascii import Error as NotBase32
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode, urlsplit

from vpsctl.errors import Invalid

SHORTEST = 10
"""Bytes: the 80 bits of the shortest seeds that services hand out."""
LONGEST_PERIOD = 3600
ALGORITHMS = ("SHA1", "SHA256", "SHA512")
HINT = "give the base32 seed that the service shows beside its QR code, or the otpauth://totp/… address in it"


@dataclass(frozen=True, repr=False)
class Totp:
    """A seed in canonical base32, and what its codes are like."""

    seed: str
    algorithm: str = "SHA1"
    digits: int = 6
    period: int = 30

    def code(self, at: float) -> str:
        """The code at `at` seconds of Unix time."""
        key = base64.b32decode(self.seed + "=" * (-len(self.seed) % 8))
        digest = hmac.digest(key, (int(at) // self.period).to_bytes(8, "big"), self.algorithm)
        offset = digest[-1] & 0xF  # RFC 4226, section 5.3
        number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
        return f"{number % 10**self.digits:0{self.digits}}"


def check_totp(text: str) -> str:
    """The seed in upper-case base32 without padding, or a URI where digits, period or algorithm are not 6, 30, SHA1.

    Spaces, dashes and lower case are as people copy seeds. Raises Invalid.
    """
    totp = read_totp(text)
    if totp == Totp(totp.seed):
        return totp.seed
    told = {"secret": totp.seed, "algorithm": totp.algorithm, "digits": totp.digits, "period": totp.period}
    return f"otpauth://totp/vpsctl?{urlencode(told)}"


def make_totp(_old: str | None = None) -> str:
    """A new seed of 160 bits, what RFC 4226 recommends."""
    return base64.b32encode(secrets.token_bytes(20)).decode()


def read_totp(text: str) -> Totp:
    """What makes the codes, from any form that is accepted. Raises Invalid."""
    return _parse(text.strip()) if text.lstrip().lower().startswith("otpauth:") else Totp(_seed(text))


def _seed(text: str) -> str:
    bare = re.sub(r"[\s-]", "", text).rstrip("=").upper()
    try:
        seed = base64.b32decode(bare + "=" * (-len(bare) % 8))
    except (NotBase32, ValueError):
        raise Invalid("the value is no base32: letters A to Z and digits 2 to 7", hint=HINT) from None
    if len(seed) < SHORTEST:
        raise Invalid(f"the seed has under {SHORTEST * 8} bits, which is too short to be whole", hint=HINT)
    return base64.b32encode(seed).decode().rstrip("=")


def _parse(uri: str) -> Totp:
    """The key URI format of Google Authenticator. Parameters that it does not know, such as issuer, change no code."""
    try:
        parts = urlsplit(uri)
        given = parse_qs(parts.query, strict_parsing=True)
        digits, period = (int(given.get(name, [default])[0]) for name, default in (("digits", "6"), ("period", "30")))
    except ValueError:
        raise Invalid("the value is no otpauth:// address that can be read", hint=HINT) from None
    if parts.netloc.lower() != "totp" or "encoder" in given:  # HOTP counts, Steam has an alphabet of its own
        raise Invalid("the value is for codes that are not made from the time alone, or not of digits", hint=HINT)
    algorithm = given.get("algorithm", ["SHA1"])[0].upper()
    if algorithm not in ALGORITHMS or not 6 <= digits <= 8 or not 0 < period <= LONGEST_PERIOD:
        allowed = f"{', '.join(ALGORITHMS)}; digits 6 to 8; period 1 to {LONGEST_PERIOD}"
        raise Invalid("the value's algorithm, digits or period are none that are used", hint=f"algorithm {allowed}")
    if "secret" not in given:
        raise Invalid("the value is an otpauth:// address without a secret", hint=HINT)
    return Totp(_seed(given["secret"][0]), algorithm, digits, period)
