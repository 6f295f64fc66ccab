"""`vpsctl cred` and `vpsctl run`, as an operator and a program see them."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vpsctl.app import App
from vpsctl.cli.main import run as run_command
from vpsctl.credentials.read import read_credentials
from vpsctl.errors import Failed
from vpsctl.runs import start_run

Vpsctl = Callable[..., tuple[int, str, str]]


@pytest.fixture
def vpsctl(app: App, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Vpsctl:
    """`vpsctl("cred", "list")` gives (exit code, stdout, stderr)."""
    assert app.settings.postgres_url
    monkeypatch.setenv("VPSCTL_HOME", str(app.settings.home))
    monkeypatch.setenv("VPSCTL_POSTGRES_URL", app.settings.postgres_url.reveal())

    def call(*words: str, stdin: bytes = b"") -> tuple[int, str, str]:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
            code = run_command(list(words))
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def data(answer: tuple[int, str, str]) -> Any:
    code, out, err = answer
    assert (code, err) == (0, "")
    return json.loads(out)["data"]


def error(answer: tuple[int, str, str]) -> tuple[int, dict[str, str]]:
    code, out, _ = answer
    return code, json.loads(out)["error"]


def value(app: App, name: str, project: str | None = None) -> str:
    return read_credentials(app, [name], project=project)[name][0].reveal()


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
@pytest.mark.parametrize("source", ["--from-stdin", "--from-file"])
def test_a_value_arrives_without_a_single_lines_newline(
    app: App, vpsctl: Vpsctl, tmp_path: Path, source: str, given: bytes, kept: str
) -> None:
    file = tmp_path / "value"
    file.write_bytes(given)
    how = [source] if source == "--from-stdin" else [source, str(file)]
    code, out, err = vpsctl("cred", "set", "TOKEN", *how, stdin=given)
    assert (code, out) == (0, "TOKEN is at version 1\n")
    assert "next deploy" in err
    assert value(app, "TOKEN") == kept
    assert kept not in out + err


def test_a_generated_value_is_stored_and_never_shown(app: App, vpsctl: Vpsctl) -> None:
    made = data(vpsctl("cred", "set", "DB_PASSWORD", "--generate", "--project", "acme", "--json"))
    assert (made["name"], made["project"], made["version"]) == ("DB_PASSWORD", "acme", 1)
    again = vpsctl("cred", "set", "DB_PASSWORD", "--generate", "--project", "acme")
    assert again[:2] == (0, "DB_PASSWORD is at version 2\n")
    stored = value(app, "DB_PASSWORD", "acme")
    assert len(stored) == 43
    assert stored not in str(made) + again[1] + again[2]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["TOKEN"], "no value for TOKEN, and nobody can be asked here"),
        (["TOKEN", "--generate", "--from-stdin"], "the value can come from one place only"),
        (["token", "--generate"], "'token' is not a credential's name"),
        (["TOKEN", "--from-stdin"], "the value of TOKEN is empty"),
        (["TOKEN", "--from-file", "/nonexistent/x"], "cannot read /nonexistent/x: No such file or directory"),
    ],
)
def test_a_wrong_way_to_set_one_says_the_right_way(vpsctl: Vpsctl, words: list[str], message: str) -> None:
    code, told = error(vpsctl("cred", "set", *words, "--json"))
    assert (code, told["code"], told["message"]) == (2, "invalid", message)
    assert told["hint"]


def test_a_value_on_the_command_line_is_no_way(vpsctl: Vpsctl) -> None:
    assert vpsctl("cred", "set", "TOKEN", "hunter22")[0] == 2


def test_binary_input_is_refused_without_repeating_it(vpsctl: Vpsctl) -> None:
    code, out, err = vpsctl("cred", "set", "TOKEN", "--from-stdin", stdin=b"hunter22\xff")
    assert (code, out) == (2, "")
    assert "is not UTF-8 text" in err
    assert "hunter22" not in err


def test_the_list_is_a_table_or_json(vpsctl: Vpsctl) -> None:
    vpsctl("cred", "set", "TOKEN", "--from-stdin", stdin=b"hunter22")
    vpsctl("cred", "set", "TOKEN", "--from-stdin", "--project", "acme", stdin=b"hunter33")
    code, out, err = vpsctl("cred", "list")
    assert (code, err) == (0, "")
    assert [line.split()[:3] for line in out.splitlines()[1:]] == [["TOKEN", "(all)", "1"], ["TOKEN", "acme", "2"]]
    listed = data(vpsctl("cred", "list", "--json"))
    assert [(item["name"], item["project"], item["version"]) for item in listed] == [
        ("TOKEN", None, 1),
        ("TOKEN", "acme", 2),
    ]
    assert "hunter" not in out + str(listed)


def test_removing_asks_first(vpsctl: Vpsctl) -> None:
    vpsctl("cred", "set", "TOKEN", "--generate")
    code, told = error(vpsctl("cred", "remove", "TOKEN", "--json"))
    assert (code, told["hint"]) == (2, "add --yes to go ahead")
    assert len(data(vpsctl("cred", "list", "--json"))) == 1
    assert vpsctl("cred", "remove", "TOKEN", "--yes")[:2] == (0, "TOKEN is removed, 1 version\n")
    code, told = error(vpsctl("cred", "remove", "TOKEN", "--yes", "--json"))
    assert (code, told["code"], told["message"]) == (3, "not_found", "there is no credential TOKEN")


def test_runs_are_listed_and_shown_with_steps_and_log(app: App, vpsctl: Vpsctl) -> None:
    with start_run(app, "deploy", "shop") as first, first.step("build", image="app"):
        first.log("compiling")
    with pytest.raises(Failed), start_run(app, "rollback", "blog") as second, second.step("probe"):
        raise Failed("no answer", hint="vpsctl logs blog")
    listed = data(vpsctl("run", "list", "--json"))
    assert [(item["id"], item["state"]) for item in listed] == [(second.id, "failed"), (first.id, "succeeded")]
    assert [item["id"] for item in data(vpsctl("run", "list", "shop", "--json"))] == [first.id]
    assert [item["id"] for item in data(vpsctl("run", "list", "--kind", "rollback", "--limit", "1", "--json"))] == [
        second.id
    ]
    table = vpsctl("run", "list")[1].splitlines()
    assert table[1].split()[:4] == [str(second.id), "rollback", "blog", "failed"]
    assert table[1].endswith("no answer")

    code, out, err = vpsctl("run", "show", str(first.id))
    assert (code, err) == (0, "")
    assert out.startswith(f"run {first.id}: deploy shop, succeeded, by test (cli) in process ")
    assert any(line.split()[:2] == ["build", "succeeded"] and "image: app" in line for line in out.splitlines())
    assert out.splitlines()[-1].split()[1:] == ["build", "compiling"]
    failed = vpsctl("run", "show", str(second.id))[1]
    assert "error: no answer\nhint:  vpsctl logs blog\n" in failed
    shown = data(vpsctl("run", "show", str(second.id), "--json"))
    assert shown["run"]["error"] == {"code": "failed", "message": "no answer", "hint": "vpsctl logs blog"}
    assert [(step["name"], step["state"]) for step in shown["steps"]] == [("probe", "failed")]


def test_a_run_that_is_not_there_is_not_found(vpsctl: Vpsctl) -> None:
    code, told = error(vpsctl("run", "show", "7", "--json"))
    assert (code, told) == (3, {"code": "not_found", "message": "there is no run 7", "hint": "vpsctl run list"})
    assert vpsctl("run", "list", "--limit", "0")[0] == 2


def test_without_postgres_both_are_unavailable(vpsctl: Vpsctl, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VPSCTL_POSTGRES_URL", f"postgresql://u:hunter22@/d?host={tmp_path}")
    for words in (["cred", "list"], ["run", "list"], ["cred", "set", "TOKEN", "--generate"], ["run", "show", "1"]):
        code, told = error(vpsctl(*words, "--json"))
        assert (code, told["code"]) == (5, "unavailable")
        assert "hunter22" not in told["message"]


def test_help_has_an_example(vpsctl: Vpsctl) -> None:
    for words in (["cred", "set"], ["cred", "list"], ["cred", "remove"], ["run", "list"], ["run", "show"]):
        code, out, _ = vpsctl(*words, "--help")
        assert code == 0
        assert f"vpsctl {' '.join(words)}" in " ".join(out.split()).split("Example:")[1]
