"""No form of a known secret, and nothing that Postgres refuses, is left in a text."""

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpsctl.scrub import Scrubber
from vpsctl.secret import Secret


def scrubber(*values: str) -> Scrubber:
    made = Scrubber()
    made.add(Secret(value) for value in values)
    return made


@given(value=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=4), around=st.sampled_from(["", "x", " "]))
def test_a_secret_is_taken_out_in_every_form_it_leaks_in(value: str, around: str) -> None:
    forms = [value, quote(value, safe=""), base64.b64encode(value.encode()).decode(), json.dumps(value)]
    for form in forms:
        left = scrubber(value).text(f"{around}{form}{around}")
        assert form not in left or form in "[redacted]"


def test_secrets_are_compared_also_where_a_terminal_sent_what_is_no_text() -> None:
    assert Secret("\udcff") == Secret("\udcff")
    assert Secret("\udcff") != Secret("\udcfe")


def test_the_lines_of_a_long_secret_are_secrets_too() -> None:
    key = "-----BEGIN KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUA\nAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtz\n}\n"
    assert scrubber(key).text("read b3BlbnNzaC1rZXktdjEAAAAABG5vbmUA }") == "read [redacted] }"


@pytest.mark.parametrize("value", ["", "a", "abc", "\n"])
def test_a_secret_too_short_to_hide_leaves_the_log_readable(value: str) -> None:
    assert scrubber(value).text("abc and a banana\n") == "abc and a banana\n"


@given(st.text())
def test_every_text_can_be_stored_afterwards(text: str) -> None:
    left = scrubber().text(text + "\x00\udc80")
    assert "\x00" not in left
    left.encode()


def test_every_string_of_a_document_is_scrubbed() -> None:
    document = {"hunter22": ["x hunter22", {"n": 3, "ok": None}]}
    assert scrubber("hunter22").value(document) == {"[redacted]": ["x [redacted]", {"n": 3, "ok": None}]}
