"""Other tools' documents: told apart, taken to names and values, and refused whole, without a value in any message."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from vpsctl.credentials.exchange.formats import read_entries, read_export, recognise, sops_form
from vpsctl.credentials.exchange.found import Found, choose
from vpsctl.credentials.exchange.guess import guess_kind
from vpsctl.credentials.name import NAME
from vpsctl.errors import Invalid, VpsctlError
from vpsctl.secret import Secret

# what `vault kv get -format=json` prints for the two versions of its key-value store
VAULT_1 = {
    "request_id": "b65b5a0b-7ab7-4a39-9b5b-6a1d5e8a2f1c",
    "lease_id": "",
    "lease_duration": 2764800,
    "renewable": False,
    "data": {"passcode": "hunter22"},
    "warnings": None,
}
VAULT_2 = {
    **VAULT_1,
    "data": {
        "data": {"passcode": "hunter22", "user": "me"},
        "metadata": {"created_time": "2026-06-15T20:23:40.067093Z", "deletion_time": "", "destroyed": False, "version": 1},
    },
}
INFISICAL = [
    {"key": "DB_PASSWORD", "workspace": "63f", "value": "hunter22", "type": "shared", "secretPath": "/", "comment": ""},
    {"key": "API_KEY", "workspace": "63f", "value": "k", "type": "shared", "secretPath": "/api", "comment": ""},
]
BITWARDEN = [
    {
        "object": "secret",
        "id": "be8e0ad8-d545-4017-a55a-b02f014d4158",
        "organizationId": "10e8cbfa-7bd2-4361-bd6f-b02e013f9c41",
        "projectId": "e325ea69-a3ab-4dff-836f-b02e013fe530",
        "key": "SES_KEY",
        "value": "hunter22",
        "note": "",
        "creationDate": "2026-06-28T20:13:20.643567Z",
        "revisionDate": "2026-06-28T20:13:20.643567Z",
    }
]
DOPPLER = {"DB_PASSWORD": "hunter22", "DOPPLER_CONFIG": "prd", "DOPPLER_ENVIRONMENT": "prd", "DOPPLER_PROJECT": "shop"}


def read(text: str, *only: str) -> dict[str, str]:
    form = recognise(text)
    return {item.name: item.value.reveal() for item in choose(read_entries(text, form), only)}


@pytest.mark.parametrize(
    ("document", "form", "found"),
    [
        ({"DB_PASSWORD": "hunter22"}, "json", {"DB_PASSWORD": "hunter22"}),
        ({"db": {"password": "p", "user": {"name": "n"}}}, "json", {"DB_PASSWORD": "p", "DB_USER_NAME": "n"}),
        ({"data": {"a": "b"}}, "json", {"DATA_A": "b"}),
        (VAULT_1, "vault", {"PASSCODE": "hunter22"}),
        (VAULT_2, "vault", {"PASSCODE": "hunter22", "USER": "me"}),
        (INFISICAL, "infisical", {"DB_PASSWORD": "hunter22", "API_KEY": "k"}),
        (BITWARDEN, "bitwarden", {"SES_KEY": "hunter22"}),
        (BITWARDEN[0], "bitwarden", {"SES_KEY": "hunter22"}),
        (DOPPLER, "doppler", {"DB_PASSWORD": "hunter22"}),
    ],
    ids=["flat", "nested", "data", "vault 1", "vault 2", "infisical", "bitwarden list", "bitwarden get", "doppler"],
)
def test_each_format_is_told_and_read(document: Any, form: str, found: dict[str, str]) -> None:
    text = json.dumps(document)
    assert recognise(text) == form
    assert read(text) == found


def test_a_dotenv_file_is_read_as_compose_reads_it() -> None:
    text = "\ufeff# the shop\nexport A=1\nb='hunter22 #$x'\nC=\"two\\nlines\" # why\nD=${A}2\n"
    assert recognise(text) == "dotenv"
    assert read(text) == {"A": "1", "B": "hunter22 #$x", "C": "two\nlines", "D": "12"}


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ('{"a": "b", "sops": {"mac": "x"}}', "json"),
        ("a: b\nsops:\n    mac: x\n", "yaml"),
        ("A=b\nsops_mac=x\n", "dotenv"),
    ],
)
def test_a_document_of_sops_is_told(text: str, form: str) -> None:
    assert (recognise(text), sops_form(text)) == ("sops", form)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"a-b": "hunter22"}', "a-b cannot be a credential's name"),
        ('{"": "hunter22"}', "an empty name cannot be"),
        ('{"1A": "hunter22"}', "1A cannot be"),
        ('{"db": {"password": "hunter22"}, "DB_PASSWORD": "x"}', "db.password and DB_PASSWORD would all be DB_PASSWORD"),
        ('{"db": {"port": 5432}, "a": "hunter22"}', "db.port is a number, not a text"),
        ('{"a": true}', "a is true or false, not a text"),
        ('{"a": ["hunter22"]}', "a is a list, not a text"),
        ('{"a": {}}', "a is an empty object"),
        ('{"a": null}', "a has no value"),
        ("A=", "A is empty"),
        ("{}", "there is nothing in it"),
        ("[]", "there is nothing in it"),
        ("", "there is nothing in it"),
        ('{"a": "hunter22", "a": "x"}', "it has a twice in one object"),
        ('{"a": "hunter22"', "it is not JSON from line 1, column 17 on"),
        ('[{"key": "A"}]', "entry 1 has no key and value"),
        ('["hunter22"]', "entry 1 has no key and value"),
        ("{" * 5 + '"hunter22', "it is not JSON"),
        ("[" * 200_000, "nested too deep"),
        ("A=1\nhunter22 x\n", "line 2: this is not NAME=value"),
        ("A='hunter22", "line 1: a quote is not closed"),
        (json.dumps(VAULT_1 | {"data": {"data": None, "metadata": {"version": 2}}}), "was deleted in Vault"),
        (json.dumps(VAULT_1 | {"data": "hunter22"}), "not what vault kv get"),
    ],
)
def test_what_cannot_be_taken_is_refused_without_a_value(text: str, told: str) -> None:
    with pytest.raises(Invalid) as caught:
        read(text)
    assert told in caught.value.message
    assert caught.value.hint
    assert "hunter22" not in f"{caught.value} {caught.value.hint} {caught.value.__cause__}"


def test_one_that_cannot_be_taken_refuses_all_but_for_only() -> None:
    text = '{"A": "1", "b": "2", "port": 5432, "x-y": "z"}'
    with pytest.raises(Invalid) as caught:
        read(text)
    assert caught.value.message == ("nothing was imported: port is a number, not a text; x-y cannot be a credential's name")
    assert caught.value.hint == "correct that, or take the others: --only A --only B"
    assert read(text, "B", "A") == {"B": "2", "A": "1"}
    with pytest.raises(Invalid, match="nothing was imported: port is a number"):
        read(text, "A", "PORT")
    with pytest.raises(Invalid, match="nothing was imported: there is no NOSUCH"):
        read(text, "A", "NOSUCH")


NAMES = st.text("ab_.-1é", min_size=1, max_size=4)
PLAIN = st.text(max_size=5) | st.none() | st.integers() | st.booleans()
VALUES = st.recursive(PLAIN, lambda inner: st.dictionaries(NAMES, inner), max_leaves=8)


@settings(max_examples=60)
@given(st.dictionaries(NAMES, VALUES))
def test_either_every_text_gets_a_name_of_its_own_or_nothing_is_taken(document: dict[str, Any]) -> None:
    def texts(item: Any) -> list[str]:
        return [text for inner in item.values() for text in texts(inner)] if isinstance(item, dict) else [item]

    try:
        found = choose(read_entries(json.dumps(document), "json"))
    except Invalid:
        return
    assert sorted(item.value.reveal() for item in found) == sorted(texts(document))
    assert all(NAME.fullmatch(item.name) for item in found)
    assert len({item.name for item in found}) == len(found)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused_with_a_sentence(text: str) -> None:
    try:
        read(text)
    except VpsctlError:
        return


def private_key() -> str:
    key = ed25519.Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()


def service_account() -> str:
    key = rsa.generate_private_key(65537, 2048).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    document = {
        "type": "service_account",
        "project_id": "acme",
        "private_key_id": "0" * 40,
        "private_key": key.decode(),
        "client_email": "etl@acme.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": "https://oauth2.googleapis.com/token",
    }
    return json.dumps(document)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (private_key(), "ssh-key"),
        (service_account(), "service-account"),
        ("postgresql://u:p@db:5432/shop", "url"),
        ("clickhouse://u:p@ch:9000", "url"),
        ("https://u:p@example.com/feed", "url"),
        ("https://example.com/", "password"),
        ("ftp://u:p@example.com", "password"),
        ("postgresql://", "password"),
        ('{"type": "service_account"}', "password"),
        ('{"type": "authorized_user"}', "password"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nnonsense\n", "password"),
        ("hunter22", "password"),
    ],
)
def test_the_kind_is_guessed_from_the_looks(value: str, kind: str) -> None:
    assert guess_kind(Secret(value)) == kind


EXPORT = {
    "format": "vpsctl-credentials",
    "version": 1,
    "exported_at": "2026-11-20T20:00:00+00:00",
    "instance": "vpsctl",
    "credentials": [
        {
            "name": "LOGIN",
            "project": "acme",
            "kind": "basic",
            "description": "Yespo",
            "details": {"url": "https://example.com"},
            "version": 3,
            "value": "me:hunter22",
            "expires_at": "2027-01-01T00:00:00+00:00",
            "rotate_every": 90,
        }
    ],
}


def test_our_own_export_keeps_all_that_it_says() -> None:
    text = json.dumps(EXPORT)
    assert recognise(text) == "vpsctl"
    expires = datetime(2027, 1, 1, tzinfo=UTC)
    details = {"url": "https://example.com"}
    assert read_export(text) == (
        Found("LOGIN", Secret("me:hunter22"), "basic", False, "LOGIN", "acme", "Yespo", details, expires, 90),
    )


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"version": 2}, "it is version 2 of the format, not 1"),
        ({"credentials": [{"name": "A", "value": "hunter22"}]}, "it is not whole"),
        ({"credentials": [EXPORT["credentials"][0] | {"value": 5}]}, "it is not whole"),  # type: ignore[index]
        ({"credentials": None}, "it is not whole"),
    ],
)
def test_an_export_that_is_not_whole_is_refused(change: dict[str, Any], told: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_export(json.dumps(EXPORT | change))
    assert told in caught.value.message
    assert "hunter22" not in f"{caught.value} {caught.value.__cause__}"
