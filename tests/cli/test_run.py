"""`vpsctl run`, as an operator and a program see it."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vpsctl.app import App
from vpsctl.cli.main import run as run_command
from vpsctl.errors import Failed
from vpsctl.runs import start_run

Vpsctl = Callable[..., tuple[int, str, str]]


@pytest.fixture
def vpsctl(app: App, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Vpsctl:
    """`vpsctl("run", "list")` gives (exit code, stdout, stderr)."""
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


def test_without_postgres_it_is_unavailable(vpsctl: Vpsctl, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VPSCTL_POSTGRES_URL", f"postgresql://u:hunter22@/d?host={tmp_path}")
    for words in (["run", "list"], ["run", "show", "1"]):
        code, told = error(vpsctl(*words, "--json"))
        assert (code, told["code"]) == (5, "unavailable")
        assert "hunter22" not in told["message"]
