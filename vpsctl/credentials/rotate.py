"""Replace the value of a credential by a new one, and at its Postgres server too where that is what it opens."""

from contextlib import closing
from dataclasses import dataclass

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL, make_url

from vpsctl.app import App
from vpsctl.audit.record import record
from vpsctl.credentials.head import find_head
from vpsctl.credentials.kinds.generate import generate
from vpsctl.credentials.name import audited_name, full_name, one_at_a_time
from vpsctl.credentials.read import Opened, open_credential
from vpsctl.credentials.set import add_version
from vpsctl.db.models import Credential
from vpsctl.errors import Failed, Invalid
from vpsctl.secret import Secret
from vpsctl.vault.bindings import credential_pending
from vpsctl.vault.sealed import pack, unpack

TIMEOUT = 10
"""Seconds for a connection to the server whose password is changed."""
POSTGRES = ("postgres", "postgresql")


@dataclass(frozen=True)
class Rotation:
    name: str
    project: str | None
    version: int
    at_server: str | None
    """The server that takes the new password from now on: "db.example.com as app"; None when only the vault changed."""


def rotate_credential(app: App, name: str, *, project: str | None = None, value: Secret | None = None) -> Rotation:
    """A new version: `value`, or one made here.

    The password in a Postgres URL is changed at the server as well. The new one is stored before the server hears of
    it and comes into force after it opened a connection, so that a kill at any moment loses neither: the next call
    finds out which one the server takes, and goes on.
    Raises NotFound; Invalid for a kind that can only be made elsewhere; Failed when the server refuses.
    """
    with app.database.lock(f"rotation:{full_name(name, project)}", holder=f"cred rotate by {app.actor.name}"):
        current = open_credential(app, name, project=project)
        if current.project != project:
            hint = f"vpsctl cred rotate {name} changes the one of the whole machine"
            raise Invalid(f"project {project} has no credential {name} of its own", hint=hint)
        if value is None and current.kind == "url" and make_url(current.value.reveal()).drivername in POSTGRES:
            return _rotate_at_server(app, current)
        return _store(app, current, value or generate(current.kind, current.value), at_server=None)


def _store(app: App, current: Opened, value: Secret, *, at_server: str | None) -> Rotation:
    with app.database.transaction() as session:
        one_at_a_time(session, current.name)
        head = find_head(app, session, current.name, current.project)
        if at_server is not None:
            head.pending = None  # it is `value`
        _, version = add_version(app, session, current.name, value, project_id=head.project_id)
        fields = {"version": version.version, "at_server": at_server}
        record(app, session, "credential.rotate", audited_name(current.name, current.project), fields)
        return Rotation(current.name, current.project, version.version, at_server)


def _rotate_at_server(app: App, current: Opened) -> Rotation:
    old = make_url(current.value.reveal())
    pending = _pending(app, current)
    new = make_url(pending.reveal()) if pending else _with_new_password(old, current)
    place = f"{new.host or 'localhost'} as {new.username}"
    if pending is None:
        _keep_pending(app, current, new)
    if pending is None or not _opens(new) or _opens(old):  # both open at a server that asks for no password
        _change(app, current, old, new, place, begun=pending is not None)
        if not _opens(new):
            raise Failed(
                f"{place} did not take the new password it was given; {current.name} keeps the old one for now",
                hint=f"vpsctl cred rotate {current.name} tries again",
            )
    return _store(app, current, Secret(new.render_as_string(hide_password=False)), at_server=place)


def _with_new_password(old: URL, current: Opened) -> URL:
    if not old.username or old.password is None:
        raise Invalid(f"the URL of {current.name} holds no user and password", hint=f"vpsctl cred set {current.name}")
    return old.set(password=generate("password", None).reveal())


def _pending(app: App, current: Opened) -> Secret | None:
    with app.database.transaction() as session:
        head = find_head(app, session, current.name, current.project)
        if head.pending is None:
            return None
        return Secret(app.vault.decrypt(unpack(head.pending), binding=_bound(head)).decode())


def _keep_pending(app: App, current: Opened, new: URL | None) -> None:
    with app.database.transaction() as session:
        one_at_a_time(session, current.name)
        head = find_head(app, session, current.name, current.project)
        text = new.render_as_string(hide_password=False).encode() if new is not None else None
        head.pending = None if text is None else pack(app.vault.encrypt(text, binding=_bound(head)))


def _bound(head: Credential) -> bytes:
    return credential_pending(head.id, head.last_version + 1, head.name, head.project_id)


def _change(app: App, current: Opened, old: URL, new: URL, place: str, *, begun: bool) -> None:
    """At the server, which is sent the password's verifier: its log may show statements.

    What was kept is dropped only when the server cannot have taken it: it said no, or was never reached.
    """
    connected = False
    try:
        with closing(_connect(old)) as connection:
            connected = True
            password = new.password.encode()  # type: ignore[union-attr]
            verifier = connection.pgconn.encrypt_password(password, str(new.username).encode(), b"scram-sha-256")
            role = sql.Identifier(str(new.username))
            statement = sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, sql.Literal(verifier.decode()))
            connection.execute(statement)
    except psycopg.Error as error:
        if error.sqlstate is not None or not (begun or connected):
            _keep_pending(app, current, None)
        raise Failed(
            f"{place} did not change the password: {str(error).strip().splitlines()[0]}",
            hint=f"vpsctl cred test {current.name}",
        ) from error


def _opens(url: URL) -> bool:
    try:
        _connect(url).close()
    except psycopg.OperationalError:
        return False
    return True


def _connect(url: URL) -> psycopg.Connection[tuple[object, ...]]:
    text = url.set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(text, connect_timeout=TIMEOUT, autocommit=True)
