"""Verifying the trail: whatever is done to it behind vpsctl's back is found, and the row is named."""

import json
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from tests.operations.audit.conftest import Surgery, Write
from vpsctl.app import Actor, App
from vpsctl.audit.anchor import anchor_path
from vpsctl.audit.record import record
from vpsctl.audit.verify import Verified, verify_audit
from vpsctl.db.audit_digest import EARLIER_DIGEST
from vpsctl.db.models import Audit
from vpsctl.errors import Failed, Invalid, NotFound
from vpsctl.settings import Settings
from vpsctl.vault.key import create_key

ROWS = 9
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))


def found(app: App) -> list[tuple[int, int, str]]:
    return [(problem.row, problem.through, problem.kind) for problem in verify_audit(app).problems]


def check_clean(verified: Verified, rows: int) -> None:
    assert (verified.rows, verified.first, verified.last) == (rows, 1, rows)
    assert (verified.problems, verified.more) == ((), 0)


def test_a_trail_without_a_row_is_whole(app: App) -> None:
    check_clean(verify_audit(app), 0)
    assert verify_audit(app).anchor


def test_what_was_recorded_is_whole_and_where_it_ends_is_noted(app: App, write: Write) -> None:
    write(3)
    first = verify_audit(app)
    check_clean(first, 3)
    assert first.anchor is None
    path = anchor_path(app.settings.home)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    noted = json.loads(path.read_text())
    assert (noted["last"], noted["mac"]) == (3, first.head_mac)
    write(2)
    second = verify_audit(app)
    check_clean(second, 5)
    assert second.anchor
    assert second.anchor.isoformat() == noted["at"]
    assert json.loads(path.read_text())["last"] == 5


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    actor=TEXT,
    origin=TEXT,
    target=TEXT,
    fields=st.dictionaries(st.text(), JSON, max_size=3),
    run=st.none() | st.integers(1, 9),
)
def test_whatever_is_recorded_comes_back_as_it_was_written(
    settings: Settings, actor: str, origin: str, target: str, fields: dict[str, object], run: int | None
) -> None:
    with App(settings, Actor(actor, "api", origin)) as app:
        with app.database.transaction() as session:
            record(app, session, "site.add", target, fields, run)
        assert verify_audit(app).problems == ()


@pytest.mark.parametrize("number", [1e22, 1e23, 1.5e300, -0.0, 5e-324, 1.7976931348623157e308, 2**80, 0.1, 1e16, True])
def test_numbers_come_back_from_postgres_as_the_same_numbers(app: App, write: Write, number: float) -> None:
    write(1, fields={"number": [number]})
    check_clean(verify_audit(app), 1)


def test_a_transaction_that_fails_leaves_no_row_and_no_gap(app: App, write: Write) -> None:
    write(2)
    with pytest.raises(Invalid), app.database.transaction() as session:
        record(app, session, "site.add", "site:shop", {})
        raise Invalid("no")
    write(1)
    check_clean(verify_audit(app), 3)


def test_several_rows_of_one_transaction_stand_in_their_order(app: App) -> None:
    with app.database.transaction() as session:
        for target in ("one", "two", "three"):
            record(app, session, "site.add", target, {})
    with app.database.transaction() as session:
        assert list(session.scalars(select(Audit.target).order_by(Audit.id))) == ["one", "two", "three"]
    check_clean(verify_audit(app), 3)


def test_fifty_writers_at_once_make_one_chain(app: App, write: Write) -> None:
    write(1)
    with ThreadPoolExecutor(50) as pool:
        list(pool.map(lambda number: write(1, fields={"number": number}), range(50)))
    check_clean(verify_audit(app), 51)
    with app.database.transaction() as session:
        numbers = [fields["number"] for fields in session.scalars(select(Audit.fields).where(Audit.id > 1))]
    assert sorted(numbers) == list(range(50))


def test_eight_installations_of_the_code_at_once_make_one_chain(app: App, settings: Settings) -> None:
    def work(number: int) -> None:
        with App(settings, Actor(f"worker {number}", "worker")) as own:
            for _ in range(6):
                with own.database.transaction() as session:
                    record(own, session, "site.add", f"site:{number}", {})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    check_clean(verify_audit(app), 48)


def test_verifying_while_others_write_sees_one_moment(app: App, write: Write) -> None:
    write(1)
    with ThreadPoolExecutor(3) as pool:
        writers = [pool.submit(write, 30) for _ in range(2)]
        while not all(writer.done() for writer in writers):
            assert verify_audit(app).problems == ()
        for writer in writers:
            writer.result()
    check_clean(verify_audit(app), 61)


EDITS = (
    "at = at + interval '1 microsecond'", "at = 'infinity'", "at = '4713-01-01 BC'", "actor = actor || 'x'", "actor = ''",
    "door = 'api'", "origin = '203.0.113.5'", "action = 'credential.remove'", "target = 'credential:B'",
    "fields = '{}'",
    "fields = fields || '{\"x\": 1}'", "fields = 'null'", "fields = '[1]'", "fields = '{\"version\": 1e9999}'",
    "run_id = 3", "previous = NULL", "previous = sha256('x')", "mac = NULL", "mac = sha256('x')", "mac = ''",
)  # fmt: skip


@pytest.fixture
def again(app: App, write: Write, surgery: Surgery) -> Iterator[Callable[[], None]]:
    """A trail of ROWS rows; a call puts it back as it was."""
    write(ROWS)
    surgery("CREATE TABLE kept AS TABLE audit", "CREATE TABLE kept_head AS TABLE audit_head")
    back = ("DELETE FROM audit", "INSERT INTO audit SELECT * FROM kept", "DELETE FROM audit_head")
    yield lambda: surgery(*back, "INSERT INTO audit_head SELECT * FROM kept_head")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=st.dictionaries(st.integers(1, ROWS), st.sampled_from(EDITS), min_size=1, max_size=3))
def test_exactly_the_edited_rows_are_named(
    app: App, again: Callable[[], None], surgery: Surgery, edits: dict[int, str]
) -> None:
    again()
    surgery(*(f"UPDATE audit SET {change} WHERE id = {row}" for row, change in edits.items()))
    assert found(app) == [(row, row, "changed") for row in sorted(edits)]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(gone=st.sets(st.integers(1, ROWS), min_size=1), on=st.booleans())
def test_exactly_the_removed_rows_are_named(
    app: App, again: Callable[[], None], write: Write, surgery: Surgery, gone: set[int], on: bool
) -> None:
    again()
    surgery(f"DELETE FROM audit WHERE id IN ({', '.join(map(str, gone))})")
    write(2 if on else 0)  # nobody has noticed yet
    assert {row for first, last, _ in found(app) for row in range(first, last + 1)} == gone


def test_two_rows_that_changed_places_are_named_with_where_they_belong(app: App, write: Write, surgery: Surgery) -> None:
    write(ROWS)
    for row, other in ((4, -1), (7, 4), (-1, 7)):
        surgery(f"UPDATE audit SET id = {other} WHERE id = {row}")
    told = [(problem.row, problem.kind, problem.told) for problem in verify_audit(app).problems]
    assert told == [
        (4, "moved", "row 4 holds what vpsctl wrote as row 7"),
        (7, "moved", "row 7 holds what vpsctl wrote as row 4"),
    ]


COPY = (
    "INSERT INTO audit (id, at, actor, door, action, target, fields, run_id, origin, previous, mac)"
    " SELECT {id}, at, 'mallory', door, action, target, fields, run_id, origin, previous, mac FROM audit WHERE id = {of}"
)


def test_forged_rows_are_named_wherever_they_stand(app: App, write: Write, surgery: Surgery) -> None:
    write(ROWS)
    surgery("DELETE FROM audit WHERE id = 4", *(COPY.format(id=row, of=2) for row in (4, ROWS + 1, ROWS + 5, 0, -3)))
    assert found(app) == [
        (-3, -3, "added"),
        (0, 0, "added"),
        (4, 4, "changed"),
        (ROWS + 1, ROWS + 1, "added"),
        (ROWS + 5, ROWS + 5, "added"),
    ]


def test_a_tail_that_was_cut_off_is_missed(app: App, write: Write, surgery: Surgery) -> None:
    write(ROWS)
    surgery(f"DELETE FROM audit WHERE id > {ROWS - 3}")
    assert found(app) == [(ROWS - 2, ROWS, "cut")]


SET_BACK = "UPDATE audit_head SET last = 5, mac = (SELECT mac FROM audit WHERE id = 5){more}"


@pytest.mark.parametrize("more", ["", ", seal = NULL", ", seal = sha256('x')"])
@pytest.mark.parametrize("on", [False, True])
def test_a_tail_that_was_cut_off_with_the_head_set_back_is_missed_also_after_more_was_written(
    app: App, write: Write, surgery: Surgery, more: str, on: bool
) -> None:
    write(ROWS)
    surgery("DELETE FROM audit WHERE id > 5", SET_BACK.format(more=more))
    write(ROWS if on else 0)
    (problem,) = verify_audit(app).problems
    assert problem.kind == "cut"
    assert "audit_head was changed behind vpsctl's back" in problem.told
    assert not anchor_path(app.settings.home).exists()


def test_a_head_that_was_removed_is_told(app: App, write: Write, surgery: Surgery) -> None:
    write(ROWS)
    surgery("DELETE FROM audit_head")
    assert found(app) == [(ROWS + 1, ROWS + 1, "cut")]
    surgery(f"UPDATE audit SET actor = 'x' WHERE id = {ROWS - 1}")
    assert found(app) == [(ROWS - 1, ROWS - 1, "changed"), (ROWS + 1, ROWS + 1, "cut")]


def test_a_database_that_was_set_back_as_a_whole_is_seen_by_what_stands_beside_it(
    app: App, again: Callable[[], None], write: Write, surgery: Surgery
) -> None:
    again()
    write(4)
    check_clean(verify_audit(app), ROWS + 4)
    again()
    (problem,) = verify_audit(app).problems
    assert (problem.row, problem.through, problem.kind) == (ROWS + 1, ROWS + 4, "cut")
    assert problem.told.startswith(f"the trail ends at row {ROWS}, and on 20")
    assert problem.told.endswith(f" it had {ROWS + 4}")
    write(6, target="credential:OTHER")
    assert found(app) == [(ROWS + 4, ROWS + 4, "changed")]
    anchor_path(app.settings.home).unlink()  # who restored it on purpose says so by removing that file
    check_clean(verify_audit(app), ROWS + 6)


def test_everything_removed_and_the_head_as_new_is_seen_too(app: App, write: Write, surgery: Surgery) -> None:
    write(ROWS)
    verify_audit(app)
    surgery("DELETE FROM audit", "UPDATE audit_head SET last = earlier, mac = earlier_digest, seal = NULL")
    assert found(app) == [(1, ROWS, "cut")]


@pytest.mark.usefixtures("upgraded")
@pytest.mark.parametrize("rows", [0, 2])
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE audit SET actor = 'x' WHERE id = 2",
        "UPDATE audit SET fields = '{\"a\": 2}' WHERE id = 1",
        "DELETE FROM audit WHERE id = 3",
    ],
)
def test_rows_older_than_the_chain_are_held_by_its_beginning(
    app: App, write: Write, surgery: Surgery, rows: int, change: str
) -> None:
    write(rows)
    verified = verify_audit(app)
    assert (verified.rows, verified.first, verified.last, verified.problems) == (3 + rows, 4, 3 + rows, ())
    surgery(change)
    assert found(app) == [(1, 3, "changed")]
    digest = EARLIER_DIGEST.replace(":earlier", "3")
    surgery(f"UPDATE audit_head SET earlier_digest = d FROM ({digest}) AS found (d)")
    assert found(app) != []


def test_without_the_right_master_key_its_own_sentence_is_told(app: App, settings: Settings, write: Write) -> None:
    write(2)
    key = settings.home / "master.key"
    key.unlink()
    with App(settings, app.actor) as other, pytest.raises(NotFound, match="master key"):
        verify_audit(other)
    create_key(key)
    with App(settings, app.actor) as other, pytest.raises(Failed, match="master key"):
        verify_audit(other)
    assert not anchor_path(settings.home).exists()


def test_without_the_inner_key_no_new_one_is_made(
    app: App, settings: Settings, write: Write, surgery: Surgery, database_url: str
) -> None:
    write(2)
    surgery("DELETE FROM inner_key")
    with App(settings, app.actor) as other, pytest.raises(Failed, match="the key of the audit trail is gone"):
        verify_audit(other)
    with closing(psycopg.connect(database_url)) as connection:
        assert connection.execute("SELECT count(*) FROM inner_key").fetchone() == (0,)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"last": "x"}', '{"last": 1, "mac": "zz", "at": ""}', "\xff"])
def test_a_damaged_anchor_is_no_anchor(app: App, write: Write, text: str) -> None:
    write(2)
    verify_audit(app)
    path = anchor_path(app.settings.home)
    path.write_text(text, "latin-1")
    with pytest.raises(Invalid, match="the audit anchor at .* is damaged") as caught:
        verify_audit(app)
    assert caught.value.hint.startswith(f"remove {path}")
    path.chmod(0o644)
    with pytest.raises(Invalid, match="can be read by others"):
        verify_audit(app)
