"""`vpsctl key` as its operator meets it, on an installation of the test's own."""

import json
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyrage
import pytest

from tests.cli.commands import RECIPIENT
from tests.cli.conftest import Vpsctl, as_document
from tests.e2e.command_line import VPSCTL, CommandLine, write_settings
from tests.screen import Screen
from vpsctl.app import App
from vpsctl.credentials.set import set_credential
from vpsctl.secret import Secret
from vpsctl.settings import Settings
from vpsctl.vault.key import key_id

WORDS = "seven unpaired lanterns"
KEYRING = {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}


@pytest.fixture
def config(settings: Settings, tmp_path: Path) -> Path:
    """Instead of the session's machine, which needs the key that it has."""
    return write_settings(tmp_path / "config.toml", **as_document(settings))


@pytest.fixture
def stored(app: App) -> str:
    """The id of the master key that a credential is under."""
    set_credential(app, "TOKEN", Secret("value of TOKEN"))
    return app.vault.key_id


@pytest.fixture
def kit(cli: Vpsctl, stored: str, tmp_path: Path) -> list[str]:
    """The options that name a recovery kit and what opens it."""
    identity = pyrage.x25519.Identity.generate()
    (tmp_path / "key.txt").write_text(str(identity))
    made = cli("recovery-kit", "create", "--to", str(tmp_path / "kit.age"), "--recipient", str(identity.to_public()))
    assert made.code == 0, made
    return ["--kit", str(tmp_path / "kit.age"), "--identity", str(tmp_path / "key.txt")]


@contextmanager
def on_screen(config: Path, *words: str) -> Iterator[Screen]:
    screen = Screen([VPSCTL, *words], {**CommandLine(config).environment(), "TERM": "xterm"})
    try:
        yield screen
    finally:
        screen.close()


def test_status_shows_the_key_and_what_is_under_it(cli: Vpsctl, settings: Settings, stored: str) -> None:
    answer = cli("key", "status")
    assert (answer.code, answer.err) == (0, "")
    lines = answer.out.splitlines()
    assert lines[0] == f"master key {stored}, by provider file: {settings.home}/master.key"
    assert lines[2].split() == ["KEY", "STATE", "SINCE", "RETIRED", "CAN", "BE", "OPENED", "VALUES", "WHERE"]
    row = r" +active +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +- +yes +2 +credential_versions 1  inner_key.sealed 1"
    assert re.fullmatch(stored + row, lines[3])
    data = cli("key", "status", "--json").data
    assert data["active"] == {"key_id": stored, "provider": "file", "place": f"{settings.home}/master.key"}
    assert (data["registered"], data["staged"], data["problem"]) == (True, None, None)
    assert data["keys"][0]["values"] == {"credential_versions": 1, "inner_key.sealed": 1}


def test_status_of_a_key_that_is_gone(cli: Vpsctl, settings: Settings, stored: str) -> None:
    (settings.home / "master.key").unlink()
    (settings.home / "proxy").mkdir()  # init was here
    answer = cli("key", "status")
    assert answer.code == 0
    assert answer.out.startswith(f"no master key from {settings.home}/master.key\n")
    assert answer.err.splitlines() == [
        f"it cannot be used: there is no master key at {settings.home}/master.key",
        "mend: put it back, or: vpsctl key restore --kit FILE; on a new machine: vpsctl init",
    ]
    assert f"{stored}  active" in answer.out


def test_a_rotation_and_the_end_of_the_old_key(cli: Vpsctl, settings: Settings, stored: str) -> None:
    answer = cli("key", "rotate")
    new = cli("key", "status", "--json").data["active"]["key_id"]
    assert answer.out.splitlines() == [
        f"master key {new} is in force instead of {stored}; provider file",
        "2 stored values moved under it",
    ]
    assert answer.err.splitlines()[:3] == [f"master key {new} is {what}" for what in ("staged", "registered", "in force")]
    assert stat.S_IMODE((settings.home / "master.key").stat().st_mode) == 0o600
    assert not (settings.home / "master.key.next").exists()
    refused = cli("key", "remove", stored)  # nobody is asked before
    assert (refused.code, refused.hint) == (4, "make a new backup and wait, or add --force")
    unasked = cli("key", "remove", stored, "--force")
    assert (unasked.code, unasked.hint) == (2, "add --yes to go ahead")
    assert cli("key", "remove", stored, "--force", "--yes").out == f"master key {stored} is removed\n"
    row = cli("audit", "list", "--action", "key.remove", "--json").data
    assert f"key:{stored}" in str(row)
    assert cli("cred", "list").code == 0
    made = cli("recovery-kit", "create", "--to", f"{settings.home}/kit.age", "--recipient", RECIPIENT, "--json").data
    assert (made["key_id"], made["older"]) == (new, []), "what was removed is in no kit"


def test_an_interrupted_rotation_is_told_and_ended(cli: Vpsctl, app: App, stored: str, config: Path) -> None:
    new = key_id(app.vault.key_file.stage("file"))
    shown = cli("key", "status")
    place = app.vault.key_file.next_path
    assert shown.err.splitlines() == [
        f"a rotation to {new}, by provider file: {place} was interrupted",
        "mend: vpsctl key rotate",
    ]
    with on_screen(config, "key", "rotate", "--to", "passphrase") as screen:
        code, seen = screen.end()
    assert code == 0
    assert f"master key {new} is in force instead of {stored}, which an interrupted rotation had begun" in seen
    assert "provider passphrase comes with: vpsctl key rotate --to passphrase" in seen


def test_rotate_as_json_is_one_document(cli: Vpsctl, stored: str) -> None:
    answer = cli("key", "rotate", "--json")
    assert (answer.data["old"], answer.data["provider"], answer.data["resumed"]) == ([stored], "file", False)
    assert answer.err == ""


@pytest.mark.parametrize(
    ("to", "code", "sentence"),
    [
        ("nowhere", 2, "there is no key provider 'nowhere'"),
        ("passphrase", 5, "provider passphrase does not work here: nobody can be asked for one here, run it on a terminal"),
        ("keyring", 5, "provider keyring does not work here: Python's keyring finds none (keyring.backends.fail.Keyring)"),
    ],
)
def test_where_no_key_can_be_kept_nothing_is_rotated(
    cli: Vpsctl, settings: Settings, stored: str, to: str, code: int, sentence: str
) -> None:
    before = cli("key", "status").out, (settings.home / "master.key").read_bytes()
    answer = cli("key", "rotate", "--to", to, **KEYRING)
    assert answer.code == code
    assert answer.sentence.startswith(sentence)
    assert answer.hint.startswith("vpsctl key providers")
    assert (cli("key", "status").out, (settings.home / "master.key").read_bytes()) == before
    assert sorted(item.name for item in settings.home.iterdir() if "key" in item.name) == ["master.key"]


def test_providers_are_a_table(cli: Vpsctl, settings: Settings) -> None:
    rows = [re.split(" {2,}", line) for line in cli("key", "providers", **KEYRING).out.splitlines()]
    assert [row[0] for row in rows] == ["PROVIDER", "systemd", "file", "passphrase", "keyring"]
    assert rows[2] == ["file", "in use", "yes", "-"]
    assert rows[4][2] == "no"
    assert "desktop session, which a server has not" in rows[4][3]


def test_a_passphrase_on_a_terminal(cli: Vpsctl, config: Path, stored: str) -> None:
    with on_screen(config, "key", "rotate", "--to", "passphrase") as screen:
        for prompt in ("New passphrase of the master key: ", "The same once more: "):
            screen.expect(prompt)
            screen.type(f"{WORDS}\n")
        code, seen = screen.end()
    assert (code, WORDS in seen) == (0, False), seen
    new = cli("key", "status", "--json").data["active"]
    assert (new["provider"], new["place"]) == ("passphrase", "a passphrase")
    with on_screen(config, "cred", "set", "OTHER", "--generate") as screen:
        screen.expect(f"Passphrase of master key {new['key_id']}: ")
        screen.type(f"{WORDS}\n")
        code, seen = screen.end()
    assert (code, seen.count("Passphrase")) == (0, 1), seen
    with on_screen(config, "cred", "set", "OTHER", "--generate") as screen:
        screen.expect("Passphrase of master key")
        screen.type("seven other lanterns\n")
        code, seen = screen.end()
    assert (code, "that is not the passphrase of the master key" in seen) == (2, True), seen
    answer = cli("cred", "set", "OTHER", "--generate")
    assert answer.code == 5
    assert answer.sentence == "the master key comes from a passphrase, and nobody can be asked for it here"


def test_a_unit_has_its_key_from_systemd(cli: Vpsctl, settings: Settings, stored: str, tmp_path: Path) -> None:
    key, directory = settings.home / "master.key", tmp_path / "credentials"
    directory.mkdir(mode=0o700)
    key.rename(directory / "mine")
    key.write_text(json.dumps({"provider": "systemd", "credential": "mine", "key_id": stored}))
    key.chmod(0o600)
    assert cli("cred", "set", "TOKEN", "--generate", CREDENTIALS_DIRECTORY=str(directory)).code == 0
    answer = cli("cred", "set", "TOKEN", "--generate")
    assert (answer.code, answer.sentence) == (
        5,
        "the master key is systemd credential mine, and this command does not run under systemd",
    )


def test_the_key_file_may_stand_elsewhere(cli: Vpsctl, settings: Settings, stored: str, tmp_path: Path) -> None:
    (settings.home / "master.key").rename(tmp_path / "elsewhere.key")
    (settings.home / "proxy").mkdir()
    answer = cli("key", "rotate", VPSCTL_KEY_FILE=str(tmp_path / "elsewhere.key"))
    assert answer.code == 0, answer
    assert not list(settings.home.glob("*master*"))
    assert sorted(item.name for item in tmp_path.iterdir()) == ["config.toml", "elsewhere.key"]


def test_a_lost_key_comes_back_from_the_kit(
    cli: Vpsctl, settings: Settings, stored: str, kit: list[str], tmp_path: Path
) -> None:
    key = settings.home / "master.key"
    key.unlink()
    assert cli("cred", "set", "TOKEN", "--generate").code == 5, "nothing of vpsctl is left here"
    nowhere = f"postgresql://u:p@/d?host={tmp_path}"
    answer = cli("key", "restore", *kit, VPSCTL_POSTGRES_URL=nowhere)
    assert (answer.code, answer.out) == (0, f"{key} is now master key {stored}\n")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert cli("key", "restore", *kit).out == f"{key} was already master key {stored}\n"
    assert cli("cred", "set", "TOKEN", "--generate").code == 0


def test_another_key_is_replaced_only_when_asked_to(cli: Vpsctl, settings: Settings, stored: str, kit: list[str]) -> None:
    key = settings.home / "master.key"
    cli("key", "rotate")
    new = key.read_bytes()
    answer = cli("key", "restore", *kit)
    assert answer.code == 4
    assert f"the kit holds {stored}" in answer.sentence
    assert "--replace" in answer.hint
    assert key.read_bytes() == new
    done = cli("key", "restore", *kit, "--replace", "--json").data
    assert (done["key_id"], done["changed"]) == (stored, True)
    assert Path(done["kept"]).read_bytes() == new


def test_what_opens_the_kit_must_be_said(cli: Vpsctl, kit: list[str]) -> None:
    for words in (kit[:2], [*kit, "--passphrase"]):
        answer = cli("key", "restore", *words)
        assert (answer.code, answer.sentence, answer.hint) == (
            2,
            "say what opens the kit",
            "give --identity FILE, or --passphrase",
        )
    gone = cli("key", "restore", "--kit", "nowhere.age", *kit[2:])
    assert (gone.code, gone.sentence) == (3, "there is no recovery kit nowhere.age")
