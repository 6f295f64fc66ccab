"""`vpsctl cred`, as an operator, a script and a terminal see it."""

import io
import json
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.conftest import Answer, Vpsctl
from tests.contract.probe.pages import Page, Site
from tests.e2e.command_line import VPSCTL, CommandLine, write_settings
from tests.operations.credentials.conftest import Deploy, deployed
from tests.screen import Screen
from tests.unit.credentials.values import good
from vpsctl.app import App
from vpsctl.audit.list import Wanted, list_audit
from vpsctl.cli.main import run as run_command
from vpsctl.credentials.read import open_credential
from vpsctl.projects.write import add_project

__all__ = ["deployed"]  # a fixture
TAKEN = "Basic YXBpOmh1bnRlcjIy"
"""api:hunter22"""


@pytest.fixture
def vpsctl(app: App, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Vpsctl:
    """`vpsctl("cred", "list")` in this process, on a database of its own with a project acme."""
    assert app.settings.postgres_url
    monkeypatch.setenv("VPSCTL_HOME", str(app.settings.home))
    monkeypatch.setenv("VPSCTL_POSTGRES_URL", app.settings.postgres_url.reveal())
    add_project(app, "acme")

    def call(*words: str, stdin: bytes = b"") -> Answer:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
            code = run_command(list(words))
        captured = capsys.readouterr()
        return Answer(code, captured.out, captured.err)

    return call


@pytest.fixture
def process(app: App, tmp_path: Path) -> CommandLine:
    """The same as processes."""
    assert app.settings.postgres_url
    values = {"home": str(app.settings.home), "postgres_url": app.settings.postgres_url.reveal()}
    return CommandLine(write_settings(tmp_path / "config.toml", **values))


@pytest.fixture
def screen(process: CommandLine) -> Iterator["OpenScreen"]:
    """`screen("cred", "add", …)` is vpsctl on a terminal."""
    opened = OpenScreen(process)
    yield opened
    for item in opened.screens:
        item.close()


class OpenScreen:
    def __init__(self, process: CommandLine) -> None:
        self.process = process
        self.screens: list[Screen] = []

    def __call__(self, *words: str) -> Screen:
        environment = {**self.process.environment(), "TERM": "xterm", "COLUMNS": "100", "NO_COLOR": "1"}
        self.screens.append(Screen([VPSCTL, *words], environment))
        return self.screens[-1]


def value(app: App, name: str, project: str | None = None) -> str:
    return open_credential(app, name, project=project).value.reveal()


def audited(app: App, action: str) -> int:
    return len(list_audit(app, Wanted(action=action)))


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
        ("TOKEN --kind s3 --generate", "a new S3 keys cannot be made here"),
        ("TOKEN --kind basic --generate", "a new password needs a username, and there is no value yet to take it from"),
        ("TOKEN --kind basic --field password=hunter22", "has no field that may stand on a command line"),
        ("TOKEN --kind keyvalue --field API_KEY=hunter22", "has no field that may stand on a command line"),
        ("TOKEN --kind basic --field user=x", "a basic authentication has no field user"),
        ("TOKEN --field username", "--field is not KEY=VALUE"),
        ("TOKEN --bucket x --generate", "a password has no use for --bucket"),
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
    assert vpsctl("cred", "destroy", "TOKEN", "--version", "3", "--confirm", "TOKEN").code == 4
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
        assert vpsctl("cred", "test", "YESPO", "--url", "http://127.0.0.1:1/").code == 6
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
    assert (unheard.code, unheard.sentence) == (2, "a passphrase is typed, and nobody can be asked here")
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


# On a terminal


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
    shell = screen("cred", "use", "TOKEN", "--", "sh", "-c", 'test -t 0 && read line && echo "$line-${#TOKEN}"; sleep 60')
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
    for second, code in (("other words", 2), ("some words", 0)):
        asked = screen("cred", "export", "--to", to, "--passphrase", "--reason", "a new server")
        asked.expect("A passphrase for it: ")
        asked.type("some words\n")
        asked.expect("The same again: ")
        asked.type(f"{second}\n")
        ended, seen = asked.end()
        assert ended == code, seen
        assert "words" not in seen.partition("again: ")[2].replace("two passphrases", "")
    vpsctl("cred", "remove", "TOKEN", "--yes")
    asked = screen("cred", "import", to, "--passphrase")
    asked.expect("Its passphrase: ")
    asked.type("some words\n")
    ended, seen = asked.end()
    assert ended == 0, seen
    assert value(app, "TOKEN") == "hunter22"
