"""Ctrl-C while something secret is typed: the terminal shows what is typed again, and nothing has changed."""

import termios
from pathlib import Path

import pytest

from tests.cli.vault_line import OpenScreen, process, screen
from tests.screen import Screen
from vpsctl.app import App
from vpsctl.audit.record import check_trail
from vpsctl.credentials.set import set_credential
from vpsctl.secret import Secret

__all__ = ["process", "screen"]  # fixtures
PROMPTS = [
    (["cred", "add", "NEW", "--kind", "token"], [], "Value of NEW (not shown): "),
    (["cred", "add", "NEW", "--kind", "basic"], [("username of NEW: ", "api")], "password of NEW (not shown): "),
    (["cred", "set", "OLD"], [], "Value of OLD (not shown): "),
    (["key", "rotate", "--to", "passphrase"], [("New passphrase", "five words long enough")], "The same once more: "),
    (["recovery-kit", "create", "--to", "{}", "--passphrase"], [], "Passphrase (not shown): "),
]


@pytest.mark.parametrize(("words", "before", "prompt"), PROMPTS)
def test_ctrl_c(
    app: App, screen: OpenScreen, tmp_path: Path, words: list[str], before: list[tuple[str, str]], prompt: str
) -> None:
    set_credential(app, "OLD", Secret("value"))
    files = {path.name for path in app.settings.home.iterdir()}
    asked = screen(*(word.format(tmp_path / "kit.age") for word in words))
    for question, answer in before:
        asked.expect(question)
        asked.type(f"{answer}\n")
    asked.expect(prompt)
    assert not echoes(asked)
    asked.type("hunter22\x03")
    code, seen = asked.end()
    assert (code, seen.splitlines()[-1]) == (130, "error: interrupted")
    assert "hunter22" not in seen
    assert echoes(asked)
    with app.database.transaction() as session:
        assert check_trail(app, session) == 1
    assert {path.name for path in app.settings.home.iterdir()} == files
    assert not (tmp_path / "kit.age").exists()


def echoes(screen: Screen) -> bool:
    flags: int = termios.tcgetattr(screen.follower)[3]
    return bool(flags & termios.ECHO)
