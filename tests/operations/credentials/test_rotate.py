"""New values: made here, and for a Postgres URL at its server too, where a kill at any moment loses neither password."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterator
from contextlib import closing

import psycopg
import pytest
from sqlalchemy import select
from sqlalchemy.engine import URL, make_url

from tests.postgres import execute
from vpsctl.app import App
from vpsctl.credentials import rotate
from vpsctl.credentials.kinds.ssh_key import public_key
from vpsctl.credentials.read import open_credential
from vpsctl.credentials.rotate import rotate_credential
from vpsctl.credentials.set import Traits, set_credential
from vpsctl.credentials.show import show_credential
from vpsctl.credentials.versions import rollback_credential
from vpsctl.db.models import Audit
from vpsctl.errors import Failed, Invalid, NotFound, Unavailable
from vpsctl.secret import Secret

URL_KIND = Traits(kind="url")


@pytest.fixture
def role(postgres_server: str) -> Iterator[URL]:
    """A login of its own at the tests' server, which asks it for its password."""
    name, password = f"r{secrets.token_hex(4)}", secrets.token_urlsafe(16)
    execute(postgres_server, f"CREATE ROLE {name} LOGIN PASSWORD '{password}'")
    yield make_url(postgres_server).set(username=name, password=password)
    execute(postgres_server, f"DROP ROLE {name}")


def text(url: URL) -> str:
    return url.render_as_string(hide_password=False)


def verifier(server: str, name: str | None) -> str:
    with closing(psycopg.connect(server)) as connection:
        found = connection.execute("SELECT rolpassword FROM pg_authid WHERE rolname = %s", [name]).fetchone()
    assert found is not None
    return str(found[0])


def takes(server: str, url: URL, password: str) -> bool:
    """Whether the server would take that password: the tests' one lets anybody in over its socket."""
    stored = verifier(server, url.username)
    iterations, salt = stored.removeprefix("SCRAM-SHA-256$").split("$")[0].split(":")
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(salt), int(iterations))
    key = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()  # RFC 5803
    return base64.b64encode(key).decode() in stored


def trail(app: App) -> list[dict[str, object]]:
    with app.database.transaction() as session:
        rows = session.scalars(select(Audit).where(Audit.action == "credential.rotate").order_by(Audit.id))
        return [row.fields for row in rows]


def test_a_password_is_made_anew(app: App) -> None:
    set_credential(app, "TOKEN", Secret("old"))
    assert rotate_credential(app, "TOKEN").version == 2
    assert len(open_credential(app, "TOKEN").value.reveal()) == 43
    assert rotate_credential(app, "TOKEN", value=Secret("given")).version == 3
    assert open_credential(app, "TOKEN").value == Secret("given")
    assert trail(app) == [{"version": 2, "at_server": None}, {"version": 3, "at_server": None}]


def test_each_kind_that_can_be_made_here_keeps_what_is_no_secret(app: App) -> None:
    set_credential(app, "YESPO", Secret("user:old"), traits=Traits(kind="basic"))
    rotate_credential(app, "YESPO")
    assert open_credential(app, "YESPO").value.reveal().startswith("user:")
    set_credential(app, "KEY", rotate.generate("ssh-key", None), traits=Traits(kind="ssh-key"))
    first = public_key(open_credential(app, "KEY").value)
    rotate_credential(app, "KEY")
    assert public_key(open_credential(app, "KEY").value) != first


def test_what_only_others_can_make_is_refused_with_the_way(app: App) -> None:
    set_credential(app, "CACHE", Secret("redis://:hunter22@cache:6379/0"), traits=URL_KIND)
    with pytest.raises(Invalid) as caught:
        rotate_credential(app, "CACHE")
    assert "hunter22" not in caught.value.message
    with pytest.raises(NotFound):
        rotate_credential(app, "NOBODY")
    set_credential(app, "TOKEN", Secret("x"))
    with pytest.raises(Invalid, match="project acme has no credential TOKEN of its own"):
        rotate_credential(app, "TOKEN", project="acme")
    assert trail(app) == []


def test_a_postgres_url_changes_at_its_server_too(app: App, role: URL, postgres_server: str) -> None:
    set_credential(app, "DATABASE_URL", Secret(text(role)), traits=URL_KIND)
    done = rotate_credential(app, "DATABASE_URL")
    assert done.version == 2
    assert done.at_server == f"localhost as {role.username}"
    new = make_url(open_credential(app, "DATABASE_URL").value.reveal())
    assert new.password != role.password
    assert new.set(password="x") == role.set(password="x")
    assert takes(postgres_server, role, str(new.password))
    assert not takes(postgres_server, role, str(role.password))
    assert not show_credential(app, "DATABASE_URL").rotating
    assert trail(app) == [{"version": 2, "at_server": done.at_server}]


@pytest.mark.parametrize("moment", ["_change", "_opens", "_store"])
def test_a_kill_at_any_moment_loses_neither_password(
    app: App, role: URL, postgres_server: str, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    set_credential(app, "DATABASE_URL", Secret(text(role)), traits=URL_KIND)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(rotate, moment, killed)
        rotate_credential(app, "DATABASE_URL")
    assert open_credential(app, "DATABASE_URL").value == Secret(text(role))
    assert show_credential(app, "DATABASE_URL").rotating
    assert trail(app) == []
    assert rotate_credential(app, "DATABASE_URL").version == 2
    new = make_url(open_credential(app, "DATABASE_URL").value.reveal())
    assert takes(postgres_server, role, str(new.password))
    assert len(trail(app)) == 1


@pytest.mark.parametrize("act", ["set", "rollback"])
def test_a_value_that_is_set_after_a_kill_does_not_lose_the_password_that_the_server_took(
    app: App, role: URL, postgres_server: str, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    set_credential(app, "DATABASE_URL", Secret("postgresql://a:b@earlier/x"), traits=URL_KIND)
    set_credential(app, "DATABASE_URL", Secret(text(role)))

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(rotate, "_store", killed)
        rotate_credential(app, "DATABASE_URL")
    if act == "set":
        assert set_credential(app, "DATABASE_URL", Secret("postgresql://a:b@other/x")).version == 4
    else:
        assert rollback_credential(app, "DATABASE_URL", 1).version == 4
    assert make_url(open_credential(app, "DATABASE_URL").value.reveal()).username == "a"
    taken = make_url(open_credential(app, "DATABASE_URL", version=3).value.reveal())
    assert takes(postgres_server, role, str(taken.password))
    assert not show_credential(app, "DATABASE_URL").rotating


def test_a_server_that_says_no_changes_nothing(app: App, role: URL, postgres_server: str) -> None:
    set_credential(app, "DATABASE_URL", Secret(text(role)), traits=URL_KIND)
    execute(postgres_server, f"ALTER ROLE {role.username} NOLOGIN")
    with pytest.raises(Failed, match=f"localhost as {role.username} did not change the password: .*not permitted to log in"):
        rotate_credential(app, "DATABASE_URL")
    assert open_credential(app, "DATABASE_URL").value == Secret(text(role))
    assert not show_credential(app, "DATABASE_URL").rotating
    assert trail(app) == []


def test_without_our_own_postgres_the_server_is_not_asked(
    app: App, role: URL, postgres_server: str, postgres_gone: Callable[[], object]
) -> None:
    set_credential(app, "DATABASE_URL", Secret(text(role)), traits=URL_KIND)
    before = verifier(postgres_server, role.username)
    with postgres_gone(), pytest.raises(Unavailable):  # type: ignore[attr-defined]
        rotate_credential(app, "DATABASE_URL")
    assert verifier(postgres_server, role.username) == before
