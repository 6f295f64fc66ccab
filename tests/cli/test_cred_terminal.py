"""`vpsctl cred` on a terminal: what is asked for, what is shown, and what never is."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Vpsctl
from tests.cli.vault_line import OpenScreen, process, screen, value, vpsctl
from tests.operations.credentials.conftest import Deploy, deployed
from tests.unit.credentials.values import good
from vpsctl.app import App
from vpsctl.audit.list import Wanted, list_audit

__all__ = ["deployed", "process", "screen", "vpsctl"]  # fixtures


def test_each_part_is_asked_for_and_secret_ones_unseen(app: App, vpsctl: Vpsctl, screen: OpenScreen) -> None:
    asked = screen("cred", "add", "STORE", "--kind", "s3", "--field", "region=eu-1")
    asked.expect("access_key_id of STORE: ")
    asked.type("AKIA1\n")
    asked.expect("secret_access_key of STORE (not shown): ")
    asked.type("hunter22hunter22\n")
    asked.expect("session_token of STORE (not shown, may be empty): ")
    asked.type("\n")
    code, seen = asked.end()
    assert code == 0, seen
    assert "hunter22" not in seen
    stored = {"access_key_id": "AKIA1", "secret_access_key": "hunter22hunter22", "region": "eu-1"}
    assert json.loads(value(app, "STORE")) == stored


def test_keys_of_a_set_are_asked_for_until_an_empty_one(app: App, vpsctl: Vpsctl, screen: OpenScreen) -> None:
    asked = screen("cred", "add", "KEYS", "--kind", "keyvalue")
    for key, text in (("API_KEY", "hunter22"), ("API_HOST", "h")):
        asked.expect("Key in KEYS (empty to end): ")
        asked.type(f"{key}\n")
        asked.expect(f"Value of {key} (not shown): ")
        asked.type(f"{text}\n")
        asked.seen = b""
    asked.expect("Key in KEYS (empty to end): ")
    asked.type("\n")
    code, seen = asked.end()
    assert code == 0, seen
    assert "hunter22" not in seen
    assert json.loads(value(app, "KEYS")) == {"API_KEY": "hunter22", "API_HOST": "h"}


def test_a_value_of_many_lines_is_asked_for_as_a_file(app: App, vpsctl: Vpsctl, screen: OpenScreen, tmp_path: Path) -> None:
    key = tmp_path / "key.json"
    key.write_text(good("service-account"))
    asked = screen("cred", "add", "BQ", "--kind", "service-account")
    asked.expect("File that holds BQ: ")
    asked.type(f"{key}\n")
    code, seen = asked.end()
    assert code == 0, seen
    assert value(app, "BQ") == good("service-account")


@pytest.mark.parametrize(("typed", "code", "said"), [("\x03", 130, "interrupted"), ("\x04", 2, "no value for TYPED")])
def test_who_types_nothing_stores_nothing(vpsctl: Vpsctl, screen: OpenScreen, typed: str, code: int, said: str) -> None:
    asked = screen("cred", "add", "TYPED", "--kind", "basic")
    asked.expect("username of TYPED: ")
    asked.type(typed)
    ended, seen = asked.end()
    assert ended == code
    assert f"error: {said}" in seen
    assert "Traceback" not in seen
    assert vpsctl("cred", "list", "--json").data == []


def test_a_terminal_is_shown_the_value_for_a_reason(app: App, vpsctl: Vpsctl, screen: OpenScreen) -> None:
    vpsctl("cred", "set", "TOKEN", "--from-stdin", stdin=b"hunter22")
    asked = screen("cred", "reveal", "TOKEN")
    asked.expect("Why (the audit trail keeps it): ")
    asked.type("no\n")
    code, seen = asked.end()
    assert code == 2
    assert "hunter22" not in seen
    asked = screen("cred", "reveal", "TOKEN")
    asked.expect("Why")
    asked.type("moving the shop\n")
    code, seen = asked.end()
    assert code == 0
    assert seen.splitlines()[-1] == "hunter22"
    (row,) = list_audit(app, Wanted(action="credential.reveal"))
    assert row.fields["reason"] == "moving the shop"


def test_a_version_is_destroyed_after_the_name_is_typed(vpsctl: Vpsctl, screen: OpenScreen) -> None:
    for _ in range(2):
        vpsctl("cred", "set", "TOKEN", "--generate")
    for typed, code in (("y", 2), ("TOKEN", 0)):
        asked = screen("cred", "destroy", "TOKEN", "--version", "1")
        asked.expect("Type TOKEN to go ahead: ")
        asked.type(f"{typed}\n")
        assert asked.end()[0] == code


def test_a_command_has_the_terminal(vpsctl: Vpsctl, screen: OpenScreen) -> None:
    vpsctl("cred", "set", "TOKEN", "--from-stdin", stdin=b"hunter22")
    script = 'test -t 0 && read line && echo "$line-${#TOKEN}"; exec sleep 60'
    shell = screen("cred", "use", "TOKEN", "--", "sh", "-c", script)
    shell.type("typed\n")
    shell.expect("typed-8")
    shell.type("\x03")
    code, seen = shell.end()
    assert code in (-2, 130)  # sh itself died of it, or told that its command did
    assert "error" not in seen
    assert "hunter22" not in seen


def test_an_export_with_a_passphrase_asks_twice(app: App, vpsctl: Vpsctl, screen: OpenScreen, tmp_path: Path) -> None:
    vpsctl("cred", "set", "TOKEN", "--from-stdin", stdin=b"hunter22")
    to = str(tmp_path / "out.age")
    for second, code in (("other words", 2), ("some more words", 0)):
        asked = screen("cred", "export", "--to", to, "--passphrase", "--reason", "a new server")
        asked.expect("Passphrase (not shown): ")
        asked.type("some more words\n")
        asked.expect("The same again: ")
        asked.type(f"{second}\n")
        ended, seen = asked.end()
        assert ended == code, seen
        assert "words" not in seen.partition("again: ")[2].replace("two passphrases", "")
    vpsctl("cred", "remove", "TOKEN", "--yes")
    asked = screen("cred", "import", to, "--passphrase")
    asked.expect("Passphrase (not shown): ")
    asked.type("some more words\n")
    ended, seen = asked.end()
    assert ended == 0, seen
    assert value(app, "TOKEN") == "hunter22"


def test_tables_of_eighty_columns_have_every_word_whole(
    app: App, vpsctl: Vpsctl, screen: OpenScreen, deployed: Deploy
) -> None:
    for name in ("CLICKHOUSE_REPORTS_URL", "DB_PASSWORD", "YESPO_API_TOKEN"):
        vpsctl("cred", "add", name, "--kind", "token", "--expires", "2030-12-01", "--project", "acme", "--generate")
    vpsctl("cred", "set", "DB_PASSWORD", "--project", "acme", "--generate")
    deployed("reports-acme", "acme", {"CLICKHOUSE_REPORTS_URL": 1, "DB_PASSWORD": 1})
    deployed("shop-acme", "acme", {"CLICKHOUSE_REPORTS_URL": 1, "DB_PASSWORD": 2})
    vpsctl("user", "add", "anna", "--role", "admin", "--email", "anna@example.com")
    vpsctl("token", "create", "--user", "anna", "--name", "deploy-pipeline", "--scope", "sites:deploy", "--stdout")
    for words in ("cred list", "token list", "audit list", "project list", "key status", "user list"):
        answer = vpsctl(*words.split())
        code, seen = screen(*words.split(), columns=80).end()
        assert (code, answer.code) == (0, 0), seen
        lines = seen.splitlines()
        rule = next(place for place, line in enumerate(lines) if line.startswith("─"))
        assert max(map(len, lines[rule - 1 :])) <= 80, seen
        piped = answer.out.splitlines()
        heading = next(place for place, line in enumerate(piped) if line.isupper())
        cells = {word for line in piped[heading + 1 :] for word in line.split() if word != "-"}
        assert cells <= {word for line in lines for word in line.split()}, words
    _, seen = screen("cred", "list", columns=80).end()
    at = seen.splitlines().index("    USED BY reports-acme shop-acme")
    assert seen.splitlines()[at - 1].startswith("CLICKHOUSE_REPORTS_URL  acme     token  1  ")
