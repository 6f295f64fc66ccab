"""Tokens: what they look like, and that a changed one is noticed without asking anybody."""

import re
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpsctl.errors import Invalid
from vpsctl.secret import Secret
from vpsctl.users.token_format import ALPHABET, PATTERN, TokenParts, join_token, looks_like_token, new_parts, split_token

PARTS = st.builds(
    TokenParts,
    kind=st.from_regex(r"[a-z]{2,12}", fullmatch=True),
    public_id=st.text(ALPHABET, min_size=8, max_size=8),
    secret=st.text(ALPHABET, min_size=32, max_size=32).map(Secret),
)


@given(PARTS)
def test_what_is_joined_is_split_again(parts: TokenParts) -> None:
    token = join_token(parts)
    assert split_token(token) == parts
    assert re.fullmatch(PATTERN, token.reveal())


def test_a_token_as_it_is_published() -> None:
    token = join_token(TokenParts("user", "AB12CD34", Secret("0" * 32))).reveal()
    assert token[:-6] == "vps_user_AB12CD34" + "0" * 32
    value = 0
    for character in token[-6:]:
        value = value * 62 + "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".index(character)
    assert value == zlib.crc32(token[:-6].encode())


@given(PARTS, st.data())
def test_one_changed_character_is_always_noticed(parts: TokenParts, data: st.DataObject) -> None:
    token = join_token(parts).reveal()
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(exclude_characters=token[place]) | st.sampled_from(ALPHABET.replace(token[place], "")))
    assert not looks_like_token(token[:place] + other + token[place + 1 :])


@given(PARTS, st.data())
def test_a_cut_or_longer_one_is_no_token(parts: TokenParts, data: st.DataObject) -> None:
    token = join_token(parts).reveal()
    assert not looks_like_token(token[: data.draw(st.integers(0, len(token) - 1))])
    assert not looks_like_token(token + data.draw(st.text(min_size=1)))
    assert not looks_like_token(data.draw(st.text(min_size=1)) + token)


@given(st.text())
def test_other_texts_are_none_and_are_never_quoted(text: str) -> None:
    assert not looks_like_token(text)
    with pytest.raises(Invalid) as caught:
        split_token(Secret(f"hunter22{text}"))
    assert "hunter22" not in caught.value.message + caught.value.hint


def test_new_ones_differ_and_show_no_secret() -> None:
    made = [new_parts() for _ in range(200)]
    assert len({parts.public_id for parts in made}) == len({parts.secret for parts in made}) == 200
    assert all(looks_like_token(join_token(parts).reveal()) for parts in made)
    assert made[0].secret.reveal() not in repr(made[0])
