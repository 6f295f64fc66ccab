"""`vpsctl user`, `token` and `login-link`, as an operator and a program see them."""

import io
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
import segno
from sqlalchemy import select

from tests.cli.conftest import Answer
from tests.e2e.command_line import VPSCTL
from tests.screen import Screen
from vpsctl.app import App
from vpsctl.cli.main import run as run_command
from vpsctl.cli.token import lifetime
from vpsctl.db.models import Audit
from vpsctl.errors import Invalid
from vpsctl.projects.find import ensure_project
from vpsctl.secret import Secret
from vpsctl.users.authenticate import authenticate
from vpsctl.users.list import list_users
from vpsctl.users.list_tokens import list_tokens
from vpsctl.users.login_link import redeem_login_link
from vpsctl.users.rights import SCOPES
from vpsctl.users.second_factor import use_recovery_code, verify_totp
from vpsctl.users.show import show_user

Vpsctl = Callable[..., Answer]
CREATE = ["token", "create", "--user", "anna", "--name", "ci"]


@pytest.fixture
def environment(app: App) -> dict[str, str]:
    """Of a process whose machine is the test's own."""
    assert app.settings.postgres_url
    with app.database.transaction() as session:
        ensure_project(session, "acme")
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONDONTWRITEBYTECODE") if name in os.environ}
    url = app.settings.postgres_url.reveal()
    return {**kept, "LANG": "C.UTF-8", "VPSCTL_HOME": str(app.settings.home), "VPSCTL_POSTGRES_URL": url}


@pytest.fixture
def vpsctl(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Vpsctl:
    """`vpsctl("user", "list")`, in this process, where nothing is a terminal."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    def call(*words: str, stdin: bytes = b"") -> Answer:
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
            code = run_command(list(words))
        captured = capsys.readouterr()
        return Answer(code, captured.out, captured.err)

    return call


@contextmanager
def screen(environment: dict[str, str], *words: str) -> Iterator[Screen]:
    """The command on a terminal."""
    opened = Screen([VPSCTL, *words], environment)
    try:
        yield opened
    finally:
        opened.close()


@pytest.fixture
def anna(vpsctl: Vpsctl) -> str:
    assert vpsctl("user", "add", "anna", "--email", "anna@example.com", "--role", "operator").code == 0
    return "anna"


def actions(app: App) -> list[str]:
    with app.database.transaction() as session:
        return list(session.scalars(select(Audit.action).order_by(Audit.id)))


def now(seed: str) -> str:
    return pyotp.TOTP(seed).now()


def test_users_are_added_listed_and_shown(vpsctl: Vpsctl, anna: str) -> None:
    added = vpsctl("user", "add", "ben", "--role", "viewer", "--project", "acme")
    assert (added.code, added.out) == (0, "user ben is added: viewer in acme\n")
    assert "vpsctl login-link ben" in added.err
    assert vpsctl("user", "add", "carl").out == "user carl is added: no role yet\n"
    rows = [line.split() for line in vpsctl("user", "list").out.splitlines()]
    assert rows[1:] == [
        ["anna", "operator", "-", "off", "0", "never", "enabled", "anna@example.com"],
        ["ben", "-", "acme=viewer", "off", "0", "never", "enabled", "-"],
        ["carl", "-", "-", "off", "0", "never", "enabled", "-"],
    ]
    assert vpsctl("user", "list", "--json").data[1]["grants"] == {"acme": "viewer"}
    shown = vpsctl("user", "show", "ben").out.splitlines()
    assert shown == [
        "ben, enabled",
        "role: none on the whole machine",
        "role in acme: viewer",
        "  may see what there is and its state, never a secret value",
        "  may read logs",
        "second factor: off",
        "last used: never",
    ]
    assert "  may deploy and roll back sites" in vpsctl("user", "show", "anna").out
    assert vpsctl("user", "show", "anna", "--json").data["may"][2] == "deploy and roll back sites"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ("user add Ben", 2, "'Ben' is not a user's name"),
        ("user add ben --role root", 2, "'root' is not a role"),
        ("user add ben --email ben", 2, "'ben' is not an e-mail address"),
        ("user add ben --role viewer --project nosuch", 3, "there is no project nosuch"),
        ("user add anna", 4, "there is a user anna already"),
        ("user show ben", 3, "there is no user ben"),
        ("user role anna king", 2, "'king' is not a role"),
        ("user mfa confirm anna --code 123456 --stdout", 4, "no second factor of anna waits to be confirmed"),
        ("user mfa reset anna", 2, "anna has no second factor afterwards. Nobody can be asked here"),
        ("token revoke nosuch", 3, "there is no token nosuch"),
        ("token create --user anna --name ci --scope restore --stdout", 2, "scope restore is beyond user anna"),
        ("token create --user anna --name ci --scope read --expires 2y --stdout", 2, "a token lives at most a year"),
        ("token create --user anna --name ci --scope read --expires soon --stdout", 2, "--expires 'soon' is not a time"),
        ("token create --user anna --name ci --scope read --from x --stdout", 2, "'x' is neither a network nor an address"),
        ("login-link ben --stdout", 3, "there is no user ben"),
        ("login-link anna --url panel --stdout", 2, "--url is not an http or https address"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(vpsctl: Vpsctl, anna: str, words: str, code: int, message: str) -> None:
    answer = vpsctl(*words.split())
    assert answer.code == code
    assert message in answer.sentence
    assert answer.hint
    assert vpsctl(*words.split(), "--json").error["message"] == answer.sentence


def test_roles_come_and_go(vpsctl: Vpsctl, anna: str) -> None:
    assert vpsctl("user", "role", "anna", "admin", "--project", "acme").out == "anna: admin in acme, before none\n"
    assert vpsctl("user", "role", "anna", "none").out == "anna: no role on the whole machine, before operator\n"
    assert vpsctl("user", "show", "anna", "--json").data["grants"] == {"acme": "admin"}


def test_a_disabled_user_is_shut_out_with_their_tokens(app: App, vpsctl: Vpsctl, anna: str) -> None:
    token = Secret(vpsctl(*CREATE, "--scope", "read", "--stdout").out.strip())
    assert authenticate(app, token, address=None).user == "anna"
    assert vpsctl("user", "disable", "anna").out == "user anna is disabled\n"
    with pytest.raises(Invalid):
        authenticate(app, token, address=None)
    assert vpsctl("user", "disable", "anna").out == "user anna was disabled already\n"
    assert vpsctl("user", "show", "anna").out.startswith("anna <anna@example.com>, disabled since ")
    assert vpsctl("user", "enable", "anna", "--json").data["changed"] is True
    assert authenticate(app, token, address=None).user == "anna"


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ("user mfa enroll anna", "the seed"),
        ("user mfa confirm anna --code 123456", "the recovery codes"),
        ("token create --user anna --name ci --scope read", "the token"),
        ("login-link anna", "the link"),
    ],
)
def test_what_is_secret_goes_into_no_pipe_unasked(app: App, vpsctl: Vpsctl, anna: str, words: str, what: str) -> None:
    answer = vpsctl(*words.split())
    assert (answer.code, answer.hint) == (2, "add --stdout if that is what you want")
    assert answer.sentence.startswith(f"stdout is no terminal, and {what} would be left")
    assert vpsctl(*words.split(), "--json").error["code"] == "invalid"
    assert actions(app) == ["user.add"]
    assert (show_user(app, "anna").mfa, list_tokens(app)) == ("off", [])


def test_a_second_factor_for_a_program(app: App, vpsctl: Vpsctl, anna: str) -> None:
    made = vpsctl("user", "mfa", "enroll", "anna", "--stdout")
    uri, seed_line = made.out.splitlines()
    seed = seed_line.removeprefix("seed: ")
    assert uri.startswith("otpauth://totp/vpsctl:anna?")
    assert f"secret={seed}" in uri
    assert "vpsctl user mfa confirm anna --code" in made.err
    assert made.out not in made.err
    made = vpsctl("user", "mfa", "enroll", "anna", "--stdout", "--json")
    assert made.data["seed"] != seed
    seed = made.data["seed"]
    wrong = vpsctl("user", "mfa", "confirm", "anna", "--code", "12345", "--stdout")
    assert (wrong.code, wrong.sentence) == (2, "the code is not the one that anna's app must show now")
    confirmed = vpsctl("user", "mfa", "confirm", "anna", "--code", now(seed), "--stdout")
    codes = confirmed.out.splitlines()
    assert len(codes) == 10
    assert use_recovery_code(app, "anna", Secret(codes[4])).recovery_codes == 9
    assert vpsctl("user", "show", "anna").out.splitlines()[-2] == "second factor: on, 9 recovery codes left"
    assert vpsctl("user", "mfa", "reset", "anna", "--yes").out == "anna has no second factor any more\n"
    assert vpsctl("user", "mfa", "reset", "anna", "--yes").out == "anna has no second factor, and had none\n"
    enrolled = ["user.mfa-enroll"] * 2
    assert actions(app) == ["user.add", *enrolled, "user.mfa-confirm", "user.recovery-code", "user.mfa-reset"]


def test_a_second_factor_on_a_terminal(app: App, environment: dict[str, str], anna: str) -> None:
    with screen(environment, "user", "mfa", "enroll", "anna") as terminal:
        terminal.resize(60, 120)
        terminal.expect("Code that the app shows now: ")
        shown = terminal.seen.decode().replace("\r\n", "\n")
        uri, seed = re.findall(r"^(otpauth://\S+)$\n^seed: (\S+)$", shown, re.MULTILINE)[0]
        picture = io.StringIO()
        segno.make(uri, error="m", micro=False).terminal(picture, border=2, compact=True)
        assert picture.getvalue() in shown
        terminal.type("000\n")
        terminal.expect("the code is not the one that anna's app must show now")
        terminal.type(f"{now(seed)}\n")
        code, text = terminal.end()
    assert code == 0
    codes = re.findall(r"^([0-9](?:-[0-9a-z]{4}){3})\r$", text, re.MULTILINE)
    assert len(codes) == 10
    assert show_user(app, "anna").mfa == "on"
    assert use_recovery_code(app, "anna", Secret(codes[0])).recovery_codes == 9
    later = Secret(pyotp.TOTP(seed).at(datetime.now(UTC) + timedelta(seconds=30)))
    assert verify_totp(app, "anna", later).name == "anna"


def test_nobody_types_a_code(app: App, environment: dict[str, str], anna: str) -> None:
    with screen(environment, "user", "mfa", "enroll", "anna") as terminal:
        terminal.expect("Code that the app shows now: ")
        terminal.type("\n")
        code, text = terminal.end()
    assert code == 0
    assert "vpsctl user mfa confirm anna --code" in text
    assert show_user(app, "anna").mfa == "pending"


def test_three_wrong_codes_end_it(app: App, environment: dict[str, str], anna: str) -> None:
    with screen(environment, "user", "mfa", "enroll", "anna") as terminal:
        terminal.expect("Code that the app shows now: ")
        terminal.type("1\n2\n3\n")
        code, text = terminal.end()
    assert code == 2
    assert text.count("the code is not the one") == 3
    assert show_user(app, "anna").mfa == "pending"


def test_a_token_on_a_terminal(app: App, environment: dict[str, str], anna: str) -> None:
    with screen(environment, *CREATE, "--scope", "deploy") as terminal:
        code, text = terminal.end()
    assert code == 0
    token = re.findall(r"^(vps_user_\w{46})\r$", text, re.MULTILINE)
    assert authenticate(app, Secret(token[0]), address="203.0.113.5").scopes == frozenset({"deploy"})


def test_a_token_for_a_program(app: App, vpsctl: Vpsctl, anna: str) -> None:
    words = ["--scope", "deploy", "--scope", "credential.use", "--project", "acme", "--from", "203.0.113.0/24"]
    made = vpsctl(*CREATE, *words, "--expires", "12h", "--stdout", "--json").data
    assert made["token"].startswith(f"vps_user_{made['id']}")
    assert (made["scopes"], made["project"], made["addresses"]) == (
        ["credential.use", "deploy"], "acme", ["203.0.113.0/24"],
    )  # fmt: skip
    assert timedelta(hours=11) < datetime.fromisoformat(made["expires_at"]) - datetime.now(UTC) < timedelta(hours=13)
    plain = vpsctl(*CREATE, "--scope", "read", "--stdout")
    assert re.fullmatch(r"vps_user_\w{46}\n", plain.out)
    assert plain.out.strip() not in plain.err
    rows = [line.split() for line in vpsctl("token", "list").out.splitlines()]
    assert rows[2][:7] == [made["id"], "anna", "ci", "valid", "credential.use", "deploy", "acme"]
    assert rows[1][4:7] == ["read", "(all)", "anywhere"]
    assert made["token"][17:49] not in vpsctl("token", "list", "--json").out + vpsctl("user", "show", "anna").out
    assert made["id"] in vpsctl("user", "show", "anna").out
    revoked = vpsctl("token", "revoke", made["id"])
    assert revoked.out == f"token {made['id']} of anna (ci) is revoked\n"
    assert [item["state"] for item in vpsctl("token", "list", "--user", "anna", "--json").data] == ["valid", "revoked"]
    assert " was revoked already, " in vpsctl("token", "revoke", made["id"]).out


def test_a_token_is_checked_and_never_echoed(vpsctl: Vpsctl, anna: str) -> None:
    made = vpsctl(*CREATE, "--scope", "deploy", "--from", "203.0.113.0/24", "--stdout", "--json").data
    stdin = f" {made['token']}\n".encode()

    def check(*words: str, given: bytes = stdin) -> Answer:
        answer = vpsctl("token", "check", *words, stdin=given)
        assert made["token"][17:49] not in answer.out + answer.err
        return answer

    assert (check().code, check().out.splitlines()[0]) == (0, f"token {made['id']}: accepted")
    yes = check("--permission", "deploy", "--project", "acme", "--address", "::ffff:203.0.113.5")
    assert (yes.code, yes.out.splitlines()[-1]) == (0, "deploy in acme: yes")
    no = check("--permission", "restore", "--project", "acme")
    assert (no.code, no.out.splitlines()[-1]) == (6, "restore in acme: no")
    away = check("--address", "198.51.100.1")
    assert away.code == 6
    assert away.out.startswith(f"token {made['id']}: not accepted, it may not be used from 198.51.100.1\n")
    assert json.loads(check("--json").out)["data"]["token"]["user"] == "anna"
    vpsctl("token", "revoke", made["id"])
    assert check("--json").code == 6
    assert json.loads(check("--json").out)["data"]["reason"] == "it is revoked"
    for given in (b"", b"\xff", made["token"][:-1].encode(), b"x" * 10_000):
        assert (check(given=given).code, check(given=given).sentence) == (
            2,
            "this is not a token: its form or its checksum is wrong",
        )
    assert check("--permission", "fly").code == 2


def test_a_token_typed_on_a_terminal_is_not_seen(vpsctl: Vpsctl, environment: dict[str, str], anna: str) -> None:
    token = vpsctl(*CREATE, "--scope", "deploy", "--stdout").out.strip()
    with screen(environment, "token", "check") as terminal:
        terminal.expect("Token (not shown): ")
        terminal.type(f"{token}\n")
        code, text = terminal.end()
    assert code == 0
    assert "accepted" in text
    assert token not in text


def test_the_first_login_link_makes_the_administrator(
    app: App, vpsctl: Vpsctl, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_USER", "dora")
    made = vpsctl("login-link", "--stdout")
    assert (made.code, made.err.splitlines()[0]) == (0, "dora is the first user here, and administrator")
    link = made.out.strip().removeprefix("http://127.0.0.1:8484/login#link=")
    assert len(link) == 43
    assert [(user.name, user.role) for user in list_users(app)] == [("dora", "admin")]
    assert redeem_login_link(app, Secret(link)).name == "dora"
    monkeypatch.setenv("VPSCTL_PUBLIC_URL", "https://panel.example.com")
    again = vpsctl("login-link", "dora", "--stdout", "--json").data
    assert again["made_administrator"] is False
    assert again["url"].startswith("https://panel.example.com/login#link=")
    with screen(environment, "login-link", "dora", "--url", "https://other.example.com") as terminal:
        code, text = terminal.end()
    assert code == 0
    assert re.search(r"^https://other\.example\.com/login#link=\S{43}\r$", text, re.MULTILINE)
    with pytest.raises(Invalid):
        redeem_login_link(app, Secret(again["url"].partition("#link=")[2]))


def test_the_audit_row_is_there_before_the_secret_is_shown(app: App, vpsctl: Vpsctl, anna: str) -> None:
    class Broken(io.StringIO):
        """Goes away at the first character, as a full disk or a closed pipe does; what was recorded till then is kept."""

        seen: list[str] = []  # noqa: RUF012  one test, one list

        def write(self, text: str) -> int:
            self.seen.extend(actions(app))
            raise BrokenPipeError

    for words, action in (
        ((*CREATE, "--scope", "read"), "token.create"),
        (("user", "mfa", "enroll", "anna"), "user.mfa-enroll"),
        (("login-link", "anna"), "login-link.create"),
    ):
        Broken.seen.clear()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "stdout", Broken())
            patch.setattr(os, "dup2", lambda *_: None)
            patch.setattr(Broken, "fileno", lambda _: 1, raising=False)
            run_command([*words, "--stdout", "--quiet"])
        assert Broken.seen[-1:] == [action]


def test_the_help_names_every_scope(vpsctl: Vpsctl) -> None:
    text = vpsctl("token", "create", "--help").out
    listed = re.split(r"[,\s.]*\s", text.partition("Scopes: ")[2].strip().removesuffix("."))
    assert sorted(listed) == sorted(SCOPES)


@pytest.mark.parametrize(
    ("text", "found"),
    [("30m", timedelta(minutes=30)), ("12h", timedelta(hours=12)), ("90d", timedelta(days=90)), ("2w", timedelta(weeks=2)),
     ("1y", timedelta(days=365))],
)  # fmt: skip
def test_lifetimes(text: str, found: timedelta) -> None:
    assert lifetime(text) == found


@pytest.mark.parametrize("text", ["", "90", "d", "-1d", "1.5d", "1d2h", "\u0669d", "9999999d"])
def test_no_lifetimes(text: str) -> None:
    with pytest.raises(Invalid):
        lifetime(text)
