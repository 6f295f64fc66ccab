"""The walk along the chain: whatever is done to its rows, exactly those rows are named."""

from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpsctl.audit.chain import MANY, Known, Problem, Walk
from vpsctl.audit.record import head_mac, row_mac
from vpsctl.db.models import Audit, AuditHead

KEY = b"k" * 32
DIGEST = sha256(b"older").digest()
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
COLUMNS = [column.name for column in Audit.__table__.columns]
TEXTS = ("actor", "door", "origin", "action", "target")


def copied(row: Audit, **changes: Any) -> Audit:
    return Audit(**{**{name: deepcopy(getattr(row, name)) for name in COLUMNS}, **changes})


def chain(rows: int, earlier: int = 0, salt: str = "") -> tuple[list[Audit], AuditHead]:
    """Rows as `record` writes them; other rows for another `salt`."""
    head = AuditHead(id=1, earlier=earlier, earlier_digest=DIGEST, last=earlier, mac=DIGEST, seal=None)
    made = []
    for number in range(earlier + 1, earlier + rows + 1):
        row = Audit(id=number, at=NOW + timedelta(seconds=number), actor=f"anna{salt}", door="cli", origin="", run_id=number)
        row.action, row.target, row.fields, row.previous = "credential.set", "credential:A", {"version": number}, head.mac
        row.mac = row_mac(KEY, row)
        head.last, head.mac, head.seal = number, row.mac, head_mac(KEY, number, row.mac)
        made.append(row)
    return made, head


def found(rows: list[Audit], head: AuditHead, digest: bytes = DIGEST, known: Known | None = None) -> list[Problem]:
    walk = Walk(KEY, head, digest, known)
    for row in sorted(rows, key=lambda row: row.id):
        walk.step(row)
    return walk.finish()


def places(problems: list[Problem]) -> list[tuple[int, int, str]]:
    return [(problem.row, problem.through, problem.kind) for problem in problems]


@pytest.mark.parametrize("earlier", [0, 7])
@pytest.mark.parametrize("rows", [0, 1, 5])
def test_a_chain_as_it_was_written_is_whole(rows: int, earlier: int) -> None:
    made, head = chain(rows, earlier)
    assert found(made, head) == []
    assert found(made, head, known=Known(head.last, head.mac, NOW)) == []
    assert found(made, head, known=Known(earlier, DIGEST, NOW)) == []


EDITS = st.one_of(
    st.tuples(st.sampled_from(TEXTS), st.just(lambda old: old + "x")),
    st.tuples(st.just("fields"), st.just(lambda old: {**old, "more": [1.5, None]})),
    st.tuples(st.just("fields"), st.just(lambda old: {})),
    st.tuples(st.just("at"), st.just(lambda old: old + timedelta(microseconds=1))),
    st.tuples(st.just("run_id"), st.sampled_from([lambda old: None, lambda old: old + 1])),
    st.tuples(
        st.sampled_from(["previous", "mac"]), st.sampled_from([lambda old: None, lambda old: old[::-1], lambda old: b""])
    ),
)


@given(data=st.data())
def test_exactly_the_edited_rows_are_named(data: st.DataObject) -> None:
    made, head = chain(8, data.draw(st.sampled_from([0, 3])))
    edited = data.draw(st.sets(st.integers(0, 7), min_size=1))
    for place in edited:
        column, change = data.draw(EDITS)
        made[place] = copied(made[place], **{column: change(getattr(made[place], column))})
    assert places(found(made, head)) == [(made[place].id, made[place].id, "changed") for place in sorted(edited)]


@given(data=st.data())
def test_exactly_the_removed_rows_are_named(data: st.DataObject) -> None:
    made, head = chain(10)
    gone = data.draw(st.sets(st.integers(1, 10), min_size=1))
    named = found([row for row in made if row.id not in gone], head)
    assert {place for one in named for place in range(one.row, one.through + 1)} == gone
    kept = {*range(1, 11)} - gone
    assert all(one.kind == ("cut" if one.row > max(kept, default=0) else "missing") for one in named)


@given(order=st.permutations(range(1, 7)))
def test_exactly_the_rows_that_changed_places_are_named_with_where_they_belong(order: list[int]) -> None:
    made, head = chain(6)
    moved = [copied(row, id=place) for row, place in zip(made, order, strict=True)]
    expected = [
        (place, f"row {place} holds what vpsctl wrote as row {row.id}") for row, place in zip(made, order, strict=True)
    ]
    named = [(one.row, one.told) for one in found(moved, head)]
    assert named == sorted((place, told) for place, told in expected if not told.endswith(f" row {place}"))
    assert {one.kind for one in found(moved, head)} <= {"moved"}


def test_rows_that_close_the_gap_of_a_removed_one_have_moved() -> None:
    made, head = chain(6)
    closed = [*made[:2], *(copied(row, id=row.id - 1) for row in made[3:])]
    assert places(found(closed, head)) == [(3, 3, "moved"), (4, 4, "moved"), (5, 5, "moved"), (6, 6, "cut")]


def test_a_copy_beyond_the_end_was_added_and_a_row_that_was_put_there_has_moved() -> None:
    made, head = chain(5)
    assert places(found([*made, copied(made[1], id=6), copied(made[1], id=9)], head)) == [(6, 6, "added"), (9, 9, "added")]
    elsewhere = [*made[:1], *made[2:], copied(made[1], id=9)]
    assert places(found(elsewhere, head)) == [(2, 2, "missing"), (9, 9, "moved")]


def test_rows_before_the_first_one_were_added() -> None:
    made, head = chain(2)
    walk = Walk(KEY, head, DIGEST, None)
    walk.before_first(-4)
    for row in made:
        walk.step(row)
    assert places(walk.finish()) == [(-4, -4, "added")]


def set_back(made: list[Audit], to: int, seal: bytes | None) -> AuditHead:
    mac = made[to - 1].mac if to else DIGEST
    return AuditHead(id=1, earlier=0, earlier_digest=DIGEST, last=to, mac=mac, seal=seal)


@pytest.mark.parametrize("seal", [None, b"", b"s" * 32, "kept"])
@pytest.mark.parametrize("to", [1, 4, 9])
def test_rows_cut_off_with_the_head_set_back_are_missed(to: int, seal: bytes | str | None) -> None:
    made, head = chain(10)
    forged = set_back(made, to, head.seal if isinstance(seal, str) else seal)
    (one,) = found(made[:to], forged)
    assert (one.row, one.kind) == (to + 1, "cut")
    assert f"rows may have been cut off after row {to}" in one.told


def test_what_is_known_says_more_of_a_cut_than_the_broken_seal() -> None:
    made, head = chain(10)
    (one,) = found(made[:4], set_back(made, 4, head.seal), known=Known(10, head.mac, NOW))
    assert (one.row, one.through, one.kind, one.anchored) == (5, 10, "cut", True)


def test_a_whole_older_state_is_whole_but_for_what_was_known() -> None:
    _, head = chain(97)
    for to in (0, 80):
        old_rows, old_head = chain(to)
        assert found(old_rows, old_head) == []
        (one,) = found(old_rows, old_head, known=Known(97, head.mac, NOW))
        assert (one.row, one.through, one.kind) == (to + 1, 97, "cut")
        assert one.told == f"the trail ends at row {to}, and on 2026-11-20 it had 97"
        assert one.anchored


def test_an_older_state_that_was_gone_on_with_is_not_what_was_known() -> None:
    _, head = chain(5)
    (one,) = found(*chain(9, salt="2"), known=Known(5, head.mac, NOW))
    assert (one.row, one.kind) == (5, "changed")
    assert "is not the one that stood there on 2026-11-20" in one.told
    _, other = chain(9, earlier=6)
    assert places(found(*chain(9, earlier=6), known=Known(5, head.mac, NOW))) == [(1, 6, "changed")]
    assert places(found([], chain(0)[1], known=Known(0, b"other", NOW))) == [(0, 0, "changed")]
    assert other.earlier == 6


def test_a_head_that_was_edited_alone_is_named_and_no_row_is() -> None:
    made, head = chain(6)
    for last, mac in ((4, made[3].mac), (6, made[3].mac), (9, head.mac), (0, DIGEST)):
        forged = AuditHead(id=1, earlier=0, earlier_digest=DIGEST, last=last, mac=mac, seal=head.seal)
        (one,) = found(made, forged)
        assert (one.row, one.kind) == (6, "changed")
        assert one.told == "audit_head was changed behind vpsctl's back: its seal is that of row 6"


def test_genuine_rows_beyond_a_genuine_end_show_that_the_head_was_set_back() -> None:
    made, _ = chain(6)
    named = found(made, chain(4)[1])
    assert places(named) == [(5, 5, "added"), (6, 6, "added")]
    assert all("audit_head was set back" in one.told for one in named)


@pytest.mark.parametrize("place", [1, 4, 6])
def test_a_genuine_row_of_another_time_is_not_the_one_that_its_successor_knows(place: int) -> None:
    made, head = chain(6)
    other = copied(made[place - 1], actor="mallory")
    other.mac = row_mac(KEY, other)
    made[place - 1] = other
    assert places(found(made, head)) == [(place, place, "changed")]


def test_older_rows_are_held_by_the_digest_in_the_chain_and_in_the_head() -> None:
    made, head = chain(3, earlier=7)
    changed = sha256(b"changed").digest()
    assert places(found(made, head, digest=changed)) == [(1, 7, "changed")]
    head.earlier_digest = changed  # whoever changes a row may change that as well
    assert places(found(made, head, digest=changed)) == [(1, 7, "changed")]
    assert places(found(made, head)) == [(1, 7, "changed")]
    empty = chain(0, earlier=7)[1]
    assert places(found([], empty, digest=changed)) == [(1, 7, "changed")]


@pytest.mark.parametrize("earlier", [2, 5])
def test_chained_rows_cannot_be_passed_off_as_older_ones(earlier: int) -> None:
    made, head = chain(5)
    head.earlier, head.earlier_digest = earlier, sha256(b"anew").digest()
    assert found(made[earlier:], head, digest=head.earlier_digest)


def test_more_problems_than_anybody_reads_are_counted() -> None:
    made, head = chain(MANY + 30)
    walk = Walk(KEY, head, DIGEST, None)
    for row in made:
        walk.step(copied(row, actor="mallory"))
    problems = walk.finish()
    assert (len(problems), walk.untold) == (MANY, 30)
    assert {problem.kind for problem in problems} == {"changed"}


def test_a_gap_that_nobody_could_count_through_is_one_problem() -> None:
    made, head = chain(3)
    head.seal = None
    assert places(found([*made, copied(made[0], id=2**62)], head))[0] == (4, 2**62 - 1, "missing")


@pytest.mark.parametrize("fields", [lambda: nested(400), lambda: nested(3000)])
def test_fields_nested_beyond_all_measure_are_only_changed(fields: Callable[[], Any]) -> None:
    made, head = chain(2)
    made[0] = Audit(**{name: getattr(made[0], name) for name in COLUMNS if name != "fields"}, fields=fields())
    assert places(found(made, head)) == [(1, 1, "changed")]


def nested(depth: int) -> Any:
    value: Any = {}
    for _ in range(depth):
        value = [value]
    return value
