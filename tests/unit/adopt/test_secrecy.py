"""Which values are secrets, and what their credentials are called."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpsctl.credentials.name import NAME
from vpsctl.secret import Secret
from vpsctl.sites.adopt.secrecy import Wanted, argument_is_secret, candidates, is_secret, name_credentials


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("POSTGRES_PASSWORD", "x"),
        ("db_passwd", "x"),
        ("DB_PASS", "x"),
        ("MYSQL_PWD", "x"),
        ("JWT_SECRET", "x"),
        ("githubToken", "x"),
        ("AWS_ACCESS_KEY_ID", "x"),
        ("DATABASE_URL", "postgresql://u:p@db/x"),
        ("REDIS", "redis://:p@cache:6379"),
        ("DSN", "host=db user=u password=p"),
    ],
)
def test_secrets(variable: str, value: str) -> None:
    assert is_secret(variable, value)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("POSTGRES_PASSWORD", ""),
        ("POSTGRES_PASSWORD_FILE", "/run/secrets/db"),
        ("PWD", "/app"),
        ("PASSENGER_COUNT", "3"),
        ("URL", "https://example.com:8080/a@b"),
        ("DATABASE_URL", "postgresql://u@db/x"),
    ],
)
def test_no_secrets(variable: str, value: str) -> None:
    assert not is_secret(variable, value)


def test_arguments() -> None:
    assert argument_is_secret("--requirepass") and argument_is_secret("amqp://u:p@mq")
    assert not argument_is_secret("--port") and not argument_is_secret("redis-server")


variables = st.builds(str.__add__, st.sampled_from("aZ_"), st.text("aT_0.-", max_size=80))
wanted = st.builds(Wanted, st.sampled_from(["app", "db", "a-b"]), variables, st.sampled_from("xyz").map(Secret))


@given(st.lists(wanted, max_size=8, unique_by=lambda item: (item.service, item.variable)), st.data())
def test_no_value_is_ever_lost_or_overwritten(items: list[Wanted], data: st.DataObject) -> None:
    possible = [name for item in items for name in list(candidates("shop", item))[:3]]
    known = data.draw(st.dictionaries(st.sampled_from(possible), st.sampled_from("xyzq").map(Secret))) if possible else {}
    names = name_credentials("shop", items, known)
    stored = dict(known)
    for item in items:
        name = names[item.service, item.variable]
        assert NAME.fullmatch(name)
        assert stored.setdefault(name, item.value) == item.value
    again = name_credentials("shop", items, stored)
    assert again == names or all(stored[again[key]] == stored[names[key]] for key in names)


def test_the_plainest_name_comes_first() -> None:
    item = Wanted("db", "db.password", Secret("mine"))
    assert name_credentials("shop", [item], {}) == {("db", "db.password"): "DB_PASSWORD"}
    other = {"DB_PASSWORD": Secret("of another site")}
    assert name_credentials("shop", [item], other) == {("db", "db.password"): "SHOP_DB_PASSWORD"}
    assert name_credentials("shop", [item], {"DB_PASSWORD": Secret("mine")}) == {("db", "db.password"): "DB_PASSWORD"}
