"""Where Postgres is looked for, and what is said when that cannot be right."""

import stat
from pathlib import Path

import pytest

from vpsctl.db.locate import driver_url, ensure_password, find_url
from vpsctl.errors import Invalid, Unavailable
from vpsctl.secret import Secret
from vpsctl.settings import Settings


def test_the_settings_url_wins(home: Path) -> None:
    ensure_password(Settings(home=home))
    url = Secret("postgresql://u:p@db.example/x")
    assert find_url(Settings(home=home, postgres_url=url)) == url


def test_the_foundation_is_behind_a_socket_with_a_private_password(home: Path) -> None:
    password, made = ensure_password(Settings(home=home))
    assert made
    assert ensure_password(Settings(home=home)) == (password, False)
    assert stat.S_IMODE((home / "postgres-password").stat().st_mode) == 0o600
    for owner, login in ((False, "vpsctl_app"), (True, "vpsctl")):
        url = driver_url(find_url(Settings(home=home), owner=owner))
        assert (url.username, url.password, url.database, url.host) == (login, password.reveal(), "vpsctl", None)
        assert url.query == {"host": str(home / "postgres")}
    assert len(password.reveal()) >= 43


def test_before_init_the_sentence_says_so(home: Path) -> None:
    with pytest.raises(Unavailable, match="vpsctl is not set up here") as caught:
        find_url(Settings(home=home))
    assert caught.value.hint == "vpsctl init"


@pytest.mark.parametrize(("length", "fits"), [(84, True), (85, False)])
def test_a_home_too_long_for_a_socket_is_refused(length: int, fits: bool) -> None:
    home = Path("/" + "h" * (length - 1))
    assert (len(str(home / "postgres/.s.PGSQL.5432")) <= 107) == fits
    with pytest.raises(Unavailable if fits else Invalid, match="not set up" if fits else "too long for a Unix socket"):
        find_url(Settings(home=home))


@pytest.mark.parametrize("url", ["postgres://u:p@h/d", "postgresql://u:p@h/d", "postgresql+psycopg2://u:p@h/d"])
def test_every_spelling_of_postgres_gets_our_driver(url: str) -> None:
    assert driver_url(url).render_as_string(hide_password=False) == "postgresql+psycopg://u:p@h/d"


@pytest.mark.parametrize(
    "url", ["sqlite:///x", "mysql://u:hunter22@h/d", "hunter22", "postgresql://u:hunter22@h:port/d", ""]
)
def test_anything_else_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(Invalid) as caught:
        driver_url(Secret(url))
    assert "hunter22" not in str(caught.value)
    assert caught.value.__cause__ is None
