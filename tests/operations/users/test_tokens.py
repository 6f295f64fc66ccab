"""Tokens: made, accepted for exactly what they promise, refused in one sentence, never stored."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from tests.operations.users.conftest import Sql, Trail
from tests.postgres import execute
from vpsctl.app import App
from vpsctl.encoding import to_json
from vpsctl.errors import Conflict, Invalid, NotFound
from vpsctl.secret import Secret
from vpsctl.users.add import add_user
from vpsctl.users.authenticate import authenticate
from vpsctl.users.check_token import Question, check_token
from vpsctl.users.create_token import TokenCreated, TokenWanted, create_token
from vpsctl.users.disable import disable_user, enable_user
from vpsctl.users.list_tokens import list_tokens
from vpsctl.users.revoke_token import revoke_token
from vpsctl.users.rights import may
from vpsctl.users.set_role import set_role
from vpsctl.users.token_format import TokenParts, join_token, looks_like_token, new_parts, split_token

pytestmark = pytest.mark.usefixtures("projects")
ANYTHING = Question()


@pytest.fixture
def anna(app: App) -> str:
    add_user(app, "anna", role="operator")
    return "anna"


@pytest.fixture
def token(app: App, anna: str) -> TokenCreated:
    return create_token(app, anna, TokenWanted("ci", ["deploy"], networks=["203.0.113.0/24"]))


def accepted(app: App, token: Secret, address: str | None = "203.0.113.5") -> bool:
    try:
        authenticate(app, token, address=address)
    except Invalid as error:
        assert error.message == "this token is not accepted"
        return False
    return True


def test_a_token_is_what_was_asked_for(app: App, anna: str, trail: Trail) -> None:
    wanted = TokenWanted("ci", ["deploy", "read", "deploy"], "acme", timedelta(days=30), ["203.0.113.5", "::1"])
    made = create_token(app, anna, wanted)
    assert looks_like_token(made.token.reveal())
    assert made.token.reveal().startswith(f"vps_user_{made.id}")
    assert (made.scopes, made.project, made.addresses) == (("deploy", "read"), "acme", ("203.0.113.5/32", "::1/128"))
    assert abs(made.expires_at - datetime.now(UTC) - timedelta(days=30)) < timedelta(minutes=1)
    access = authenticate(app, made.token, address="203.0.113.5")
    assert (access.user, access.role, access.scopes, access.project, access.token) == (
        "anna", "operator", frozenset({"deploy", "read"}), "acme", made.id,
    )  # fmt: skip
    assert may(access, "deploy", "acme")
    assert not may(access, "deploy", "globex")
    assert not may(access, "deploy")
    assert not may(access, "operate", "acme")
    (_, row) = trail()
    assert row[:2] == ("token.create", f"token:{made.id}")
    assert row[2]["user"] == "anna"
    assert row[2]["scopes"] == ["deploy", "read"]


def test_its_secret_stands_nowhere(app: App, token: TokenCreated, sql: Sql, trail: Trail) -> None:
    secret = split_token(token.token).secret.reveal()
    stored = sql("SELECT row_to_json(tokens)::text || encode(mac, 'escape') FROM tokens")
    assert secret not in stored
    assert secret not in to_json(trail()) + to_json(token) + repr(token)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (TokenWanted("ci", []), "a token without a scope may do nothing"),
        (TokenWanted("ci", ["all"]), "'all' is not a scope"),
        (TokenWanted("ci", ["deploy", "restore"]), "scope restore is beyond user anna, who has no right to restore"),
        (TokenWanted("ci", ["audit.read"]), "scope audit.read is beyond user anna, who has no right to audit.read"),
        (TokenWanted("", ["read"]), "'' is not a name for a token"),
        (TokenWanted("ci", ["read"], networks=["203.0.113.5/24"]), "'203.0.113.5/24' is neither a network nor an address"),
        (TokenWanted("ci", ["read"], lifetime=timedelta(days=366)), "a token lives at most a year"),
        (TokenWanted("ci", ["read"], lifetime=timedelta()), "a token lives at most a year"),
    ],
)
def test_what_cannot_be_made_is_not(app: App, anna: str, trail: Trail, wanted: TokenWanted, message: str) -> None:
    with pytest.raises(Invalid) as caught:
        create_token(app, anna, wanted)
    assert message in caught.value.message
    assert caught.value.hint
    assert list_tokens(app) == []
    assert len(trail()) == 1


def test_a_scope_is_beyond_who_has_no_role_there(app: App) -> None:
    add_user(app, "ben", role="operator", projects=["acme"])
    create_token(app, "ben", TokenWanted("ci", ["deploy"]))
    create_token(app, "ben", TokenWanted("ci", ["deploy"], "acme"))
    with pytest.raises(Invalid, match="scope deploy is beyond user ben, who has no right to deploy, logs, read in globex"):
        create_token(app, "ben", TokenWanted("ci", ["deploy"], "globex"))
    with pytest.raises(NotFound, match="there is no project nosuch"):
        create_token(app, "ben", TokenWanted("ci", ["deploy"], "nosuch"))
    with pytest.raises(NotFound, match="there is no user nobody"):
        create_token(app, "nobody", TokenWanted("ci", ["deploy"]))


def test_a_lowered_role_lowers_the_token(app: App, anna: str, token: TokenCreated) -> None:
    assert may(authenticate(app, token.token, address="203.0.113.5"), "deploy", "acme")
    set_role(app, anna, "viewer")
    access = authenticate(app, token.token, address="203.0.113.5")
    assert (may(access, "deploy", "acme"), may(access, "read", "acme")) == (False, True)
    set_role(app, anna, None)
    assert not may(authenticate(app, token.token, address="203.0.113.5"), "read", "acme")
    set_role(app, anna, "admin")
    access = authenticate(app, token.token, address="203.0.113.5")
    assert (may(access, "deploy", "acme"), may(access, "restore", "acme")) == (True, False)


def test_it_is_accepted_from_its_networks_alone(app: App, token: TokenCreated) -> None:
    assert accepted(app, token.token, "::ffff:203.0.113.9")
    for address in ("198.51.100.1", "::ffff:198.51.100.1", "2001:db8::1", "rubbish", "", None):
        assert not accepted(app, token.token, address)


def test_all_that_is_refused_is_refused_in_one_sentence(app: App, anna: str, token: TokenCreated, sql: Sql) -> None:
    parts = split_token(token.token)
    other = create_token(app, anna, TokenWanted("other", ["read"]))
    assert not accepted(app, Secret("rubbish"))
    assert not accepted(app, join_token(new_parts()))
    assert not accepted(app, join_token(TokenParts("user", parts.public_id, new_parts().secret)))
    assert not accepted(app, join_token(TokenParts("user", other.id, parts.secret)))
    assert not accepted(app, join_token(TokenParts("hook", parts.public_id, parts.secret)))
    assert accepted(app, token.token)
    disable_user(app, anna)
    assert not accepted(app, token.token)
    enable_user(app, anna)
    assert accepted(app, token.token)
    revoke_token(app, token.id)
    assert not accepted(app, token.token)
    assert accepted(app, other.token)


def test_it_ends_when_it_said(app: App, anna: str, sql: Sql) -> None:
    brief = create_token(app, anna, TokenWanted("brief", ["read"], lifetime=timedelta(microseconds=1)))
    assert not accepted(app, brief.token)
    assert [item.state for item in list_tokens(app)] == ["expired"]


@pytest.mark.parametrize(
    "surgery",
    [
        "expires_at = expires_at + interval '1 year'",
        """scopes = '["deploy", "restore"]'""",
        "addresses = '[]'",
        """addresses = '["203.0.113.0/24", "0.0.0.0/0"]'""",
        "user_id = (SELECT id FROM users WHERE name = 'root')",
        "project_id = (SELECT id FROM projects WHERE slug = 'acme')",
        "mac = (SELECT mac FROM tokens WHERE name = 'of-root')",
        "mac = decode('00', 'hex')",
    ],
)
def test_a_row_changed_behind_our_back_is_refused(app: App, token: TokenCreated, sql: Sql, surgery: str) -> None:
    add_user(app, "root", role="admin")
    create_token(app, "root", TokenWanted("of-root", ["deploy"], networks=["203.0.113.0/24"]))
    assert accepted(app, token.token)
    sql(f"UPDATE tokens SET {surgery} WHERE public_id = :id", id=token.id)
    assert not accepted(app, token.token)
    checked = check_token(app, token.token, ANYTHING)
    assert (checked.accepted, checked.reason) == (
        False,
        "its secret is wrong, or its row was changed behind vpsctl's back",
    )


def test_a_token_of_a_project_whose_row_is_gone_is_good_for_nothing(
    app: App, token: TokenCreated, database_url: str
) -> None:
    add_user(app, "root", role="admin")
    limited = create_token(app, "root", TokenWanted("limited", ["deploy"], project="acme"))
    assert accepted(app, limited.token)
    execute(database_url, "SET session_replication_role = replica; DELETE FROM projects WHERE slug = 'acme'")
    assert not accepted(app, limited.token)


def test_a_token_of_a_project_is_not_good_for_another_that_was_given_its_row(
    app: App, token: TokenCreated, sql: Sql
) -> None:
    add_user(app, "root", role="admin")
    limited = create_token(app, "root", TokenWanted("limited", ["deploy"], project="acme"))
    assert accepted(app, limited.token)
    sql("UPDATE projects SET slug = 'other' WHERE slug = 'acme'")
    assert not accepted(app, limited.token)


def test_a_revoked_token_is_not_brought_back_by_its_row(app: App, token: TokenCreated, sql: Sql) -> None:
    revoke_token(app, token.id)
    sql("UPDATE tokens SET revoked_at = NULL")
    assert not accepted(app, token.token)


def test_its_use_is_noted_once_a_minute(app: App, token: TokenCreated, sql: Sql) -> None:
    assert accepted(app, token.token, "::ffff:203.0.113.7")
    (first,) = list_tokens(app)
    assert first.last_used_at is not None
    assert first.last_used_from == "203.0.113.7"
    assert accepted(app, token.token, "203.0.113.8")
    assert list_tokens(app) == [first]
    sql("UPDATE tokens SET last_used_at = now() - interval '61 s'")
    assert not accepted(app, token.token, "198.51.100.1")
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(lambda number: accepted(app, token.token, f"203.0.113.{number}"), range(4)))
    (later,) = list_tokens(app)
    assert later.last_used_at is not None
    assert later.last_used_at > first.last_used_at
    assert later.last_used_from in {f"203.0.113.{number}" for number in range(4)}


def test_a_use_is_no_change_and_no_wait(app: App, token: TokenCreated, trail: Trail) -> None:
    rows = len(trail())
    for _ in range(3):
        assert accepted(app, token.token)
    assert len(trail()) == rows


def test_revoking_is_for_good_and_recorded_once(app: App, token: TokenCreated, trail: Trail) -> None:
    done = revoke_token(app, token.id)
    assert (done.user, done.name, done.changed) == ("anna", "ci", True)
    again = revoke_token(app, token.id)
    assert (again.revoked_at, again.changed) == (done.revoked_at, False)
    assert trail()[2:] == [("token.revoke", f"token:{token.id}", {"user": "anna", "name": "ci"})]
    with pytest.raises(NotFound, match="there is no token nosuch"):
        revoke_token(app, "nosuch")


def test_the_list_is_of_everybody_or_of_one(app: App, anna: str, token: TokenCreated) -> None:
    add_user(app, "ben", role="viewer")
    other = create_token(app, "ben", TokenWanted("mine", ["read"]))
    assert [item.id for item in list_tokens(app)] == [other.id, token.id]
    assert [item.id for item in list_tokens(app, user="ben")] == [other.id]
    disable_user(app, anna)
    assert [item.state for item in list_tokens(app)] == ["valid", "disabled"]
    with pytest.raises(NotFound):
        list_tokens(app, user="nobody")
    with pytest.raises(Conflict, match="user anna is disabled"):
        create_token(app, anna, TokenWanted("late", ["read"]))


Act = Callable[[App, TokenCreated], object]
NOTHING: Act = lambda app, token: None  # noqa: E731


@pytest.mark.parametrize(
    ("act", "question", "accepted", "reason", "answer"),
    [
        (NOTHING, ANYTHING, True, "", None),
        (NOTHING, Question("203.0.113.5"), True, "", None),
        (NOTHING, Question("198.51.100.1"), False, "it may not be used from 198.51.100.1", None),
        (NOTHING, Question(permission="deploy", project="acme"), True, "", True),
        (NOTHING, Question(permission="restore", project="acme"), True, "", False),
        (NOTHING, Question("198.51.100.1", "deploy", "acme"), False, "it may not be used from 198.51.100.1", False),
        (lambda app, token: revoke_token(app, token.id), ANYTHING, False, "it is revoked", None),
        (lambda app, token: disable_user(app, "anna"), Question(permission="read"), False, "user anna is disabled", False),
    ],
)  # fmt: skip
def test_a_check_says_why(
    app: App, token: TokenCreated, act: Act, question: Question, accepted: bool, reason: str, answer: bool | None
) -> None:
    act(app, token)
    checked = check_token(app, token.token, question)
    assert (checked.id, checked.accepted, checked.reason, checked.may) == (token.id, accepted, reason, answer)
    assert checked.token is not None
    assert checked.token.last_used_at is None


def test_a_check_of_what_was_never_made(app: App, token: TokenCreated) -> None:
    checked = check_token(app, join_token(new_parts()), Question(permission="read"))
    assert (checked.accepted, checked.reason, checked.may) == (False, "no such token was made here", False)
    for question, message in (
        (Question("rubbish"), "'rubbish' is not an address"),
        (Question(permission="fly"), "'fly' is not a permission"),
        (Question(project="acme"), "a project is asked about together with a permission"),
    ):
        with pytest.raises(Invalid, match=message):
            check_token(app, token.token, question)
    with pytest.raises(Invalid, match="this is not a token"):
        check_token(app, Secret(token.token.reveal()[:-1]), ANYTHING)
