"""Codes by time (RFC 6238) as authenticator apps make them: a new seed, its URI, and which step a code belongs to."""

import hmac
import re
from datetime import datetime

import pyotp

from vpsctl.secret import Secret

ISSUER = "vpsctl"
PERIOD = 30
"""Seconds of a step."""
WINDOW = 1
"""Steps before and after now that count, for clocks that differ."""
_CODE = re.compile(r"[0-9]{6}")


def new_seed() -> Secret:
    """160 random bits in base32, as RFC 4226 §4 recommends for SHA-1."""
    return Secret(pyotp.random_base32(32))


def seed_uri(seed: Secret, user: str) -> Secret:
    """otpauth://totp/…: what a QR code for an authenticator app holds."""
    return Secret(pyotp.TOTP(seed.reveal(), name=user, issuer=ISSUER).provisioning_uri())


def matching_step(seed: Secret, code: Secret, now: datetime, *, after: int) -> int | None:
    """The step around `now` that `code` belongs to, None when there is none later than step `after`.

    Does the same work whatever the code is, so that the time it takes tells nothing.
    """
    text = re.sub(r"\s", "", code.reveal())
    formed = _CODE.fullmatch(text) is not None
    given = text if formed else "000000"
    generator = pyotp.TOTP(seed.reveal())
    current = int(now.timestamp()) // PERIOD
    steps = range(current - WINDOW, current + WINDOW + 1)
    same = [hmac.compare_digest(generator.generate_otp(step), given) for step in steps]
    fitting = [step for step, equal in zip(steps, same, strict=True) if equal and formed and step > after]
    return fitting[0] if fitting else None
