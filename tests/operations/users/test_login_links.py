"""Login links: the first administrator, one use, ten minutes, one at a time."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from tests.operations.users.conftest import Sql, Trail
from vpsctl.app import App
from vpsctl.encoding import to_json
from vpsctl.errors import Conflict, Invalid, NotFound
from vpsctl.secret import Secret
from vpsctl.users.add import add_user
from vpsctl.users.disable import disable_user
from vpsctl.users.list import list_users
from vpsctl.users.login_link import LoginLinkCreated, LoginLinkRedeemed, create_login_link, redeem_login_link


def behind(made: LoginLinkCreated) -> Secret:
    return Secret(made.url.reveal().partition("#link=")[2])


def refused(app: App, link: Secret) -> bool:
    try:
        redeem_login_link(app, link)
    except Invalid as error:
        assert error.message == "this login link is not accepted"
        return True
    return False


def test_the_first_one_makes_the_administrator(app: App, trail: Trail) -> None:
    made = create_login_link(app, "anna")
    assert made.made_administrator
    assert [(user.name, user.role) for user in list_users(app)] == [("anna", "admin")]
    assert timedelta(minutes=9) < made.expires_at - datetime.now(UTC) <= timedelta(minutes=10)
    assert redeem_login_link(app, behind(made)) == LoginLinkRedeemed("anna", mfa=False)
    assert [row[:2] for row in trail()] == [("login-link.create", "user:anna"), ("login-link.redeem", "user:anna")]
    assert trail()[0][2]["made_administrator"] is True
    again = create_login_link(app, "anna")
    assert not again.made_administrator
    with pytest.raises(NotFound, match="there is no user ben") as caught:
        create_login_link(app, "ben")
    assert caught.value.hint == "vpsctl user list, or make this one: vpsctl user add ben --role admin"
    with pytest.raises(Invalid, match="is not a user's name"):
        create_login_link(app, "uid 0")


def test_of_two_first_administrators_at_once_there_is_one(app: App) -> None:
    def make(name: str) -> bool:
        try:
            return create_login_link(app, name).made_administrator
        except NotFound:
            return False

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(make, ["anna", "ben", "carl", "dora"])) == [False] * 3 + [True]
    assert len(list_users(app)) == 1


@pytest.mark.parametrize(
    ("base", "start"),
    [
        (None, "http://127.0.0.1:8484/login#link="),
        ("https://panel.example.com", "https://panel.example.com/login#link="),
        ("https://example.com/panel/", "https://example.com/panel/login#link="),
    ],
)
def test_the_secret_stands_behind_the_hash_alone(app: App, base: str | None, start: str) -> None:
    url = create_login_link(app, "anna", base=base).url.reveal()
    assert url.startswith(start)
    assert len(url.removeprefix(start)) == 43


def test_a_base_that_is_no_url_makes_nothing(app: App) -> None:
    with pytest.raises(Invalid, match="--url is not an http or https address"):
        create_login_link(app, "anna", base="panel.example.com")
    assert list_users(app) == []


def test_it_is_stored_as_a_mac_alone(app: App, sql: Sql, trail: Trail) -> None:
    made = create_login_link(app, "anna")
    link = behind(made).reveal()
    assert link not in sql("SELECT row_to_json(login_links)::text || encode(mac, 'escape') FROM login_links")
    assert link not in to_json(trail()) + to_json(made) + repr(made)


def test_it_is_good_once(app: App, trail: Trail) -> None:
    link = behind(create_login_link(app, "anna"))
    assert not refused(app, link)
    assert refused(app, link)
    assert len(trail()) == 2


def test_of_many_at_once_one_is_let_in(app: App, trail: Trail) -> None:
    link = behind(create_login_link(app, "anna"))
    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(lambda _: refused(app, link), range(6))) == [False] + [True] * 5
    assert [action for action, _, _ in trail()] == ["login-link.create", "login-link.redeem"]


def test_a_new_one_voids_the_older_ones_of_this_user(app: App) -> None:
    add_user(app, "ben")
    add_user(app, "anna")
    old, bens, new = (behind(create_login_link(app, name)) for name in ("anna", "ben", "anna"))
    assert refused(app, old)
    assert not refused(app, bens)
    assert not refused(app, new)


def test_after_ten_minutes_or_for_a_disabled_user_it_is_not_good(app: App, sql: Sql) -> None:
    link = behind(create_login_link(app, "anna"))
    sql("UPDATE login_links SET expires_at = now()")
    assert refused(app, link)
    link = behind(create_login_link(app, "anna"))
    disable_user(app, "anna")
    assert refused(app, link)
    with pytest.raises(Conflict, match="user anna is disabled"):
        create_login_link(app, "anna")
    assert refused(app, Secret(""))
    assert refused(app, Secret("\udc80"))


def test_without_a_name_it_is_the_only_administrators(app: App) -> None:
    add_user(app, "anna", role="admin")
    add_user(app, "ben", role="viewer")
    assert create_login_link(app).name == "anna"
    add_user(app, "carl", role="admin")
    with pytest.raises(NotFound):
        create_login_link(app)
    add_user(app, app.actor.name)
    assert create_login_link(app).name == app.actor.name


@pytest.mark.parametrize(
    "surgery", ["expires_at = expires_at + interval '1 hour'", "user_id = (SELECT id FROM users WHERE name = 'ben')"]
)
def test_a_link_that_was_made_for_somebody_else_or_for_longer_is_refused(app: App, sql: Sql, surgery: str) -> None:
    link = behind(create_login_link(app, "anna"))
    add_user(app, "ben", role="admin")
    sql(f"UPDATE login_links SET {surgery}")
    assert refused(app, link)


def test_a_used_link_is_not_made_good_by_its_row(app: App, sql: Sql) -> None:
    link = behind(create_login_link(app, "anna"))
    assert not refused(app, link)
    sql("UPDATE login_links SET used_at = NULL")
    assert refused(app, link)
