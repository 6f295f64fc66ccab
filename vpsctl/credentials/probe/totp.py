"""Try a seed of one-time codes: there is nothing to connect to, but a code of another device can be compared."""

import hmac
import time

from vpsctl.credentials.kinds.totp import read_totp
from vpsctl.credentials.probe.outcome import Outcome


def try_totp(seed: str, code: str | None) -> Outcome:
    """Compares with `code`, one period early or late. The seed's own codes are never told."""
    totp, now = read_totp(seed), time.time()
    around = [totp.code(now + step * totp.period) for step in (-1, 0, 1)]
    usual = f"{totp.digits} digits, new every {totp.period} s"
    if code is None:
        return Outcome(None, f"the seed makes codes of {usual}; give --code from the other device to compare")
    if any([hmac.compare_digest(code, own) for own in around]):
        return Outcome(True, f"the code is one of this seed's ({usual})")
    return Outcome(False, f"the code is none of this seed's now ({usual}): another seed, or a clock that is wrong")
