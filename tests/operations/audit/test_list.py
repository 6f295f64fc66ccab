"""Reading the trail: which rows are found, and what one row says of itself and its place."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from tests.operations.audit.conftest import Surgery, Write
from vpsctl.app import Actor, App
from vpsctl.audit.list import AuditRow, Wanted, list_audit
from vpsctl.audit.record import record
from vpsctl.audit.show import show_audit
from vpsctl.db.models import Run
from vpsctl.errors import NotFound
from vpsctl.runs import start_run
from vpsctl.settings import Settings

ROWS = (
    ("anna", "cli", "", "credential.set", "credential:acme/DB_PASSWORD"),
    ("anna", "cli", "", "credential.remove", "credential:DB_PASSWORD"),
    ("ben", "api", "token AB12CD34 from 203.0.113.5", "site.add", "site:acme-shop"),
    ("ben", "api", "203.0.113.5", "token.create", "token:AB12CD34"),
    ("schedule", "schedule", "", "credential_x.set", "credential:100%_done"),
)


@pytest.fixture
def trail(settings: Settings) -> None:
    for name, door, origin, action, target in ROWS:
        with App(settings, Actor(name, door, origin)) as app, app.database.transaction() as session:
            record(app, session, action, target, {"version": 1})


def ids(rows: list[AuditRow]) -> list[int]:
    return [row.id for row in rows]


@pytest.mark.usefixtures("trail")
@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(), [5, 4, 3, 2, 1]),
        (Wanted(actor="anna"), [2, 1]),
        (Wanted(actor="ann"), []),
        (Wanted(door="api"), [4, 3]),
        (Wanted(action="credential"), [5, 2, 1]),
        (Wanted(action="credential."), [2, 1]),
        (Wanted(action="credential_"), [5]),
        (Wanted(action="credential.set"), [1]),
        (Wanted(action="set"), []),
        (Wanted(target="acme"), [3, 1]),
        (Wanted(target="DB_PASSWORD"), [2, 1]),
        (Wanted(target="credential:DB*"), [2]),
        (Wanted(target="credential:*DB_PASSWORD"), [2, 1]),
        (Wanted(target="*DB?PASSWORD"), [2, 1]),
        (Wanted(target="DB*"), []),
        (Wanted(target="site:?cme-shop"), [3]),
        (Wanted(target="%"), [5]),
        (Wanted(target="0%_d"), [5]),
        (Wanted(target="0__d"), []),
        (Wanted(target="*0%?d*"), [5]),
        (Wanted(target="\\"), []),
        (Wanted(actor="ben", action="site", target="shop", door="api"), [3]),
    ],
)
def test_the_rows_that_were_asked_for_are_found(app: App, wanted: Wanted, expected: list[int]) -> None:
    assert ids(list_audit(app, wanted)) == expected


@pytest.mark.usefixtures("trail")
def test_pages_follow_each_other_also_while_rows_are_added(app: App, write: Write) -> None:
    first = list_audit(app, limit=2)
    write(1)
    second = list_audit(app, limit=2, before=first[-1].id)
    assert (ids(first), ids(second)) == ([5, 4], [3, 2])
    assert ids(list_audit(app, Wanted(actor="anna"), limit=1, before=2)) == [1]
    assert list_audit(app, before=1) == []


@pytest.mark.usefixtures("trail")
def test_times_are_from_until_before(app: App) -> None:
    rows = list_audit(app)
    third = rows[2].at
    assert ids(list_audit(app, Wanted(since=third))) == [5, 4, 3]
    assert ids(list_audit(app, Wanted(until=third))) == [2, 1]
    assert list_audit(app, Wanted(since=third, until=third)) == []
    assert list_audit(app, Wanted(since=datetime.now(UTC) + timedelta(days=1))) == []


@pytest.mark.usefixtures("trail")
def test_a_row_says_who_did_what_from_where(app: App) -> None:
    row = list_audit(app)[2]
    assert (row.actor, row.door, row.origin, row.action, row.target) == ROWS[2]
    assert (row.fields, row.run_id) == ({"version": 1}, None)
    assert abs((datetime.now(UTC) - row.at).total_seconds()) < 60


def test_one_row_is_shown_with_its_run_as_long_as_there_is_one(app: App) -> None:
    with start_run(app, "deploy", "shop") as run:
        pass
    with app.database.transaction() as session:
        record(app, session, "site.deploy", "site:shop", {"release": 3}, run.id)
    shown = show_audit(app, 1)
    assert shown.run
    assert (shown.run.id, shown.run.kind, shown.run.subject) == (run.id, "deploy", "shop")
    assert (shown.intact, shown.row) == (True, list_audit(app)[0])
    with app.database.transaction() as session:
        session.execute(update(Run).values(subject="blog"))
        session.delete(session.get_one(Run, run.id))
    later = show_audit(app, 1)
    assert (later.run, later.row.run_id, later.intact) == (None, run.id, True)


def test_a_row_that_is_not_there_is_not_found(app: App) -> None:
    with pytest.raises(NotFound, match="there is no audit row 7") as caught:
        show_audit(app, 7)
    assert caught.value.hint == "vpsctl audit list"


@pytest.mark.usefixtures("trail")
def test_each_row_of_a_whole_trail_has_its_place(app: App) -> None:
    shown = [show_audit(app, number) for number in range(1, 6)]
    assert [one.intact for one in shown] == [True] * 5
    assert [one.previous for one in shown[1:]] == [one.mac for one in shown[:-1]]


@pytest.mark.usefixtures("trail")
@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ("UPDATE audit SET actor = 'x' WHERE id = 3", {3: "not as vpsctl wrote it"}),
        ("UPDATE audit SET at = 'infinity' WHERE id = 3", {3: "not as vpsctl wrote it"}),
        ("DELETE FROM audit WHERE id = 3", {2: "row 3 after it is missing", 4: "row 3 before it is missing"}),
        ("UPDATE audit SET mac = sha256('x') WHERE id = 3", {2: "", 3: "not as vpsctl wrote it", 4: "row 3 is not the one"}),
        ("DELETE FROM audit WHERE id = 5", {4: "row 5 after it is missing"}),
        ("UPDATE audit_head SET last = 6", {5: "row 6 after it is missing"}),
        ("UPDATE audit_head SET seal = NULL", {5: "the end of the trail (audit_head) does not name it"}),
        ("DELETE FROM audit_head", {5: "the end of the trail (audit_head) does not name it"}),
        ("UPDATE audit_head SET earlier_digest = sha256('x')", {}),
    ],
)
def test_a_row_tells_what_is_wrong_with_its_place(app: App, surgery: Surgery, change: str, broken: dict[int, str]) -> None:
    surgery(change)
    shown = {row.id: show_audit(app, row.id) for row in list_audit(app)}
    assert {number: one.told for number, one in shown.items() if not one.intact}.keys() == {
        number for number, told in broken.items() if told
    }
    assert all(told in shown[number].told for number, told in broken.items())


@pytest.mark.usefixtures("upgraded")
def test_a_row_older_than_the_chain_is_held_by_the_digest(app: App, write: Write, surgery: Surgery) -> None:
    write(1)
    assert [show_audit(app, number).intact for number in (1, 3, 4)] == [True] * 3
    assert show_audit(app, 2).told == "older than the chain, and held by its digest"
    assert show_audit(app, 2).mac is None
    surgery("UPDATE audit SET actor = 'x' WHERE id = 1")
    assert [show_audit(app, number).intact for number in (1, 3, 4)] == [False] * 3
