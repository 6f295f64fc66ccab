"""Random surgery on the stored rows, by someone who may write anything: a value opens as it was, or not at all."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import psycopg
import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from psycopg import sql
from sqlalchemy import func, select

from vpsctl.app import App
from vpsctl.credentials.read import read_credentials
from vpsctl.credentials.set import Traits, set_credential
from vpsctl.db.models import Audit
from vpsctl.errors import Failed, NotFound
from vpsctl.secret import Secret

TABLES = ("credentials", "credential_versions", "master_keys", "inner_key")
COLUMNS = {
    "credentials": ("id", "name", "project_id", "last_version", "kind", "details", "seal", "removed_at"),
    "credential_versions": (
        *("credential_id", "version", "key_id", "key_nonce", "wrapped_key", "nonce", "ciphertext", "destroyed_at"),
    ),
    "master_keys": ("key_id", "state", "sealed"),
    "inner_key": ("sealed",),
}
ACTS = ("copy", "swap", "null", "cut", "grow", "flip", "lower", "delete")
VALUES = {
    (None, "FIRST", None): "newest",
    (None, "FIRST", 1): "oldest",
    (None, "SECOND", None): "other",
    ("acme", "FIRST", None): "acme's own",
    ("acme", "SECOND", None): "other",
}


@dataclass(frozen=True)
class Cut:
    """What is done to one column of one row, with another row's help."""

    table: str
    column: str
    act: str
    row: int
    other: int


CUTS = st.sampled_from(TABLES[:2]).flatmap(
    lambda table: st.builds(
        Cut,
        st.just(table),
        st.sampled_from(COLUMNS[table]),
        st.sampled_from(ACTS),
        st.integers(0, 5),
        st.integers(0, 5),
    )
) | st.builds(Cut, st.sampled_from(TABLES[2:]), st.just("sealed"), st.sampled_from(ACTS), st.just(0), st.just(0))


@pytest.fixture
def stored(app: App) -> App:
    for name, value, project in (
        ("FIRST", "oldest", None),
        ("FIRST", "newest", None),
        ("SECOND", "other", None),
        ("FIRST", "acme's own", "acme"),
        ("THIRD", "zeta's", "zeta"),
    ):
        set_credential(app, name, Secret(value), project=project, traits=Traits(details={"url": f"https://{value[0]}.test"}))
    return app


@pytest.fixture
def surgeon(stored: App, database_url: str) -> Iterator["psycopg.Connection[tuple[object, ...]]"]:
    """The server's superuser, who is bound by no foreign key and no unique index, and a copy of what stood there."""
    with closing(psycopg.connect(database_url, autocommit=True)) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("DROP INDEX uq_credentials_name_everywhere")
        connection.execute("ALTER TABLE credentials DROP CONSTRAINT uq_credentials_project_id_name")
        for table in TABLES:
            copy, source = sql.Identifier(f"{table}_kept"), sql.Identifier(table)
            connection.execute(sql.SQL("CREATE TABLE {} AS TABLE {}").format(copy, source))
        yield connection


def restore(surgeon: "psycopg.Connection[tuple[object, ...]]") -> None:
    for table in TABLES:
        copy, source = sql.Identifier(f"{table}_kept"), sql.Identifier(table)
        surgeon.execute(sql.SQL("DELETE FROM {}").format(source))
        surgeon.execute(sql.SQL("INSERT INTO {} OVERRIDING SYSTEM VALUE SELECT * FROM {}").format(source, copy))


def operate(surgeon: "psycopg.Connection[tuple[object, ...]]", cut: Cut) -> bool:
    """Whether anything could be done: a type or a primary key may not allow it."""
    table, column = sql.Identifier(cut.table), sql.Identifier(cut.column)
    rows = [row[0] for row in surgeon.execute(sql.SQL("SELECT ctid::text FROM {} ORDER BY 1").format(table))]
    if not rows:
        return False
    row, other = rows[cut.row % len(rows)], rows[cut.other % len(rows)]
    kind = surgeon.execute(sql.SQL("SELECT pg_typeof({})::text FROM {} LIMIT 1").format(column, table)).fetchone()
    assert kind is not None
    changes = {
        "copy": "(SELECT {column} FROM {table} WHERE ctid = %(other)s::tid)",
        "swap": "CASE ctid WHEN %(row)s::tid THEN (SELECT {column} FROM {table} WHERE ctid = %(other)s::tid)"
        " ELSE (SELECT {column} FROM {table} WHERE ctid = %(row)s::tid) END",
        "null": "NULL",
        "cut": {"bytea": "substr({column}, 1, length({column}) - 1)", "text": "left({column}, -1)"}.get(str(kind[0])),
        "grow": {"bytea": "{column} || '\\x00'", "text": "{column} || 'X'", "bigint": "{column} + 1"}.get(str(kind[0])),
        "flip": {"bytea": "set_byte({column}, length({column}) - 1, get_byte({column}, length({column}) - 1) # 1)"}.get(
            str(kind[0])
        ),
        "lower": {"bigint": "{column} - 1", "timestamp with time zone": "now()"}.get(str(kind[0])),
    }
    where = "ctid IN (%(row)s::tid, %(other)s::tid)" if cut.act == "swap" else "ctid = %(row)s::tid"
    if cut.act == "delete":
        statement = "DELETE FROM {table} WHERE " + where
    elif changes[cut.act] is None:
        return False
    else:
        statement = "UPDATE {table} SET {column} = " + str(changes[cut.act]) + " WHERE " + where
    try:
        surgeon.execute(sql.SQL(statement).format(table=table, column=column), {"row": row, "other": other})
    except psycopg.Error as error:
        note(str(error))
        return False
    return True


def refused(app: App) -> int:
    with app.database.transaction() as session:
        return session.scalar(select(func.count()).where(Audit.action == "credential.refused")) or 0


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(CUTS, min_size=1, max_size=3))
def test_a_value_opens_as_it_was_or_not_at_all(
    stored: App, surgeon: "psycopg.Connection[tuple[object, ...]]", cuts: list[Cut]
) -> None:
    restore(surgeon)
    for cut in cuts:
        operate(surgeon, cut)
    with App(stored.settings, stored.actor) as app:  # one that knows no key yet
        inner = True
        try:
            before = refused(app)
            read_credentials(app, ["NONE"])
        except NotFound:
            pass
        except Failed:
            inner = False  # the key that the trail itself is written with was cut
        for (project, name, version), value in VALUES.items():
            pinned = {} if version is None else {name: version}
            try:
                found = read_credentials(app, [name], project=project, versions=pinned)[name][0].reveal()
            except NotFound as error:
                assert name in error.message
            except Failed as error:
                assert (
                    "altered" in error.message
                    or "master key" in error.message
                    or "is missing" in error.message
                    or "is gone" in error.message
                )
                assert value not in error.message
                if inner:
                    before += 1
            else:
                assert found == value
        if inner:
            assert refused(app) == before
