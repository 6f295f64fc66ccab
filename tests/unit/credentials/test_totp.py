"""Codes are those of RFC 6238, whatever their length, period and algorithm."""

import base64
import hashlib

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpsctl.credentials.kinds.totp import Totp, check_totp, read_totp

# RFC 6238, appendix B: each algorithm has a seed as long as its digest
SEEDS = {"SHA1": 20, "SHA256": 32, "SHA512": 64}
VECTORS = [
    (59, "94287082", "46119246", "90693936"),
    (1111111109, "07081804", "68084774", "25091201"),
    (1111111111, "14050471", "67062674", "99943326"),
    (1234567890, "89005924", "91819424", "93441116"),
    (2000000000, "69279037", "90698825", "38618901"),
    (20000000000, "65353130", "77737706", "47863826"),
]


@pytest.mark.parametrize(("at", "sha1", "sha256", "sha512"), VECTORS)
def test_the_vectors_of_the_rfc(at: int, sha1: str, sha256: str, sha512: str) -> None:
    for (algorithm, length), code in zip(SEEDS.items(), (sha1, sha256, sha512), strict=True):
        seed = base64.b32encode((b"1234567890" * 7)[:length]).decode().rstrip("=")
        assert read_totp(f"otpauth://totp/x?secret={seed}&digits=8&algorithm={algorithm}").code(at) == code


@given(
    st.binary(min_size=14, max_size=40), st.sampled_from(sorted(SEEDS)), st.integers(6, 8), st.integers(1, 120),
    st.integers(0, 2**40),
)  # fmt: skip
def test_they_are_those_of_another_implementation(secret: bytes, algorithm: str, digits: int, period: int, at: int) -> None:
    seed = base64.b32encode(secret).decode().rstrip("=")
    other = pyotp.TOTP(seed, digits=digits, digest=getattr(hashlib, algorithm.lower()), interval=period)
    kept = check_totp(f"otpauth://totp/x?secret={seed}&digits={digits}&algorithm={algorithm}&period={period}")
    assert read_totp(kept).code(at) == other.generate_otp(at // period)


def test_short_seeds_of_80_bits_work_and_none_is_shown() -> None:
    totp = read_totp("JBSW Y3DP EHPK 3PXP")
    assert totp == Totp("JBSWY3DPEHPK3PXP")
    assert "JBSW" not in repr(totp)
    assert len(totp.code(0)) == 6
