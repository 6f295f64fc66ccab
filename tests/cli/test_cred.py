"""`vpsctl cred`, as an operator, a script and a terminal see it."""

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.conftest import Vpsctl
from tests.cli.vault_line import audited, process, value, vpsctl
from tests.contract.probe.pages import Page, Site
from tests.e2e.command_line import CommandLine
from tests.operations.credentials.conftest import Deploy, deployed
from tests.unit.credentials.values import good
from vpsctl.app import App
from vpsctl.audit.list import Wanted, list_audit

__all__ = ["deployed", "process", "vpsctl"]  # fixtures
TAKEN = "Basic YXBpOmh1bnRlcjIy"
"""api:hunter22"""


# Storing


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (b"hunter22", "hunter22"),
        (b"hunter22\n", "hunter22"),
        (b"hunter22\r\n", "hunter22"),
        (b"a\nb\n", "a\nb\n"),
        (b" x ", " x "),
    ],
)
def test_a_value_arrives_without_a_single_lines_newline(
    app: App, vpsctl: Vpsctl, tmp_path: Path, given: bytes, kept: str
) -> None:
    file = tmp_path / "value"
    file.write_bytes(given)
    for command, name, how in (("set", "PIPED", ["--from-stdin"]), ("add", "FILED", ["--from-file", str(file)])):
        answer = vpsctl("cred", command, name, *how, stdin=given)
        assert (answer.code, answer.out) == (0, f"{name} is at version 1\n")
        assert "next deploy" in answer.err
        assert value(app, name) == kept
        assert kept not in answer.out + answer.err


def test_a_generated_value_is_stored_and_never_shown(app: App, vpsctl: Vpsctl) -> None:
    made = vpsctl("cred", "set", "DB_PASSWORD", "--generate", "--project", "acme", "--json").data
    assert (made["name"], made["project"], made["version"]) == ("DB_PASSWORD", "acme", 1)
    again = vpsctl("cred", "set", "DB_PASSWORD", "--generate", "--project", "acme")
    assert (again.code, again.out) == (0, "DB_PASSWORD is at version 2\n")
    stored = value(app, "DB_PASSWORD", "acme")
    assert len(stored) == 43
    assert stored not in str(made) + again.out + again.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("TOKEN", "no value for TOKEN, and nobody can be asked here"),
        ("TOKEN --kind s3", "no value for TOKEN, and nobody can be asked here"),
        ("TOKEN --generate --from-stdin", "the value can come from one place only"),
        ("token --generate", "'token' is not a credential's name"),
        ("TOKEN --from-stdin", "credential TOKEN: the value is empty"),
        ("TOKEN --from-file /nonexistent/x", "cannot read /nonexistent/x: No such file or directory"),
        ("TOKEN --kind secret --generate", "there is no kind of credential named secret"),
        ("TOKEN --kind s3 --generate", "a value of kind s3 cannot be made here"),
        ("TOKEN --kind basic --generate", "a new password needs a username, and there is no value yet to take it from"),
        ("TOKEN --kind basic --field password=hunter22", "password is secret, and no secret stands on a command line"),
        ("TOKEN --kind keyvalue --field API_KEY=hunter22", "API_KEY is secret, and no secret stands on a command line"),
        ("TOKEN --kind basic --field user=x", "kind basic has no field user"),
        ("TOKEN --field username", "--field is not KEY=VALUE"),
        ("TOKEN --bucket x --generate", "kind password has no use for --bucket"),
        ("TOKEN --url postgresql://u:hunter22@h/d --generate", "--url holds a password"),
        ("TOKEN --expires 2020-01-01 --generate", "--expires '2020-01-01' is not in the future"),
        ("TOKEN --expires soon --generate", "--expires 'soon' is neither a duration nor a date"),
        ("TOKEN --rotate-every 90 --generate", "--rotate-every '90' is not a duration"),
        ("TOKEN --rotate-every 12h --generate", "--rotate-every 12h is not a number of days up to 3650"),
    ],
)
@pytest.mark.parametrize("command", ["add", "set"])
def test_a_wrong_way_to_store_one_says_the_right_way(vpsctl: Vpsctl, command: str, words: str, message: str) -> None:
    answer = vpsctl("cred", command, *words.split(), "--json")
    assert (answer.code, answer.error["code"]) == (2, "invalid")
    assert message in answer.error["message"]
    assert answer.error["hint"]
    assert "hunter22" not in answer.out + answer.err
    assert vpsctl("cred", "list", "--json").data == []


def test_a_value_on_the_command_line_is_no_way(vpsctl: Vpsctl) -> None:
    assert vpsctl("cred", "set", "TOKEN", "hunter22").code == 2


def test_binary_input_is_refused_without_repeating_it(vpsctl: Vpsctl) -> None:
    answer = vpsctl("cred", "set", "TOKEN", "--from-stdin", stdin=b"hunter22\xff")
    assert (answer.code, answer.out) == (2, "")
    assert "is not UTF-8 text" in answer.err
    assert "hunter22" not in answer.err


def test_an_unknown_project_is_told_and_not_made(vpsctl: Vpsctl) -> None:
    for command in ("add", "set"):
        answer = vpsctl("cred", command, "TOKEN", "--generate", "--project", "nosuch")
        assert (answer.code, answer.sentence) == (3, "there is no project nosuch")
        assert "vpsctl project add nosuch" in answer.hint
    assert [item["slug"] for item in vpsctl("project", "list", "--json").data] == ["acme"]


def test_adding_one_that_is_there_is_refused_before_a_value_is_read(app: App, vpsctl: Vpsctl) -> None:
    vpsctl("cred", "add", "TOKEN", "--from-stdin", "--project", "acme", stdin=b"hunter22")
    answer = vpsctl("cred", "add", "TOKEN", "--project", "acme")  # nobody can be asked, and nobody is
    assert (answer.code, answer.sentence) == (4, "there is a credential acme/TOKEN already")
    assert vpsctl("cred", "add", "TOKEN", "--generate").code == 0  # the machine's own is another one
    assert value(app, "TOKEN", "acme") == "hunter22"


def test_fields_that_are_no_secret_may_stand_on_the_command_line(app: App, vpsctl: Vpsctl) -> None:
    assert vpsctl("cred", "add", "BASIC", "--kind", "basic", "--field", "username=api", "--generate").code == 0
    username, _, password = value(app, "BASIC").partition(":")
    assert (username, len(password)) == ("api", 43)
    words = ["--kind", "s3", "--field", "access_key_id=AKIA1", "--field", "region=eu-1", "--from-stdin"]
    assert vpsctl("cred", "add", "STORE", *words, stdin=b"abcdefgh/123\n").code == 0
    assert json.loads(value(app, "STORE")) == {
        "access_key_id": "AKIA1", "secret_access_key": "abcdefgh/123", "region": "eu-1",
    }  # fmt: skip
    refused = vpsctl("cred", "set", "BASIC", "--field", "username=a:b", "--from-stdin", stdin=b"hunter22")
    assert refused.code == 2
    assert "hunter22" not in refused.err


def test_a_new_version_has_the_kind_of_the_one_before(app: App, vpsctl: Vpsctl) -> None:
    vpsctl("cred", "add", "STORE", "--kind", "s3", "--from-stdin", stdin=good("s3").encode())
    answer = vpsctl("cred", "set", "STORE", "--from-stdin", stdin=b"hunter22")
    assert answer.code == 2
    assert "neither lines of key=value nor a JSON object" in answer.sentence
    other = vpsctl("cred", "set", "STORE", "--kind", "password", "--from-stdin", stdin=b"hunter22")
    assert (other.code, other.sentence) == (4, "credential STORE is of kind s3, not password")


# Looking


def test_the_list_is_a_table_or_json_and_can_be_narrowed(vpsctl: Vpsctl) -> None:
    vpsctl("cred", "set", "TOKEN", "--from-stdin", stdin=b"hunter22")
    vpsctl("cred", "set", "TOKEN", "--from-stdin", "--project", "acme", "--expires", "9d", stdin=b"hunter33")
    vpsctl("cred", "add", "BASIC", "--kind", "basic", "--from-stdin", stdin=b"api:hunter44")
    table = vpsctl("cred", "list")
    assert (table.code, table.err) == (0, "")
    assert [line.split()[:4] for line in table.out.splitlines()[1:]] == [
        ["BASIC", "(all)", "basic", "1"],
        ["TOKEN", "(all)", "password", "1"],
        ["TOKEN", "acme", "password", "2"],
    ]
    listed = vpsctl("cred", "list", "--json")
    assert "hunter" not in table.out + listed.out
    due = f"{datetime.now(UTC) + timedelta(days=9):%Y-%m-%d}"
    assert due in table.out.splitlines()[3]

    def names(*words: str) -> list[tuple[str, str | None]]:
        return [(item["name"], item["project"]) for item in vpsctl("cred", "list", *words, "--json").data]

    assert names("--project", "acme") == [("TOKEN", "acme")]
    assert names("--kind", "basic") == [("BASIC", None)]
    assert names("--expiring") == [("TOKEN", "acme")]
    assert vpsctl("cred", "list", "--kind", "secret").code == 2


def test_one_is_shown_with_all_but_its_value(app: App, vpsctl: Vpsctl, deployed: Deploy) -> None:
    words = [
        "--kind",
        "basic",
        "--url",
        "https://yespo.example.com/api",
        "--description",
        "mailings",
        "--rotate-every",
        "90d",
    ]
    vpsctl("cred", "add", "YESPO", *words, "--from-stdin", stdin=b"api:hunter22")
    deployed("shop", "acme", {"YESPO": 1})
    vpsctl("cred", "set", "YESPO", "--from-stdin", stdin=b"api:hunter33")
    vpsctl("cred", "reveal", "YESPO", "--reason", "looking", "--stdout")
    table = vpsctl("cred", "show", "YESPO")
    told = dict(line.split(None, 1) for line in table.out.splitlines() if not line.startswith(("last", "used", "waits")))
    assert told["url"] == "https://yespo.example.com/api"
    assert told["version"] == "2, of 1 2"
    assert told["rotate"] == "every 90 days"
    assert told["description"] == "mailings"
    assert "used by                shop" in table.out
    assert "waits for a deploy of  shop" in table.out
    assert "last revealed" in table.out
    assert "last used" not in table.out
    document = vpsctl("cred", "show", "YESPO", "--json")
    assert document.data["outdated"] == ["shop"]
    assert "hunter" not in table.out + document.out


def test_versions_are_listed_put_back_and_destroyed(app: App, vpsctl: Vpsctl) -> None:
    for text in (b"hunter22", b"hunter33"):
        vpsctl("cred", "set", "TOKEN", "--from-stdin", stdin=text)
    assert [line.split()[0] for line in vpsctl("cred", "versions", "TOKEN").out.splitlines()] == ["VERSION", "2", "1"]
    back = vpsctl("cred", "rollback", "TOKEN", "--to", "1")
    assert (back.code, back.out) == (0, "TOKEN is at version 3, with the value of version 1\n")
    assert value(app, "TOKEN") == "hunter22"
    asked = vpsctl("cred", "destroy", "TOKEN", "--version", "2")
    assert (asked.code, asked.hint) == (2, "add --confirm TOKEN to go ahead")
    slip = vpsctl("cred", "destroy", "TOKEN", "--version", "2", "--confirm", "TOKE")
    assert (slip.code, slip.sentence) == (2, "--confirm is TOKE, and the credential is TOKEN: nothing was changed")
    assert vpsctl("cred", "destroy", "NOSUCH", "--version", "2").code == 3
    assert vpsctl("cred", "destroy", "TOKEN", "--version", "3").code == 4  # nobody is asked before
    done = vpsctl("cred", "destroy", "TOKEN", "--version", "2", "--confirm", "TOKEN")
    assert (done.code, done.out.partition(";")[0]) == (0, "version 2 of TOKEN is destroyed")
    states = {
        item["version"]: item["destroyed_at"] is not None for item in vpsctl("cred", "versions", "TOKEN", "--json").data
    }
    assert states == {3: False, 2: True, 1: False}
    gone = vpsctl("cred", "reveal", "TOKEN", "--version", "2", "--stdout", "--reason", "trying")
    assert (gone.code, gone.sentence) == (3, "version 2 of credential TOKEN was destroyed")


def test_removing_asks_first(vpsctl: Vpsctl) -> None:
    vpsctl("cred", "set", "TOKEN", "--generate")
    asked = vpsctl("cred", "remove", "TOKEN", "--json")
    assert (asked.code, asked.error["hint"]) == (2, "add --yes to go ahead")
    assert len(vpsctl("cred", "list", "--json").data) == 1
    assert vpsctl("cred", "remove", "TOKEN", "--yes").out == "TOKEN is removed, 1 version\n"
    again = vpsctl("cred", "remove", "TOKEN", "--yes", "--json")
    assert (again.code, again.error["message"]) == (3, "there is no credential TOKEN")


def test_removing_says_what_becomes_of_each_site(vpsctl: Vpsctl, deployed: Deploy) -> None:
    vpsctl("cred", "set", "TOKEN", "--generate")
    vpsctl("cred", "set", "TOKEN", "--generate", "--project", "acme")
    deployed("shop", "acme", {"TOKEN": 2})
    takes = "shop runs with it still, and its next deploy takes the machine's version 1"
    broken = "a release that has it can be neither scaled nor rolled back to"
    asked = vpsctl("cred", "remove", "TOKEN", "--project", "acme")
    assert (asked.code, asked.hint) == (2, "add --yes to go ahead")
    assert f"Every version of TOKEN is deleted for good: {takes}; {broken}." in asked.sentence
    assert vpsctl("cred", "remove", "TOKEN", "--project", "acme", "--yes").err.splitlines() == [takes, broken]
    deployed("shop", "acme", {"TOKEN": 1})
    refused = vpsctl("cred", "remove", "TOKEN")  # nobody is asked before
    assert (refused.code, refused.sentence) == (4, "credential TOKEN is used by shop")
    fails = "shop runs with it still, and its next deploy fails"
    assert vpsctl("cred", "remove", "TOKEN", "--force", "--yes").err.splitlines() == [fails, broken]


def test_a_rotation_says_who_needs_a_deploy(app: App, vpsctl: Vpsctl, deployed: Deploy) -> None:
    vpsctl("cred", "set", "TOKEN", "--from-stdin", stdin=b"hunter22")
    deployed("shop", "acme", {"TOKEN": 1})
    done = vpsctl("cred", "rotate", "TOKEN")
    assert (done.code, done.out) == (0, "TOKEN is at version 2\n")
    assert done.err == "still with the value before, until they are deployed: shop\n"
    assert len(value(app, "TOKEN")) == 43
    assert vpsctl("cred", "usage", "TOKEN").out.splitlines()[1].split() == ["site", "shop", "1", "vpsctl", "deploy", "shop"]
    assert vpsctl("cred", "usage", "TOKEN", "--json").data == {
        "name": "TOKEN",
        "project": None,
        "version": 2,
        "uses": [{"kind": "site", "name": "shop", "version": 1, "needs_deploy": True}],
    }
    deployed("shop", "acme", {"TOKEN": 2})
    given = vpsctl("cred", "rotate", "TOKEN", "--from-stdin", stdin=b"hunter44\n")
    assert (given.out, value(app, "TOKEN")) == ("TOKEN is at version 3\n", "hunter44")


def test_what_ends_soon_is_told_and_under_quiet_nothing_else(vpsctl: Vpsctl) -> None:
    vpsctl("cred", "set", "FAR", "--generate", "--expires", "60d")
    nothing = vpsctl("cred", "expiring")
    assert (nothing.code, nothing.out) == (0, "")
    assert nothing.err == "no credential ends or is due for a new value within 30d\n"
    quiet = vpsctl("cred", "expiring", "--quiet")
    assert (quiet.code, quiet.out, quiet.err) == (0, "", "")
    vpsctl("cred", "set", "NEAR", "--generate", "--expires", f"{datetime.now(UTC) + timedelta(days=5):%Y-%m-%dT%H:%MZ}")
    told = vpsctl("cred", "expiring", "--quiet")
    assert [line.split()[:6] for line in told.out.splitlines()[1:]] == [["7", "d", "NEAR", "(all)", "password", "expires"]]
    found = vpsctl("cred", "expiring", "--within", "10w", "--json").data
    assert [(item["name"], item["bucket"], item["why"]) for item in found] == [
        ("NEAR", "7", "expires"),
        ("FAR", "later", "expires"),
    ]
    assert vpsctl("cred", "expiring", "--within", "soon").code == 2


# Opening


def test_a_value_is_shown_on_no_pipe_unless_asked_for(app: App, vpsctl: Vpsctl) -> None:
    vpsctl("cred", "add", "BASIC", "--kind", "basic", "--from-stdin", stdin=b"api:hunter22")
    for words in ([], ["--json"]):
        refused = vpsctl("cred", "reveal", "BASIC", "--reason", "looking", *words)
        assert refused.code == 2
        assert "--stdout" in refused.err
        assert "hunter22" not in refused.out + refused.err
    unexplained = vpsctl("cred", "reveal", "BASIC", "--stdout")
    assert (unexplained.code, unexplained.sentence) == (2, "a reveal needs a reason, and nobody can be asked here")
    assert audited(app, "credential.reveal") == 0
    shown = vpsctl("cred", "reveal", "BASIC", "--reason", "looking", "--stdout", "--field", "password")
    assert (shown.code, shown.out, shown.err) == (0, "hunter22\n", "")
    document = vpsctl("cred", "reveal", "BASIC", "--reason", "looking", "--stdout", "--json").data
    assert document == {
        "name": "BASIC", "project": None, "kind": "basic", "version": 1, "field": None, "value": "api:hunter22",
    }  # fmt: skip
    assert audited(app, "credential.reveal") == 2


def test_a_key_is_shown_as_its_file_would_be(vpsctl: Vpsctl) -> None:
    vpsctl("cred", "add", "DEPLOY", "--kind", "ssh-key", "--generate")
    shown = vpsctl("cred", "reveal", "DEPLOY", "--reason", "looking", "--stdout").out
    assert shown.startswith("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    assert shown.endswith("-----END OPENSSH PRIVATE KEY-----\n")


SHOW = "import os, sys; print(os.environ['YESPO_PASSWORD'], os.environ['TOKEN'], sys.argv[1:]); sys.exit(7)"


def test_a_command_gets_what_it_needs_and_is_itself(app: App, vpsctl: Vpsctl, process: CommandLine) -> None:
    vpsctl("cred", "add", "YESPO", "--kind", "basic", "--from-stdin", stdin=b"api:hunter22")
    vpsctl("cred", "add", "TOKEN", "--project", "acme", "--from-stdin", stdin=b"hunter33")
    words = ["cred", "use", "YESPO", "TOKEN", "--project", "acme", "--", "python3", "-c", SHOW, "--json", "--", "x"]
    ran = process.run(*words)
    assert (ran.returncode, ran.stdout, ran.stderr) == (7, "hunter22 hunter33 ['--json', '--', 'x']\n", "")
    (row,) = list_audit(app, Wanted(action="credential.use"))
    assert row.fields == {"names": ["YESPO", "TOKEN"], "versions": [1, 1], "program": "python3"}
    unknown = vpsctl("cred", "use", "YESPO", "--", "no-such-program")
    assert (unknown.code, unknown.sentence) == (2, "there is no program 'no-such-program'")
    for words in (["YESPO"], ["YESPO", "true"], ["YESPO", "--"]):
        none = vpsctl("cred", "use", *words)
        assert (none.code, none.sentence) == (2, "there is no command to run")
    assert vpsctl("cred", "use", "--", "true").code == 2
    assert vpsctl("cred", "use", "NOSUCH", "--", "true").code == 3
    assert audited(app, "credential.use") == 1


def test_a_test_says_what_came_of_it_by_its_exit_code_too(vpsctl: Vpsctl) -> None:
    with closing(Site(lambda asked: Page(200 if asked.headers.get("authorization") == TAKEN else 401))) as page:
        vpsctl("cred", "add", "YESPO", "--kind", "basic", "--url", page.url, "--from-stdin", stdin=b"api:hunter22")
        good_ = vpsctl("cred", "test", "YESPO")
        assert (good_.code, good_.out, good_.err) == (0, f"YESPO: {page.url} answered 200\n", "")
        vpsctl("cred", "set", "YESPO", "--from-stdin", stdin=b"api:hunter33")
        bad = vpsctl("cred", "test", "YESPO")
        assert (bad.code, bad.sentence) == (6, f"YESPO: {page.url}: the credential was refused (status 401)")
        document = vpsctl("cred", "test", "YESPO", "--json")
        assert document.code == 6
        assert json.loads(document.out)["data"]["ok"] is False
        assert json.loads(document.out)["data"]["reached"] is True
        assert bad.hint == "vpsctl cred set YESPO stores another value"
    unheard = vpsctl("cred", "test", "YESPO", "--url", "http://127.0.0.1:1/")
    assert (unheard.code, unheard.sentence.partition(": ")[2][:18]) == (5, "http://127.0.0.1:1")
    assert unheard.hint == "this tells nothing of its value; where it is tried: vpsctl cred show YESPO"
    unheard = vpsctl("cred", "test", "YESPO", "--url", "http://127.0.0.1:1/", "--json")
    assert (unheard.code, json.loads(unheard.out)["data"]["reached"]) == (5, False)
    vpsctl("cred", "add", "KEYS", "--kind", "keyvalue", "--from-stdin", stdin=b"API_KEY=hunter22")
    nowhere = vpsctl("cred", "test", "KEYS")
    assert nowhere.code == 0
    assert "not connected to anything" in nowhere.out
    assert vpsctl("cred", "test", "KEYS", "--url", "http://127.0.0.1:1/").code == 2


# Moving


def test_what_a_file_holds_is_stored_or_told_first(app: App, vpsctl: Vpsctl, process: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("API_KEY=hunter22\nDB_URL=postgresql://u:hunter33@h/d\n")
    dry = vpsctl("cred", "import", str(file), "--project", "acme", "--dry-run")
    assert [line.split() for line in dry.out.splitlines()[1:]] == [
        ["acme/API_KEY", "-", "would", "be", "added"],
        ["acme/DB_URL", "-", "would", "be", "added"],
    ]
    assert vpsctl("cred", "list", "--json").data == []
    done = vpsctl("cred", "import", str(file), "--project", "acme", "--only", "API_KEY")
    assert done.out.splitlines()[1].split() == ["acme/API_KEY", "1", "added"]
    assert value(app, "API_KEY", "acme") == "hunter22"
    piped = process.run("cred", "import", "-", "--format", "dotenv", "--project", "acme", stdin="API_KEY=hunter44\n")
    assert piped.returncode == 4
    assert process.data("cred", "import", "-", "--project", "acme", "--replace", stdin="API_KEY=hunter44\n")["changed"] == {
        "acme/API_KEY": 2
    }
    assert value(app, "API_KEY", "acme") == "hunter44"
    missing = vpsctl("cred", "import", str(tmp_path / "none"))
    assert missing.code == 3
    wrong = vpsctl("cred", "import", str(file), "--format", "xml")
    assert (wrong.code, wrong.sentence) == (2, "there is no format 'xml'")
    unheard = vpsctl("cred", "import", str(file), "--passphrase")
    assert (unheard.code, unheard.sentence) == (2, "nobody can be asked for a passphrase here")
    assert "hunter" not in "".join(answer.out + answer.err for answer in (dry, done, missing, wrong))


def test_an_export_is_opened_by_its_key_alone(app: App, vpsctl: Vpsctl, tmp_path: Path) -> None:
    import pyrage  # type: ignore[import-untyped]

    key = pyrage.x25519.Identity.generate()
    (tmp_path / "key.txt").write_text(f"{key}\n")
    vpsctl("cred", "add", "TOKEN", "--project", "acme", "--from-stdin", stdin=b"hunter22")
    to = tmp_path / "out.age"
    words = ["cred", "export", "--to", str(to)]
    nobody = vpsctl(*words, "--reason", "a new server")
    assert (nobody.code, nobody.sentence) == (2, "an export needs somebody who can open it, by a key or by a passphrase")
    unexplained = vpsctl(*words, "--recipient", str(key.to_public()))
    assert (unexplained.code, unexplained.sentence) == (2, "an export needs a reason, and nobody can be asked here")
    assert not to.exists()
    done = vpsctl(*words, "--recipient", str(key.to_public()), "--reason", "a new server")
    assert done.out.startswith(f"1 credential in {to}, ")
    assert b"hunter22" not in to.read_bytes()
    vpsctl("cred", "remove", "TOKEN", "--project", "acme", "--yes")
    assert vpsctl("cred", "import", str(to)).code == 2
    back = vpsctl("cred", "import", str(to), "--identity", str(tmp_path / "key.txt"))
    assert back.out.splitlines()[1].split() == ["acme/TOKEN", "2", "added"]
    assert value(app, "TOKEN", "acme") == "hunter22"
