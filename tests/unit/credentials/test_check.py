"""What each kind takes, in which form it is kept, and that no refusal shows a part of the value."""

import base64
import json
import shutil
import subprocess
import traceback
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.credentials.values import CANARY, S3, SEED, ec_pem, ed25519_pem, good, rsa_pem, service_account
from vpsctl.credentials.kinds.catalogue import KINDS
from vpsctl.credentials.kinds.check import check_value
from vpsctl.credentials.kinds.text import LARGEST
from vpsctl.errors import Invalid
from vpsctl.secret import Secret

BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
VALUES = {
    "password": st.text(st.characters(exclude_characters="\x00", codec="utf-8"), min_size=1),
    "token": st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1),
    "keyvalue": st.dictionaries(
        st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,63}", fullmatch=True),
        st.text(st.characters(exclude_characters="\x00", codec="utf-8")),
        min_size=1,
    ).map(json.dumps),
    "basic": st.tuples(*[st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1)] * 2).map(":".join),
    "url": st.from_regex(
        r"(redis|clickhouses|postgresql|https)://[a-z]{1,5}:[a-zA-Z0-9%._~-]{1,9}@[a-z]{1,9}(:[1-9][0-9]{3})?(/[a-z]{0,4})?",
        fullmatch=True,
    ),
    "s3": S3.map(json.dumps),
    "totp": st.binary(min_size=10, max_size=40).map(lambda seed: base64.b32encode(seed).decode().lower()),
}  # fmt: skip


def checked(kind: str, text: str) -> str:
    return check_value(kind, Secret(text)).reveal()


def refused(kind: str, text: str) -> Invalid:
    with pytest.raises(Invalid) as caught:
        checked(kind, text)
    assert caught.value.hint, caught.value.message
    return caught.value


def test_there_are_nine_kinds() -> None:
    assert list(KINDS) == ["password", "token", "keyvalue", "service-account", "basic", "url", "ssh-key", "s3", "totp"]
    assert all(kind.name == name and kind.title for name, kind in KINDS.items())
    assert all(bool(kind.make) != bool(kind.instead) for kind in KINDS.values())


@pytest.mark.parametrize("kind", KINDS)
def test_a_good_value_is_taken_and_stays_as_it_is_kept(kind: str) -> None:
    kept = checked(kind, good(kind))
    assert checked(kind, kept) == kept


@pytest.mark.parametrize("kind", VALUES)
@settings(max_examples=40)
@given(data=st.data())
def test_a_checked_value_checks_to_itself(kind: str, data: st.DataObject) -> None:
    kept = checked(kind, data.draw(VALUES[kind]))
    assert checked(kind, kept) == kept


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("text", "said"),
    [("", "is empty"), (f"{CANARY}\x00", "NUL"), ("é" * (LARGEST // 2) + "x", "64 KiB"), (f"{CANARY}\ud800", "UTF-8")],
    ids=["empty", "NUL", "too long", "no UTF-8"],
)
def test_no_kind_takes_what_no_variable_can_hold(kind: str, text: str, said: str) -> None:
    assert said in refused(kind, text).message


def test_a_password_of_64_kib_is_taken() -> None:
    assert checked("password", "x" * LARGEST) == "x" * LARGEST


def test_an_unknown_kind_names_those_that_there_are() -> None:
    assert "service-account" in refused("pasword", "x").hint


@pytest.mark.parametrize(
    ("kind", "text", "kept"),
    [
        ("basic", "anna:pass:word", "anna:pass:word"),
        ("basic", ":key", ":key"),
        ("keyvalue", "# all\nexport B=two # words\n\nA='#1 \"x\"'\r\n", '{"A": "#1 \\"x\\"", "B": "two"}'),
        ("keyvalue", ' {"b": "", "a": "ключ"}', '{"a": "ключ", "b": ""}'),
        ("url", "postgresql://app:pw@/shop?host=/run/postgresql", "postgresql://app:pw@/shop?host=/run/postgresql"),
        ("url", "http://:key@clickhouse:8123", "http://:key@clickhouse:8123"),
        ("s3", "AWS_ACCESS_KEY_ID=AKIAX\naws_secret_access_key=12345678\nAWS_DEFAULT_REGION=eu-west-1",
         '{"access_key_id": "AKIAX", "region": "eu-west-1", "secret_access_key": "12345678"}'),
        ("totp", f"otpauth://totp/Shop:anna?secret={SEED}&issuer=Shop&digits=6&period=30", SEED),
        ("totp", f"otpauth://totp/a?secret={SEED.lower()}&digits=8", f"otpauth://totp/vpsctl?secret={SEED}&algorithm=SHA1&digits=8&period=30"),
        ("totp", f"otpauth://totp/a?secret={SEED}&period=60&algorithm=SHA256",
         f"otpauth://totp/vpsctl?secret={SEED}&algorithm=SHA256&digits=6&period=60"),
    ],
)  # fmt: skip
def test_what_is_kept_of_each_form(kind: str, text: str, kept: str) -> None:
    assert checked(kind, text) == kept


def test_a_service_account_is_kept_as_it_was_given() -> None:
    document = service_account()
    assert checked("service-account", f"\n{document}\n") == document


@pytest.mark.parametrize("make", [rsa_pem, ec_pem])
def test_keys_that_openssh_reads_stay_as_they_are(make: object) -> None:
    text = make()  # type: ignore[operator]
    assert checked("ssh-key", text.replace("\n", "\r\n").strip()) == text


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="ssh-keygen is not on this machine")
@pytest.mark.parametrize("make", [rsa_pem, ec_pem, ed25519_pem])
def test_openssh_itself_reads_what_is_kept(make: object, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.touch(0o600)
    path.write_text(checked("ssh-key", make()))  # type: ignore[operator]
    done = subprocess.run(["ssh-keygen", "-y", "-P", "", "-f", path], text=True, capture_output=True)
    assert done.returncode == 0, done.stderr


def openssh(passphrase: str, directory: Path, *options: str) -> str:
    path = directory / "key"
    subprocess.run(["ssh-keygen", "-q", *options, "-N", passphrase, "-f", path], check=True)
    return path.read_text()


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="ssh-keygen is not on this machine")
@pytest.mark.parametrize("options", [("-t", "ed25519"), ("-t", "rsa", "-b", "2048", "-m", "PEM")], ids=["OpenSSH", "PEM"])
def test_a_key_with_a_passphrase_is_refused_with_the_way_out(tmp_path: Path, options: tuple[str, ...]) -> None:
    error = refused("ssh-key", openssh(CANARY, tmp_path, *options))
    assert "passphrase" in error.message
    assert "ssh-keygen -p" in error.hint


def test_public_and_outdated_keys_are_told_apart() -> None:
    assert "public key" in refused("ssh-key", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA== anna@laptop").message
    old = dsa.generate_private_key(1024).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    assert "does not use any more" in refused("ssh-key", old).message


def armour(of: str, text: str) -> str:
    return f"-----BEGIN {of}PRIVATE KEY-----\n{text}\n-----END {of}PRIVATE KEY-----"


DEFECTS = {
    "token line break": ("token", f"{CANARY}\nx", "line break"),
    "token C1 control": ("token", f"{CANARY}\x85", "control"),
    "basic no colon": ("basic", CANARY, "no colon"),
    "basic control": ("basic", f"anna:{CANARY}\n", "line break"),
    "basic nothing": ("basic", ":", "neither"),
    "url scheme": ("url", f"mysql://app:{CANARY}@db/shop", "scheme"),
    "url none": ("url", CANARY, "scheme"),
    "url no host": ("url", f"redis://:{CANARY}@/0", "no host"),
    "url port": ("url", f"redis://app:{CANARY}@db:port", "taken apart"),
    "url bracket": ("url", f"redis://app:{CANARY}@[::1", "taken apart"),
    "url hash": ("url", f"postgres://app:12#{CANARY}@db/shop", "ends them"),
    "url slash": ("url", f"postgres://app:12/{CANARY}@db/shop", "ends them"),
    "url question mark": ("url", f"postgres://app:12?{CANARY}@db/shop", "ends them"),
    "url space": ("url", f"redis://:{CANARY} @db", "space"),
    "url control": ("url", f"redis://:{CANARY}\t@db", "control"),
    "url http": ("url", f"https://api.example.com/{CANARY}", "no user"),
    "keyvalue no =": ("keyvalue", f"A=1\n{CANARY}", "line 2"),
    "keyvalue key": ("keyvalue", f"A=1\n{CANARY}.x=1", "key number 2"),
    "keyvalue quote": ("keyvalue", f"A='{CANARY}", "quote"),
    "keyvalue after quote": ("keyvalue", f'A="{CANARY}" {CANARY}', "quote"),
    "keyvalue dollar": ("keyvalue", f"A=x${CANARY}", "$"),
    "keyvalue JSON": ("keyvalue", f'{{"A": "{CANARY}"', "not JSON"),
    "keyvalue JSON key": ("keyvalue", f'{{"{CANARY}-": "1"}}', "key number 1"),
    "keyvalue long key": ("keyvalue", f'{{"A{CANARY}{"x" * 60}": "1"}}', "key number 1"),
    "keyvalue JSON number": ("keyvalue", f'{{"A": "{CANARY}", "B": 1}}', "other than texts"),
    "keyvalue JSON NUL": ("keyvalue", f'{{"A": "{CANARY}\\u0000"}}', "NUL"),
    "keyvalue JSON surrogate": ("keyvalue", f'{{"A": "{CANARY}\\ud800"}}', "UTF-8"),
    "keyvalue JSON grows": ("keyvalue", f'{{"A": "{CANARY}{chr(7) * 20000}"}}', "not JSON"),
    "keyvalue none": ("keyvalue", f"# {CANARY}", "no key"),
    "keyvalue {}": ("keyvalue", "{}", "no key"),
    "s3 neither": ("s3", CANARY, "neither"),
    "s3 list": ("s3", f'["{CANARY}="]', "line 1"),
    "s3 no secret": ("s3", f'{{"access_key_id": "{CANARY}"}}', "no secret_access_key"),
    "s3 no id": ("s3", f'{{"secret_access_key": "{CANARY}"}}', "no access_key_id"),
    "s3 id": ("s3", f'{{"access_key_id": "{CANARY} ", "secret_access_key": "{CANARY}"}}', "access_key_id is not"),
    "s3 secret": ("s3", f'{{"access_key_id": "AKIAX", "secret_access_key": "{CANARY} "}}', "secret_access_key is not"),
    "s3 region": ("s3", f'{{"access_key_id": "AKIAX", "secret_access_key": "{CANARY}", "region": "{CANARY}/"}}', "region"),
    "s3 unknown": ("s3", f'{{"access_key_id": "AKIAX", "secret_access_key": "{CANARY}", "{CANARY}": "x"}}', "do not have"),
    "service account text": ("service-account", CANARY, "not JSON"),
    "service account deep": ("service-account", "[" * 60000, "not JSON"),
    "service account list": ("service-account", f'["{CANARY}"]', "not an object"),
    "service account user": ("service-account", f'{{"type": "authorized_user", "client_secret": "{CANARY}"}}', '"type"'),
    "totp alphabet": ("totp", f"{CANARY}018", "base32"),
    "totp length": ("totp", "ABCDEFGHIJKLMNOPQ", "base32"),
    "totp é": ("totp", f"{SEED}é", "base32"),
    "totp short": ("totp", "JBSWY3DP", "80 bits"),
    "totp counter": ("totp", f"otpauth://hotp/a?secret={SEED}&counter=1", "not made from the time alone"),
    "totp steam": ("totp", f"otpauth://totp/a?secret={SEED}&encoder=steam", "not made from the time alone"),
    "totp digits": ("totp", f"otpauth://totp/a?secret={SEED}&digits={CANARY}", "can be read"),
    "totp period": ("totp", f"otpauth://totp/a?secret={SEED}&period=0", "digits or period"),
    "totp bad seed": ("totp", f"otpauth://totp/a?secret={CANARY}1", "base32"),
    "totp no parameters": ("totp", f"otpauth://totp/{CANARY}?{CANARY}", "can be read"),
    "totp no seed": ("totp", f"otpauth://totp/a?issuer={CANARY}", "without a secret"),
    "totp algorithm": ("totp", f"otpauth://totp/a?secret={SEED}&algorithm={CANARY}", "algorithm"),
    "ssh text": ("ssh-key", CANARY, "no private key"),
    "ssh PEM": ("ssh-key", armour("", CANARY), "no private key"),
    "ssh OpenSSH": ("ssh-key", armour("OPENSSH ", f"{CANARY}=="), "no private key"),
}  # fmt: skip


def assert_not_shown(error: Invalid, text: str, said: str) -> None:
    shown = "".join(traceback.format_exception(error)) + error.hint + repr(error)
    assert CANARY not in shown
    assert SEED not in shown or SEED not in text
    assert said in error.message


@pytest.mark.parametrize("name", DEFECTS)
def test_a_refusal_says_what_is_wrong_and_shows_nothing_of_the_value(name: str) -> None:
    kind, text, said = DEFECTS[name]
    assert_not_shown(refused(kind, text), text, said)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"client_email": None}, "without client_email"),
        ({"client_email": CANARY}, "e-mail"),
        ({"private_key": 5}, "without private_key"),
        ({"project_id": ""}, "without project_id"),
        ({"token_uri": None}, "without token_uri"),
        ({"token_uri": f"http://{CANARY}.example.com/token"}, "token_uri"),
        ({"token_uri": f"https://[{CANARY}"}, "token_uri"),
        ({"token_uri": f"file:///{CANARY}"}, "token_uri"),
        ({"private_key": CANARY}, "private_key"),
        ({"private_key": f"-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----\n"}, "private_key"),
        ({"private_key": "-----BEGIN PRIVATE KEY-----\n\ud800"}, "private_key"),
    ],
)  # fmt: skip
def test_a_defect_of_a_service_account_is_named(changes: dict[str, object], said: str) -> None:
    text = service_account(private_key_id=CANARY, **changes)
    assert_not_shown(refused("service-account", text), text, said)


def test_a_service_account_needs_an_rsa_key() -> None:
    assert "private_key" in refused("service-account", service_account(private_key=ec_pem())).message


@pytest.mark.parametrize("uri", ["http://localhost:9/token", "http://127.0.0.1:9/t", "https://oauth2.example.com/token"])
def test_a_token_uri_is_https_or_on_this_machine(uri: str) -> None:
    assert checked("service-account", service_account(token_uri=uri))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30)
@given(before=st.text(max_size=30), after=st.text(max_size=30))
def test_nothing_around_a_canary_makes_a_refusal_show_it(kind: str, before: str, after: str) -> None:
    for text in (f"{before}{CANARY}{after}", good(kind)[:40] + before + CANARY + after):
        try:
            checked(kind, text)
        except Invalid as error:
            assert CANARY not in "".join(traceback.format_exception(error)) + error.hint
