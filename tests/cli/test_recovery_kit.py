"""`vpsctl recovery-kit` as its operator meets it, on an installation of the test's own."""

from pathlib import Path

import pyrage  # type: ignore[import-untyped]
import pytest

from tests.cli.conftest import Vpsctl, as_document
from tests.e2e.command_line import VPSCTL, CommandLine, write_settings
from tests.screen import Screen
from vpsctl.app import App
from vpsctl.settings import Settings

WORDS = "seven unpaired lanterns"


@pytest.fixture
def config(settings: Settings, tmp_path: Path) -> Path:
    """Instead of the session's machine."""
    return write_settings(tmp_path / "config.toml", **as_document(settings))


def typed(config: Path, words: list[str], *answers: str) -> tuple[int, str]:
    """A command on a terminal, where each prompt gets its answer: the exit code, and all that was to be seen."""
    screen = Screen([VPSCTL, *words], {**CommandLine(config).environment(), "TERM": "xterm"})
    try:
        for prompt, answer in zip(("Passphrase (not shown): ", "The same again: "), answers, strict=False):
            screen.expect(prompt)
            screen.type(f"{answer}\n")
        return screen.end(60)
    finally:
        screen.close()


def test_a_kit_to_a_key_and_what_is_in_it(cli: Vpsctl, app: App, settings: Settings, tmp_path: Path) -> None:
    identity = pyrage.x25519.Identity.generate()
    (tmp_path / "key.txt").write_text(str(identity))
    kit = tmp_path / "kit.age"
    made = cli("recovery-kit", "create", "--to", str(kit), "--recipient", str(identity.to_public()))
    assert (made.code, made.out) == (0, f"{kit} holds master key {app.vault.key_id}\n")
    assert "take it away from this machine" in made.err
    shown = cli("recovery-kit", "show", str(kit), "--identity", str(tmp_path / "key.txt"))
    lines = shown.out.splitlines()
    assert lines[0].startswith(f"recovery kit of {settings.instance} in {settings.home}, 20")
    assert lines[0].endswith(", and its settings")
    assert lines[2].split()[:2] == [app.vault.key_id, "active"]
    secret = (settings.home / "master.key").read_text().strip()
    data = cli("recovery-kit", "show", str(kit), "--identity", str(tmp_path / "key.txt"), "--json")
    assert data.data["keys"][0]["key_id"] == app.vault.key_id
    assert secret not in made.out + made.err + shown.out + data.out
    again = cli("recovery-kit", "create", "--to", str(kit), "--recipient", str(identity.to_public()))
    assert (again.code, again.sentence) == (4, f"{kit} is there already")


def test_a_passphrase_is_asked_twice_and_shown_never(app: App, config: Path, tmp_path: Path) -> None:
    create = ["recovery-kit", "create", "--to", str(tmp_path / "kit.age"), "--passphrase"]
    code, seen = typed(config, create, WORDS, "seven other lanterns")
    assert (code, "the two passphrases differ, and nothing was written" in seen) == (2, True), seen
    assert not (tmp_path / "kit.age").exists()
    code, seen = typed(config, create, WORDS, WORDS)
    assert (code, WORDS in seen, f"holds master key {app.vault.key_id}" in seen) == (0, False, True), seen
    code, seen = typed(config, ["recovery-kit", "show", str(tmp_path / "kit.age"), "--passphrase"], WORDS)
    assert (code, WORDS in seen, app.vault.key_id in seen) == (0, False, True), seen


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        ("create --to {0}/x", 2, "say who is to open the kit"),
        ("create --to {0}/x --recipient age1x --passphrase", 2, "say who is to open the kit"),
        ("create --to {0}/x --recipient age1x", 2, "'age1x' is not a key that can be encrypted to"),
        ("create --to {0}/x --passphrase", 2, "nobody can be asked for a passphrase here"),
        ("create --to {0}/nosuch/x --recipient age1x", 3, "there is no directory {0}/nosuch"),
        ("show {0}/nosuch --identity {0}/config.toml", 3, "there is no recovery kit {0}/nosuch"),
        ("show {0}/config.toml", 2, "say what opens the kit"),
        ("show {0}/config.toml --identity {0}/nosuch", 3, "there is no identity file {0}/nosuch"),
        ("show {0}/config.toml --identity {0}/config.toml", 2, "this is not a file that age has encrypted"),
    ],
)
def test_each_refusal_is_a_sentence(cli: Vpsctl, app: App, tmp_path: Path, words: str, code: int, sentence: str) -> None:
    answer = cli("recovery-kit", *words.format(tmp_path).split())
    assert (answer.code, answer.sentence) == (code, sentence.format(tmp_path))
    assert not (tmp_path / "x").exists()
