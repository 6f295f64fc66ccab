"""SOPS documents that sops itself wrote: opened as sops opens them, and refused after any change."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vpsctl.credentials.exchange.found import Unusable, leaves
from vpsctl.credentials.exchange.sops import OPEN, open_sops, withhold_open
from vpsctl.credentials.exchange.sops_text import canonical
from vpsctl.errors import Failed, Invalid, VpsctlError
from vpsctl.secret import Secret

HERE = Path(__file__).parent / "sops"
KEY = Secret((HERE / "key.txt").read_text())
OTHER = Secret("AGE-SECRET-KEY-1432K5YRNSC44GC4986NXMX6GVZ52WTMT9C79CLUVWYY4DKDHD5JSNDP4MC")
NUMBER, TRUTH, DATE = (Unusable(f"is {what}, not a text") for what in ("a number", "true or false", "a date"))
NOT_SEALED = Unusable(OPEN)
JSON = {
    "DB_PASSWORD": "hunter22",
    "port": NUMBER,
    "ratio": NUMBER,
    "on": TRUTH,
    "nothing": None,
    "deep": {"KEY": "x:y\0z", "B": "b"},
    "tokens": ["a", "b"],
    "host_unencrypted": NOT_SEALED,
    "f_unencrypted": NOT_SEALED,
    "big_unencrypted": NOT_SEALED,
}
YAML = {
    "db": {
        "password": "p:ä\nx",
        "port": NUMBER,
        "ratio": NUMBER,
        "big": NUMBER,
        "small": NUMBER,
        "debug": TRUTH,
        "since": DATE,
        "none": None,
        "empty": "",
    },
    "tokens": ["first", "second", {"third": "fourth"}],
    **{f"{name}_unencrypted": NOT_SEALED for name in ("host", "num", "float", "yes", "bool", "date")},
}
DOTENV = {"DB_PASSWORD": "hunter22", "MULTI": "a\nb", "HOST_unencrypted": NOT_SEALED, "EMPTY": ""}
OPENED: Mapping[str, Mapping[str, Any]] = {
    "document.json": JSON,
    "document.yaml": YAML,
    "document.env": DOTENV,
    "mac-only-encrypted.json": JSON,
}


def form(name: str) -> str:
    return {"env": "dotenv"}.get(ending := name.rpartition(".")[2], ending)


@cache
def text(name: str) -> str:
    return (HERE / name).read_text()


def opened(name: str, content: str | None = None) -> dict[str, Any]:
    return open_sops(text(name) if content is None else content, form(name), [KEY])


def refused(name: str, content: str) -> str:
    assert content != text(name)
    with pytest.raises(Failed) as caught:
        opened(name, content)
    assert "hunter22" not in f"{caught.value} {caught.value.hint} {caught.value.__cause__}"
    return caught.value.message


@pytest.mark.parametrize("name", OPENED)
def test_it_opens_as_sops_opens_it(name: str) -> None:
    assert opened(name) == OPENED[name]


def test_a_rule_by_name_says_what_is_encrypted() -> None:
    found = opened("encrypted-regex.json")
    assert (found["DB_PASSWORD"], found["deep"]) == ("hunter22", {"KEY": "x:y\0z", "B": NOT_SEALED})
    assert found["tokens"] == [NOT_SEALED, NOT_SEALED]


SEALED = re.compile(r"ENC\[AES256_GCM,[^\]]*\]")


def swaps(name: str) -> Iterator[str]:
    """The document with two of its encrypted values in each other's place, the MAC among them."""
    found = list(SEALED.finditer(text(name)))
    for number, one in enumerate(found):
        for other in found[number + 1 :]:
            whole = text(name)
            yield whole[: one.start()] + other[0] + whole[one.end() : other.start()] + one[0] + whole[other.end() :]


@pytest.mark.parametrize("name", OPENED)
def test_no_two_values_can_change_places(name: str) -> None:
    for content in swaps(name):
        assert "changed" in refused(name, content)


def edited(name: str, change: Any) -> str:
    document = json.loads(text(name))
    change(document)
    return json.dumps(document)


CHANGES = {
    "removed": lambda document: document.pop("DB_PASSWORD"),
    "removed from a list": lambda document: document["tokens"].pop(),
    "added in the clear": lambda document: document.update(NEW="hunter23"),
    "in the clear instead": lambda document: document.update(DB_PASSWORD="hunter23"),
    "renamed": lambda document: document.update(OTHER=document.pop("DB_PASSWORD")),
    "moved": lambda document: document["deep"].update(DB_PASSWORD=document.pop("DB_PASSWORD")),
    "copied": lambda document: document.update(AGAIN_unencrypted=document["DB_PASSWORD"]),
    "a number instead": lambda document: document.update(DB_PASSWORD=22),
    "another date": lambda document: document["sops"].update(lastmodified="2020-01-01T00:00:00Z"),
    "no MAC": lambda document: document["sops"].pop("mac"),
    "an empty MAC": lambda document: document["sops"].update(mac=""),
    "another rule": lambda document: document["sops"].update(unencrypted_suffix="D"),
    "a MAC of less": lambda document: document["sops"].update(mac_only_encrypted=True),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_document_that_was_changed_is_refused(change: str) -> None:
    refused("document.json", edited("document.json", CHANGES[change]))


def test_a_mac_of_less_cannot_be_made_one_of_all() -> None:
    name = "mac-only-encrypted.json"
    refused(name, edited(name, lambda document: document["sops"].pop("mac_only_encrypted")))


def test_an_open_value_that_was_changed_is_refused() -> None:
    content = text("document.json").replace("db.example.com", "db.example.org")
    assert "its MAC does not match" in refused("document.json", content)


def texts(document: Any) -> set[tuple[tuple[str, ...], str]]:
    return {(leaf.path, leaf.value.reveal()) for leaf in leaves(document) if isinstance(leaf.value, Secret)}


@settings(max_examples=300, deadline=None)
@given(name=st.sampled_from(sorted(OPENED)), data=st.data())
def test_no_change_of_a_character_brings_another_value(name: str, data: st.DataObject) -> None:
    whole = text(name)
    at = data.draw(st.integers(0, len(whole) - 1))
    new = data.draw(st.sampled_from('aAzZ09+/=:,]["{}\n _'))
    try:
        found = opened(name, whole[:at] + new + whole[at + 1 :])
    except VpsctlError as error:
        assert "hunter22" not in error.message
        return
    assert texts(found) == texts(OPENED[name])


def test_another_key_opens_nothing() -> None:
    with pytest.raises(Failed, match="none of the identities opens it"):
        open_sops(text("document.json"), "json", [OTHER])
    assert open_sops(text("document.json"), "json", [OTHER, KEY]) == JSON


def test_what_only_sops_can_open_is_said_so() -> None:
    def to_pgp(document: dict[str, Any]) -> None:
        document["sops"].pop("age")
        document["sops"]["pgp"] = [{"enc": "-----BEGIN PGP MESSAGE-----"}]

    with pytest.raises(Invalid, match="not encrypted to an age key, but to pgp"):
        opened("document.json", edited("document.json", to_pgp))
    comment = edited("document.json", lambda document: document["sops"].update(encrypted_comment_regex="x"))
    with pytest.raises(Invalid, match="its comments say which values are encrypted"):
        opened("document.json", comment)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.json", '{"A": "b"}'),
        ("x.json", "[1]"),
        ("x.json", '{"A": 1, "A": 2}'),
        ("x.json", "[" * 100_000),
        ("x.yaml", "a: b"),
        ("x.yaml", "a: b\n---\nc: d"),
        ("x.yaml", "a: [b"),
        ("x.yaml", "a: &a [*a]\nsops: {mac: x}"),
        ("x.yaml", "a: 1\na: 2"),
        ("x.yaml", "[" * 5_000),
        ("x.env", "A=b"),
        ("x.env", "sops_mac=x\nnonsense"),
        ("x.env", "A=1\nA=2\nsops_mac=x"),
    ],
)
def test_what_is_no_sops_document_is_refused_with_a_sentence(name: str, content: str) -> None:
    with pytest.raises(Invalid):
        open_sops(content, form(name), [KEY])


@pytest.mark.parametrize("name", ["document.json", "document.yaml", "document.env"])
def test_what_the_program_prints_loses_its_open_values_too(name: str) -> None:
    printed = {"document.json": JSON, "document.yaml": YAML, "document.env": DOTENV}[name]
    raw = {key: "in the clear" if value == NOT_SEALED else value for key, value in printed.items()}
    found = withhold_open(text(name), form(name), raw)
    assert {key for key, value in found.items() if value == NOT_SEALED} == {
        key for key, value in printed.items() if value == NOT_SEALED
    }
    assert texts(found) == texts(printed)


@pytest.mark.parametrize(
    ("kind", "written", "hashed"),
    [
        # as strconv.FormatFloat(…, 'f', -1, 64) and strconv.Itoa have them
        ("float", "1e-7", "0.0000001"),
        ("float", "1.2345678901234568e+22", "12345678901234568000000"),
        ("float", "-2.50", "-2.5"),
        ("float", "100", "100"),
        ("float", "+Inf", "+Inf"),
        ("int", "0042", "42"),
        ("bool", "true", "True"),
        ("bool", "False", "False"),
        ("str", "1.0", "1.0"),
    ],
)
def test_values_are_hashed_as_go_writes_them(kind: str, written: str, hashed: str) -> None:
    assert canonical(kind, written).text == hashed
