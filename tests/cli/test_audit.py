"""`vpsctl audit`, as an operator and a program see it."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Answer
from tests.postgres import execute
from vpsctl.app import Actor, App
from vpsctl.audit.record import record
from vpsctl.cli.main import run as run_command
from vpsctl.settings import Settings


class Machine:
    """A trail of its own, and the command line on it."""

    def __init__(self, settings: Settings, url: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.settings, self._url, self._capsys = settings, url, capsys

    def __call__(self, *words: str) -> Answer:
        code = run_command(["audit", *words])
        captured = self._capsys.readouterr()
        return Answer(code, captured.out, captured.err)

    def write(self, rows: int = 1, actor: Actor | None = None, **told: Any) -> None:
        with App(self.settings, actor or Actor("anna", "cli")) as app:
            for number in range(1, rows + 1):
                row = {"action": "credential.set", "target": "credential:A", "fields": {"version": number}, **told}
                with app.database.transaction() as session:
                    record(app, session, **row)

    def change(self, statement: str) -> None:
        execute(self._url, statement)


@pytest.fixture
def audit(
    settings: Settings, database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Machine:
    monkeypatch.setenv("VPSCTL_HOME", str(settings.home))
    monkeypatch.setenv("VPSCTL_POSTGRES_URL", database_url)
    return Machine(settings, database_url, capsys)


def test_the_list_is_a_table_newest_first_that_moves_no_cursor(audit: Machine) -> None:
    audit.write()
    audit.write(
        actor=Actor("ben", "api", "203.0.113.5"), action="site.add", target="site:shop\x1b[2J", fields={"n": [1, "a"]}
    )
    answer = audit("list")
    assert (answer.code, answer.err) == (0, "")
    head, second, first = answer.out.splitlines()
    assert head.split() == ["ROW", "AT", "BY", "FROM", "ACTION", "TARGET", "FIELDS", "RUN"]
    assert first.split()[0] == "1"
    assert first.split()[3:] == ["anna", "cli", "credential.set", "credential:A", "version:", "1", "-"]
    assert second.split()[3:] == ["ben", "api", "203.0.113.5", "site.add", "site:shop\\x1b[2J", "n:", "[1,", '"a"]', "-"]


def test_the_list_is_filtered_and_goes_on_where_it_stopped(audit: Machine) -> None:
    audit.write(5)
    audit.write(actor=Actor("ben", "api"), action="site.add", target="site:shop")

    def listed(*words: str) -> list[int]:
        return [row["id"] for row in audit("list", "--json", *words).data]

    assert listed("--actor", "ben") == listed("--action", "site") == listed("--target", "site:*") == [6]
    assert listed("--door", "api", "--since", "1h", "--limit", "3") == [6]
    assert listed("--until", "1h") == listed("--since", "2999-01-01") == []
    assert listed("--limit", "2") == [6, 5]
    assert listed("--limit", "2", "--before", "5") == [4, 3]
    assert "--before 5" in audit("list", "--limit", "2").err
    assert audit("list", "--limit", "2", "--quiet").err == ""
    assert audit("list", "--json").data[0] == {
        "id": 6,
        "at": audit("show", "6", "--json").data["row"]["at"],
        "actor": "ben",
        "door": "api",
        "origin": "",
        "action": "site.add",
        "target": "site:shop",
        "fields": {"version": 1},
        "run_id": None,
    }


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["list", "--since", "yesterday"], "--since 'yesterday' is neither a duration nor a time"),
        (["list", "--until", "1y"], "--until '1y' is neither a duration nor a time"),
        (["export", "--since", "x"], "--since 'x' is neither a duration nor a time"),
        (["list", "--limit", "0"], "0 is not in the range"),
        (["list", "--before", "99999999999999999999"], "is not in the range"),
        (["show", "99999999999999999999"], "is not in the range"),
        (["show", "x"], "'x' is not a valid int"),
    ],
)
def test_a_command_line_that_is_wrong(audit: Machine, words: list[str], sentence: str) -> None:
    answer = audit(*words)
    assert answer.code == 2
    assert sentence in answer.sentence


def test_one_row_is_shown_with_its_place(audit: Machine) -> None:
    audit.write(2, run_id=7)
    answer = audit("show", "1")
    assert (answer.code, answer.err) == (0, "")
    told = dict(line.split(None, 1) for line in answer.out.splitlines())
    assert (told["action"], told["fields"], told["by"]) == ("credential.set", "version: 1", "anna")
    assert told["run"] == "7, it is no longer there"
    assert told["place"] == "intact: as it was written, between the rows it was written between"
    shown = audit("show", "1", "--json").data
    assert (shown["intact"], shown["mac"]) == (True, audit("show", "2", "--json").data["previous"])
    audit.change("UPDATE audit SET fields = '[1]' WHERE id = 1")
    assert "BROKEN: it is not as vpsctl wrote it at this place" in audit("show", "1").out
    answer = audit("show", "9")
    assert (answer.code, answer.sentence, answer.hint) == (3, "there is no audit row 9", "vpsctl audit list")


def test_a_whole_trail_is_told_with_the_end_to_note_down(audit: Machine) -> None:
    audit.write(2)
    answer = audit("verify")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.splitlines()[0] == "2 rows are as written"
    verified = audit("verify", "--json").data
    assert answer.out.splitlines()[1] == f"row 2 ends the trail: {verified['head_mac']}"
    assert (verified["rows"], verified["first"], verified["last"], verified["problems"]) == (2, 1, 2, [])
    assert audit("verify").out.startswith("2 rows are as written; the trail goes on from where it ended on 20")
    silent = audit("verify", "--quiet")
    assert (silent.code, silent.out, silent.err) == (0, "", "")
    assert audit("verify", "--quiet", "--json").data["rows"] == 2
    assert stat.S_IMODE((audit.settings.home / "audit-anchor").stat().st_mode) == 0o600


def test_a_trail_that_was_changed_fails_with_every_row_named(audit: Machine) -> None:
    audit.write(6)
    audit.change("UPDATE audit SET actor = 'mallory' WHERE id IN (2, 5)")
    audit.change("DELETE FROM audit WHERE id = 4")
    answer = audit("verify")
    assert answer.code == 6
    assert [line.split()[:2] for line in answer.out.splitlines()[1:]] == [
        ["2", "changed"],
        ["4", "missing"],
        ["5", "changed"],
    ]
    error, hint = answer.err.splitlines()
    assert error == "error: the audit trail is not as it was written: row 2 is not as vpsctl wrote it; 2 more are wrong"
    assert hint == "hint:  vpsctl audit show 2"
    told = audit("verify", "--json")
    assert (told.code, told.err) == (6, f"{error}\n")
    document = json.loads(told.out)
    assert list(document) == ["data"]
    assert [(problem["row"], problem["kind"]) for problem in document["data"]["problems"]] == [
        (2, "changed"),
        (4, "missing"),
        (5, "changed"),
    ]
    assert not (audit.settings.home / "audit-anchor").exists()


def test_a_hint_leads_on_from_each_kind_of_problem(audit: Machine) -> None:
    audit.write(4)
    audit("verify")
    audit.change("DELETE FROM audit WHERE id = 2")
    assert audit("verify").err.splitlines()[1] == "hint:  vpsctl audit list --before 4"
    audit.change("DELETE FROM audit WHERE id > 2")
    (audit.settings.home / "audit-anchor").rename(audit.settings.home / "kept")
    assert audit("verify").err.splitlines()[1] == "hint:  vpsctl audit list"
    (audit.settings.home / "kept").rename(audit.settings.home / "audit-anchor")
    audit.change("DELETE FROM audit")
    audit.change("UPDATE audit_head SET last = 0, mac = earlier_digest, seal = NULL")
    first, hint = audit("verify").err.splitlines()
    assert first.startswith("error: the audit trail is not as it was written: the trail ends at row 0, and on 20")
    anchor = audit.settings.home / "audit-anchor"
    assert hint == f"hint:  if you restored the database from a backup, remove {anchor}, then vpsctl audit verify"
    anchor.unlink()
    assert audit("verify").code == 0


def test_without_the_master_key_its_own_sentence_is_told(audit: Machine) -> None:
    audit.write(1)
    (audit.settings.home / "proxy").mkdir()
    (audit.settings.home / "master.key").unlink()
    answer = audit("verify")
    assert answer.code == 3
    assert "there is no master key at" in answer.sentence
    assert audit("list").code == 0


def test_the_export_is_json_lines_on_stdout_or_in_a_new_private_file(audit: Machine, tmp_path: Path) -> None:
    audit.write(3)
    answer = audit("export")
    assert (answer.code, answer.err) == (0, "")
    documents = [json.loads(line) for line in answer.out.splitlines()]
    assert [document.get("id") for document in documents] == [1, 2, 3, None]
    assert documents[-1]["head"]["mac"] == documents[-2]["mac"]
    path = tmp_path / "audit.jsonl"
    done = audit("export", "--to", str(path))
    assert (done.code, done.out) == (0, f"3 rows in {path}\n")
    assert path.read_text() == answer.out
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = audit("export", "--to", str(path))
    assert (again.code, again.sentence) == (4, f"{path} is there already")
    assert audit("export", "--since", "2999-01-01").out.count("\n") == 1
    assert audit("export", "--since", "1h", "--json").out == answer.out
