"""The tests' own hand on the Postgres server, behind vpsctl's back."""

import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg
from sqlalchemy.engine import make_url


def database_at(server: str, name: str) -> str:
    """The URL of one database of a server."""
    return make_url(server).set(database=name).render_as_string(hide_password=False)


def execute(url: str, statement: str) -> None:
    """One statement outside a transaction."""
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        connection.execute(statement.encode())


@contextmanager
def fresh_database(server: str, template: str) -> Iterator[str]:
    """The URL of a new copy of `template`, dropped at the end."""
    name = f"t{secrets.token_hex(6)}"
    execute(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield database_at(server, name)
    execute(server, f"DROP DATABASE {name} WITH (FORCE)")


def break_connections(server: str, url: str) -> None:
    """End every connection to one database, as a restart of Postgres does."""
    name = make_url(url).database
    execute(server, f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'")


@contextmanager
def gone(server: str, url: str) -> Iterator[None]:
    """Every connection to one database breaks, and until the end no new one is let in."""
    name = make_url(url).database
    execute(server, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    break_connections(server, url)
    try:
        yield
    finally:
        execute(server, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
