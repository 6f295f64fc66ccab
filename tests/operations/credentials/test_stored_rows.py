"""What someone who can write to the database can do to stored values: break them, never change them."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select, text

from tests.postgres import execute
from vpsctl.app import Actor, App
from vpsctl.credentials.head import seal_earlier
from vpsctl.credentials.list import list_credentials
from vpsctl.credentials.read import read_credentials
from vpsctl.credentials.remove import remove_credential
from vpsctl.credentials.set import set_credential
from vpsctl.credentials.show import show_credential
from vpsctl.db.models import Audit
from vpsctl.errors import Failed, VpsctlError
from vpsctl.secret import Secret
from vpsctl.vault.key import create_key

COLUMNS = ("key_nonce", "wrapped_key", "nonce", "ciphertext")
ALL = ", ".join(COLUMNS)


@pytest.fixture
def stored(app: App) -> App:
    """Credential 1 (FIRST) with versions 1 and 2, credential 2 (SECOND) with version 1, credential 3 (FIRST of acme)."""
    for name, value, project in (
        ("FIRST", "old", None),
        ("FIRST", "new", None),
        ("SECOND", "other", None),
        ("FIRST", "acme's", "acme"),
    ):
        set_credential(app, name, Secret(value), project=project)
    return app


def run(app: App, statement: str) -> None:
    with app.database.transaction() as session:
        session.execute(text(statement))


def refusals(app: App) -> list[str]:
    """What the audit trail says was refused."""
    with app.database.transaction() as session:
        return list(session.scalars(select(Audit.target).where(Audit.action == "credential.refused")))


def read(app: App, name: str = "FIRST", project: str | None = None) -> str:
    return read_credentials(app, [name], project=project)[name][0].reveal()


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("source", ["credential_id = 2", "credential_id = 1 AND version = 1"])
def test_a_column_of_another_row_does_not_open(stored: App, column: str, source: str) -> None:
    run(
        stored,
        f"UPDATE credential_versions SET {column} = (SELECT {column} FROM credential_versions WHERE {source})"
        " WHERE credential_id = 1 AND version = 2",
    )
    with pytest.raises(Failed) as caught:
        read(stored)
    assert caught.value.message == (
        "credential FIRST version 2: a stored value was altered or moved, and the vault refuses to open it"
    )


@pytest.mark.parametrize("source", ["credential_id = 2", "credential_id = 1 AND version = 1", "credential_id = 3"])
def test_a_whole_row_in_another_place_does_not_open(stored: App, source: str) -> None:
    run(
        stored,
        f"UPDATE credential_versions SET ({ALL}) = (SELECT {ALL} FROM credential_versions WHERE {source})"
        " WHERE credential_id = 1 AND version = 2",
    )
    with pytest.raises(Failed, match="was altered or moved"):
        read(stored)


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize(
    "change", ["''::bytea", "substr({0}, 1, length({0}) - 1)", "{0} || '\\x00'", "set_byte({0}, 0, get_byte({0}, 0) # 1)"]
)
def test_a_changed_column_does_not_open(stored: App, column: str, change: str) -> None:
    run(stored, f"UPDATE credential_versions SET {column} = {change.format(column)}")
    with pytest.raises(Failed, match="was altered or moved"):
        read(stored)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE credentials SET last_version = 1 WHERE id = 1",  # a rollback to the old value
        "DELETE FROM credential_versions WHERE credential_id = 1 AND version = 2",
        "UPDATE credentials SET kind = 'token' WHERE id = 1",
        'UPDATE credentials SET details = \'{"url": "https://elsewhere"}\' WHERE id = 1',
        "UPDATE credentials SET seal = NULL WHERE id = 1",
        "UPDATE credentials SET seal = (SELECT seal FROM credentials WHERE id = 2) WHERE id = 1",
        "UPDATE credentials SET name = CASE name WHEN 'FIRST' THEN 'SECOND' ELSE 'FIRST' END WHERE project_id IS NULL",
        "UPDATE credentials SET project_id = (SELECT id FROM projects WHERE slug = 'acme'), name = 'SECOND' WHERE id = 2",
        "UPDATE credential_versions SET key_id = '0123456789abcdef'",
    ],
)
def test_a_renamed_moved_or_renumbered_credential_does_not_open(stored: App, database_url: str, statement: str) -> None:
    if "CASE" in statement:  # the names are unique at every moment
        execute(database_url, "DROP INDEX uq_credentials_name_everywhere")
    run(stored, statement)
    name, project = ("SECOND", "acme") if "SELECT id FROM projects" in statement else ("FIRST", None)
    with pytest.raises(Failed):
        read(stored, name, project)
    assert refusals(stored) == [f"credential:{'acme/' if project else ''}{name}"]


@pytest.mark.parametrize("change", ["project_id = (SELECT id FROM projects WHERE slug = 'zeta')", "removed_at = now()"])
def test_a_projects_own_that_was_hidden_does_not_give_way_to_the_machines(stored: App, change: str) -> None:
    run(stored, f"UPDATE credentials SET {change} WHERE id = 3")
    with pytest.raises(Failed, match="was altered"):
        read(stored, project="acme")


@pytest.mark.parametrize("versions", [{}, {"FIRST": 9}])
def test_an_old_version_under_a_new_number_is_not_the_newest(stored: App, versions: dict[str, int]) -> None:
    run(stored, "UPDATE credential_versions SET version = 9 WHERE credential_id = 1 AND version = 1")
    with pytest.raises(Failed, match="was altered"):
        read_credentials(stored, ["FIRST"], versions=versions)
    assert set_credential(stored, "FIRST", Secret("again")).version == 10
    assert read(stored) == "again"


def heads(app: App) -> list[dict[str, object]]:
    with app.database.transaction() as session:
        return [dict(row) for row in session.execute(text("SELECT * FROM credentials")).mappings()]


def put_back(app: App, rows: list[dict[str, object]]) -> None:
    told = "last_version = :last_version, removed_at = :removed_at, seal = :seal, kind = :kind"
    for row in rows:
        with app.database.transaction() as session:
            session.execute(text(f"UPDATE credentials SET {told} WHERE id = :id"), row)


def test_an_older_state_of_the_row_does_not_bring_the_older_value_back(stored: App) -> None:
    before = heads(stored)
    set_credential(stored, "FIRST", Secret("newest"))
    put_back(stored, before)
    with pytest.raises(Failed, match="was altered"):
        read(stored)
    assert refusals(stored) == ["credential:FIRST"]


def test_an_older_state_in_which_a_projects_own_was_removed_does_not_give_way_to_the_machines(stored: App) -> None:
    remove_credential(stored, "FIRST", project="acme")
    before = heads(stored)
    set_credential(stored, "FIRST", Secret("acme's again"), project="acme")
    put_back(stored, before)
    with pytest.raises(Failed, match="acme/FIRST: its stored row was altered"):
        read(stored, project="acme")


def test_projects_whose_names_were_swapped_do_not_get_each_others_values(stored: App, database_url: str) -> None:
    set_credential(stored, "FIRST", Secret("zeta's"), project="zeta")
    execute(database_url, "ALTER TABLE projects DROP CONSTRAINT uq_projects_slug")
    run(
        stored, "UPDATE projects SET slug = CASE slug WHEN 'acme' THEN 'zeta' ELSE 'acme' END WHERE slug IN ('acme', 'zeta')"
    )
    for project in ("acme", "zeta"):
        with pytest.raises(Failed, match="was altered"):
            read(stored, project=project)


def test_a_version_that_was_only_marked_as_destroyed_is_told(stored: App) -> None:
    run(stored, "UPDATE credential_versions SET destroyed_at = now() WHERE credential_id = 1")
    for version in (1, 2):
        with pytest.raises(Failed, match="was altered"):
            read_credentials(stored, ["FIRST"], versions={"FIRST": version})
    assert refusals(stored) == ["credential:FIRST"] * 2


def test_readers_beside_writers_see_one_state(stored: App) -> None:
    """Each `set`, `remove` and destruction is whole for whoever reads, and no refusal is noted."""
    over = threading.Event()

    def write(act: int) -> None:
        with App(stored.settings, Actor("writer", "cli")) as app:
            while not over.is_set():
                set_credential(app, "FIRST", Secret(f"value {act}"), project="acme")
                remove_credential(app, "FIRST", project="acme")

    with ThreadPoolExecutor(2) as pool, App(stored.settings, stored.actor) as reader:
        writing = pool.submit(write, 1)
        try:
            found = {read(reader, project="acme") for _ in range(150)}
        finally:
            over.set()
        writing.result()
    assert found <= {"acme's", "value 1", "new"}
    assert refusals(stored) == []


def test_without_the_inner_key_nothing_is_signed_anew(stored: App) -> None:
    run(stored, "DELETE FROM inner_key")
    run(stored, "DELETE FROM master_keys")
    run(stored, "UPDATE credentials SET seal = NULL, last_version = 1 WHERE id = 1")
    with App(stored.settings, stored.actor) as other, pytest.raises(Failed, match="inner key is gone"):
        seal_earlier(other)


def test_a_credential_that_was_altered_can_be_set_again_and_removed(stored: App) -> None:
    run(stored, "UPDATE credentials SET last_version = 1 WHERE id IN (1, 3)")
    assert set_credential(stored, "FIRST", Secret("again")).version == 4
    remove_credential(stored, "FIRST", project="acme")
    assert read(stored) == read(stored, project="acme") == "again"


def test_another_master_key_is_told_by_name_and_opens_nothing(stored: App) -> None:
    path = stored.settings.home / "master.key"
    first = stored.vault.key_id
    path.unlink()
    create_key(path)
    with App(stored.settings, stored.actor) as other:
        told = f"a stored value was encrypted with master key {first}, and {path} is {other.vault.key_id}"
        for act in (lambda: read(other), lambda: set_credential(other, "FIRST", Secret("set again"))):
            with pytest.raises(Failed) as caught:
                act()
            assert caught.value.message == told
    assert read(stored) == "new"


def test_the_database_holds_no_value_and_no_key(stored: App) -> None:
    set_credential(stored, "THIRD", Secret("hunter22hunter22"))
    with stored.database.transaction() as session:
        rows = session.execute(text("SELECT * FROM credential_versions")).all()
    told = repr([[bytes(cell) if isinstance(cell, memoryview) else cell for cell in row] for row in rows])
    assert "hunter22" not in told
    assert repr((stored.settings.home / "master.key").read_bytes())[2:-3] not in told


def test_a_damaged_value_is_never_skipped_for_another(stored: App) -> None:
    run(stored, "UPDATE credential_versions SET ciphertext = '\\x00' WHERE credential_id = 3")
    with pytest.raises(VpsctlError) as caught:
        read(stored, project="acme")
    assert isinstance(caught.value, Failed)


def test_one_without_its_versions_is_listed_and_told(stored: App) -> None:
    run(stored, "DELETE FROM credential_versions WHERE credential_id = 2")
    (found,) = (item for item in list_credentials(stored) if item.name == "SECOND")
    assert (found.version, found.versions) == (1, ())
    with pytest.raises(Failed, match="credential SECOND: version 1 is missing in the database"):
        show_credential(stored, "SECOND")
