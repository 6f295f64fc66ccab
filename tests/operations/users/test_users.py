"""Users: added, given roles, shut out, shown; one audit row for each change."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.operations.users.conftest import Sql, Trail
from vpsctl.app import App
from vpsctl.errors import Conflict, Invalid, NotFound
from vpsctl.users.add import UserAdded, add_user
from vpsctl.users.create_token import TokenWanted, create_token
from vpsctl.users.disable import disable_user, enable_user
from vpsctl.users.list import list_users
from vpsctl.users.set_role import RoleSet, set_role
from vpsctl.users.show import show_user

pytestmark = pytest.mark.usefixtures("projects")


def test_a_user_has_the_role_they_were_added_with(app: App, trail: Trail) -> None:
    add_user(app, "anna", email="anna@example.com", role="admin")
    assert add_user(app, "ben", role="operator", projects=["globex", "acme", "acme"]) == UserAdded(
        "ben", None, "operator", ("acme", "globex")
    )
    add_user(app, "carl")
    assert [(user.name, user.email, user.role, user.grants) for user in list_users(app)] == [
        ("anna", "anna@example.com", "admin", {}),
        ("ben", None, None, {"acme": "operator", "globex": "operator"}),
        ("carl", None, None, {}),
    ]
    assert trail() == [
        ("user.add", "user:anna", {"email": "anna@example.com", "role": "admin", "projects": []}),
        ("user.add", "user:ben", {"email": None, "role": "operator", "projects": ["acme", "globex"]}),
        ("user.add", "user:carl", {"email": None, "role": None, "projects": []}),
    ]


def test_what_cannot_be_a_user_leaves_nothing(app: App, trail: Trail) -> None:
    with pytest.raises(Invalid, match="is not a user's name"):
        add_user(app, "Anna")
    with pytest.raises(Invalid, match="is not an e-mail address"):
        add_user(app, "anna", email="anna")
    with pytest.raises(Invalid, match="'root' is not a role"):
        add_user(app, "anna", role="root")
    with pytest.raises(Invalid, match="no role to give anna in acme"):
        add_user(app, "anna", projects=["acme"])
    with pytest.raises(NotFound, match="there is no project nosuch"):
        add_user(app, "anna", role="viewer", projects=["acme", "nosuch"])
    assert list_users(app) == []
    assert trail() == []


def test_of_those_who_add_the_same_user_at_once_one_does(app: App, trail: Trail) -> None:
    def add(number: int) -> bool:
        try:
            add_user(app, "anna", role="viewer", projects=["acme"])
        except Conflict as error:
            assert error.message == "there is a user anna already"
            return False
        return True

    with ThreadPoolExecutor(5) as pool:
        assert sorted(pool.map(add, range(5))) == [False] * 4 + [True]
    assert len(trail()) == 1


def test_a_role_comes_and_goes(app: App, trail: Trail) -> None:
    add_user(app, "anna")
    assert set_role(app, "anna", "viewer") == RoleSet("anna", None, "viewer", None)
    assert set_role(app, "anna", "operator", project="acme") == RoleSet("anna", "acme", "operator", None)
    assert set_role(app, "anna", "admin", project="acme") == RoleSet("anna", "acme", "admin", "operator")
    assert (list_users(app)[0].role, list_users(app)[0].grants) == ("viewer", {"acme": "admin"})
    assert set_role(app, "anna", None, project="acme").before == "admin"
    assert set_role(app, "anna", None).before == "viewer"
    assert (list_users(app)[0].role, list_users(app)[0].grants) == (None, {})
    assert [fields for _, _, fields in trail()[1:]] == [
        {"project": None, "role": "viewer", "before": None},
        {"project": "acme", "role": "operator", "before": None},
        {"project": "acme", "role": "admin", "before": "operator"},
        {"project": "acme", "role": None, "before": "admin"},
        {"project": None, "role": None, "before": "viewer"},
    ]
    set_role(app, "anna", None)
    set_role(app, "anna", None, project="acme")
    assert len(trail()) == 6
    for name, role, project in (("nobody", "viewer", None), ("anna", "viewer", "nosuch")):
        with pytest.raises(NotFound):
            set_role(app, name, role, project=project)
    with pytest.raises(Invalid, match="is not a role"):
        set_role(app, "anna", "none")


def test_a_user_is_shut_out_and_let_in(app: App, trail: Trail) -> None:
    add_user(app, "anna")
    done = disable_user(app, "anna")
    assert done.disabled_at is not None
    again = disable_user(app, "anna")
    assert (again.disabled_at, again.changed) == (done.disabled_at, False)
    assert show_user(app, "anna").disabled_at == done.disabled_at
    assert (enable_user(app, "anna").disabled_at, enable_user(app, "anna").changed) == (None, False)
    assert [action for action, _, _ in trail()] == ["user.add", "user.disable", "user.enable"]
    with pytest.raises(NotFound, match="there is no user nobody"):
        disable_user(app, "nobody")


def test_a_user_is_shown_in_words(app: App, sql: Sql) -> None:
    add_user(app, "anna", role="viewer")
    set_role(app, "anna", "operator", project="acme")
    token = create_token(app, "anna", TokenWanted("ci", ["deploy"], "acme"))
    old = create_token(app, "anna", TokenWanted("old", ["read"]))
    sql("UPDATE tokens SET expires_at = now() - interval '1 s' WHERE public_id = :id", id=old.id)
    sql("UPDATE tokens SET last_used_at = '2026-01-02Z', last_used_from = '::1' WHERE public_id = :id", id=token.id)
    shown = show_user(app, "anna")
    assert shown.may == ("see what there is and its state, never a secret value", "read logs")
    assert "deploy and roll back sites" in shown.may_in["acme"]
    assert "restore backups over what is there" not in shown.may_in["acme"]
    assert [(item.id, item.state) for item in shown.tokens] == [(old.id, "expired"), (token.id, "valid")]
    assert (shown.mfa, shown.recovery_codes) == ("off", 0)
    assert shown.last_used_at is not None
    assert shown.last_used_at.isoformat() == "2026-01-02T00:00:00+00:00"
    listed = list_users(app)[0]
    assert (listed.tokens, listed.last_used_at, listed.mfa) == (1, shown.last_used_at, False)
    with pytest.raises(NotFound, match="there is no user ben"):
        show_user(app, "ben")
