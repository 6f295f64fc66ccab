"""Codes by time: the RFC's own values, the window, and that none counts twice."""

from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpsctl.secret import Secret
from vpsctl.users.totp import matching_step, new_seed, seed_uri

SEED = Secret("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")  # "12345678901234567890", RFC 6238 appendix B


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def code(step: int) -> Secret:
    return Secret(pyotp.TOTP(SEED.reveal()).generate_otp(step))


@pytest.mark.parametrize(("seconds", "digits"), [(59, "287082"), (1111111109, "081804"), (20000000000, "353130")])
def test_the_codes_are_the_rfcs(seconds: int, digits: str) -> None:
    assert matching_step(SEED, Secret(digits), at(seconds), after=0) == seconds // 30
    assert matching_step(SEED, Secret(f" {digits[:3]} {digits[3:]}\n"), at(seconds), after=0) == seconds // 30


@given(st.integers(10, 2**31), st.integers(-5, 5))
def test_one_step_to_each_side_counts(step: int, off: int) -> None:
    found = matching_step(SEED, code(step + off), at(step * 30 + 29), after=0)
    # two steps may have one code: about once in a million
    assert (found is not None and code(found) == code(step + off)) if abs(off) <= 1 else found != step + off


@given(st.integers(10, 2**31), st.integers(-1, 1), st.integers(0, 3))
def test_what_was_used_or_is_older_never_counts(step: int, off: int, later: int) -> None:
    found = matching_step(SEED, code(step + off), at(step * 30), after=step + off + later)
    assert found is None or found > step + off + later


@pytest.mark.parametrize("text", ["", "28708", "2870822", "28708a", "٢٨٧٠٨٢", "287-082", "000000", "-87082"])
def test_what_is_no_code_is_none(text: str) -> None:
    assert matching_step(SEED, Secret(text), at(59), after=0) is None


def test_a_text_that_is_no_code_is_not_taken_for_zeros() -> None:
    zeros = 349495  # the first step whose code is 000000
    assert code(zeros) == Secret("000000")
    assert matching_step(SEED, Secret("000000"), at(zeros * 30), after=0) == zeros
    assert matching_step(SEED, Secret("rubbish"), at(zeros * 30), after=0) is None


def test_the_uri_is_what_apps_read() -> None:
    seed = new_seed()
    assert len(seed.reveal()) == 32
    assert seed != new_seed()
    uri = urlsplit(seed_uri(seed, "anna").reveal())
    assert (uri.scheme, uri.netloc, uri.path) == ("otpauth", "totp", "/vpsctl:anna")
    assert parse_qs(uri.query)["secret"] == [seed.reveal()]
    assert parse_qs(uri.query)["issuer"] == ["vpsctl"]
