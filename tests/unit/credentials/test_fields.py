"""Values of several fields: put together and taken apart without loss, and handed out as variables."""

import json
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.credentials.values import CANARY, S3, good
from vpsctl.credentials.kinds.catalogue import KINDS
from vpsctl.credentials.kinds.check import check_value
from vpsctl.credentials.kinds.fields import fields, from_fields, known_order, variables
from vpsctl.errors import Invalid
from vpsctl.secret import Secret

LINE = st.text(st.characters(exclude_categories=["Cc", "Cs"]))
PARTS = {
    "basic": st.fixed_dictionaries({"username": LINE.filter(lambda text: ":" not in text and text), "password": LINE}),
    "keyvalue": st.dictionaries(
        st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,63}", fullmatch=True),
        st.text(st.characters(exclude_characters="\x00", codec="utf-8")),
        min_size=1,
    ),
    "s3": S3,
}


def revealed(parts: dict[str, Secret]) -> dict[str, str]:
    return {name: part.reveal() for name, part in parts.items()}


@pytest.mark.parametrize("kind", PARTS)
@given(data=st.data())
def test_fields_come_back_as_they_went_in(kind: str, data: st.DataObject) -> None:
    parts = data.draw(PARTS[kind])
    hidden = {name: Secret(part) if place % 2 else part for place, (name, part) in enumerate(parts.items())}
    value = from_fields(kind, hidden)
    assert revealed(fields(kind, value)) == parts
    assert check_value(kind, value) == value


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if kind.join is None])
def test_kinds_of_one_text_have_no_fields(kind: str) -> None:
    value = check_value(kind, Secret(good(kind)))
    assert fields(kind, value) == {}
    assert variables("NAME", kind, value) == {"NAME": value}
    with pytest.raises(Invalid, match="has no fields"):
        from_fields(kind, {"text": good(kind)})


def test_variables_of_basic_authentication() -> None:
    got = variables("YESPO", "basic", Secret("anna:pa:ss"))
    assert revealed(got) == {"YESPO": "anna:pa:ss", "YESPO_USERNAME": "anna", "YESPO_PASSWORD": "pa:ss"}


def test_variables_of_s3_keys() -> None:
    value = from_fields("s3", {"access_key_id": "AKIAX", "secret_access_key": Secret("12345678"), "session_token": ""})
    got = revealed(variables("BACKUP", "s3", value))
    assert json.loads(got.pop("BACKUP")) == {"access_key_id": "AKIAX", "secret_access_key": "12345678"}
    assert got == {"BACKUP_ACCESS_KEY_ID": "AKIAX", "BACKUP_SECRET_ACCESS_KEY": "12345678"}


def test_variables_of_a_key_value_set_keep_their_case() -> None:
    got = revealed(variables("MAIL", "keyvalue", from_fields("keyvalue", {"Host": "a", "PORT": "25"})))
    assert got == {"MAIL": '{"Host": "a", "PORT": "25"}', "Host": "a", "PORT": "25"}


@pytest.mark.parametrize(
    ("kind", "parts", "said"),
    [
        ("basic", {"username": CANARY}, "password missing"),
        ("basic", {}, "username and password missing"),
        ("basic", {"username": "a", "password": "b", CANARY: "c"}, "no such field"),
        ("basic", {"username": f"a:{CANARY}", "password": "b"}, "colon"),
        ("basic", {"username": "a", "password": f"{CANARY}\n"}, "line break"),
        ("s3", {"access_key_id": "AKIAX", "secret_access_key": f"{CANARY} "}, "secret_access_key"),
        ("s3", {"access_key_id": "AKIAX", "secret_access_key": ""}, "secret_access_key"),
        ("s3", {"access_key_id": "AKIAX"}, "secret_access_key missing"),
        ("keyvalue", {}, "no key"),
        ("keyvalue", {f"1{CANARY}": "x"}, "key number 1"),
        ("keyvalue", {"A": f"{CANARY}\x00"}, "NUL"),
    ],
)
def test_a_refusal_names_the_field_and_shows_nothing(kind: str, parts: dict[str, str], said: str) -> None:
    with pytest.raises(Invalid) as caught:
        from_fields(kind, parts)
    assert said in caught.value.message
    assert caught.value.hint
    assert CANARY not in "".join(traceback.format_exception(caught.value)) + caught.value.hint


def test_fields_are_asked_for_in_one_order() -> None:
    assert known_order("s3") == ["access_key_id", "secret_access_key", "session_token", "region"]
    assert [field.name for field in KINDS["basic"].fields if field.secret] == ["password"]
