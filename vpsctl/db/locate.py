"""Where Postgres is: the URL of the settings, or the foundation's own server behind its Unix socket."""

import secrets

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from vpsctl import private_file
from vpsctl.db.role import ROLE
from vpsctl.errors import Invalid, Unavailable
from vpsctl.secret import Secret
from vpsctl.settings import Settings

SOCKET = ".s.PGSQL.5432"
SOCKET_LIMIT = 107
"""Bytes of a Unix socket's path (sun_path holds 108 with its end mark)."""
OWNER = "vpsctl"
"""Of the foundation's database and schema."""


def find_url(settings: Settings, *, owner: bool = False) -> Secret:
    """`postgres_url`, or the foundation's: database `vpsctl` over the socket in `{home}/postgres`.

    There it logs in as `db.role.ROLE`, and only migrations as the `owner`. A
    socket is no published port, and its path outlives a reboot, which a container's address does not.
    Raises Invalid when home is too long for a socket, Unavailable when the foundation was never made.
    """
    if settings.postgres_url:
        return settings.postgres_url
    directory = settings.home / "postgres"
    if len(str(directory / SOCKET).encode()) > SOCKET_LIMIT:
        raise Invalid(f"home is too long for a Unix socket: {settings.home}", hint="choose one of at most 80 bytes")
    path = settings.home / "postgres-password"
    if not path.exists():
        raise Unavailable(f"vpsctl is not set up here: {path} is missing", hint="vpsctl init")
    password = private_file.read(path, "Postgres password").decode().strip()
    login, place = OWNER if owner else ROLE, {"host": str(directory)}
    url = URL.create("postgresql+psycopg", login, password, database="vpsctl", query=place)
    return Secret(url.render_as_string(hide_password=False))


def ensure_password(settings: Settings) -> tuple[Secret, bool]:
    """The foundation's Postgres password, made (0600) when there is none; True when it was."""
    path = settings.home / "postgres-password"
    made = private_file.write_new(path, secrets.token_urlsafe(32).encode() + b"\n")
    return Secret(private_file.read(path, "Postgres password").decode().strip()), made


def driver_url(url: Secret | str) -> URL:
    """`url` with our driver; `postgres://` and `postgresql://` are the same. Raises Invalid for any other database."""
    text = url.reveal() if isinstance(url, Secret) else url
    hint = "write postgres_url as postgresql://user:password@host/database"
    try:
        parsed = make_url(text)
    except (ArgumentError, ValueError):
        raise Invalid("postgres_url is not a URL", hint=hint) from None  # the cause quotes the URL, and so the password
    if parsed.get_backend_name() not in ("postgresql", "postgres"):
        raise Invalid(f"postgres_url names {parsed.get_backend_name()}, and vpsctl keeps its ledger in Postgres", hint=hint)
    return parsed.set(drivername="postgresql+psycopg")
