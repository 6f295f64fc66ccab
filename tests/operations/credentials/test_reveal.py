"""Revealing a value: on record before it leaves, seldom, and for a reason."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from vpsctl.app import Actor, App
from vpsctl.audit.list import AuditRow, Wanted, list_audit
from vpsctl.credentials.reveal import MOST, reveal_credential
from vpsctl.credentials.set import Traits, set_credential
from vpsctl.credentials.show import show_credential
from vpsctl.encoding import to_json
from vpsctl.errors import Conflict, Failed, Invalid, NotFound
from vpsctl.projects.find import ensure_project
from vpsctl.secret import Secret

WHY = "moving the shop"


def reveals(app: App) -> list[AuditRow]:
    return list_audit(app, Wanted(action="credential.reveal"))


def test_a_value_is_shown_with_its_reason_on_record(app: App) -> None:
    set_credential(app, "TOKEN", Secret("hunter22"))
    set_credential(app, "TOKEN", Secret("hunter33"))
    before = datetime.now(UTC)
    shown = reveal_credential(app, "TOKEN", reason=f"  {WHY}\n")
    assert (shown.value, shown.version, shown.field) == (Secret("hunter33"), 2, None)
    assert reveal_credential(app, "TOKEN", version=1, reason=WHY).value == Secret("hunter22")
    first, newest = reversed(reveals(app))
    assert (first.actor, first.target) == ("test", "credential:TOKEN")
    assert first.fields == {"reason": WHY, "version": 2, "field": None}
    assert newest.fields["version"] == 1
    at = show_credential(app, "TOKEN").last_revealed_at
    assert at is not None
    assert before <= at <= datetime.now(UTC)
    assert "hunter" not in to_json([shown, *reveals(app)])


def test_one_field_of_it_is_shown(app: App) -> None:
    set_credential(app, "YESPO", Secret("api:hunter22"), traits=Traits(kind="basic"))
    assert reveal_credential(app, "YESPO", field="password", reason=WHY).value == Secret("hunter22")
    with pytest.raises(NotFound, match="credential YESPO has no field pass") as caught:
        reveal_credential(app, "YESPO", field="pass", reason=WHY)
    assert caught.value.hint == "its fields are username, password"
    set_credential(app, "KEYS", Secret("API_KEY=hunter33"), traits=Traits(kind="keyvalue"))
    with pytest.raises(NotFound) as caught:
        reveal_credential(app, "KEYS", field="password", reason=WHY)
    assert "API_KEY" not in caught.value.hint
    assert [row.fields["field"] for row in reveals(app)] == ["password"]


def test_a_project_sees_its_own_before_the_machines(app: App) -> None:
    with app.database.transaction() as session:
        ensure_project(session, "acme")
        ensure_project(session, "blog")
    set_credential(app, "TOKEN", Secret("hunter22"))
    set_credential(app, "TOKEN", Secret("hunter33"), project="acme")
    assert reveal_credential(app, "TOKEN", project="acme", reason=WHY).value == Secret("hunter33")
    shared = reveal_credential(app, "TOKEN", project="blog", reason=WHY)
    assert (shared.value, shared.project) == (Secret("hunter22"), None)
    assert [row.target for row in reveals(app)] == ["credential:TOKEN", "credential:acme/TOKEN"]


@pytest.mark.parametrize("reason", ["", "  ", "ab", "a" * 201, "two\nlines", "bell\x07bell"])
def test_without_a_reason_nothing_is_shown(app: App, reason: str) -> None:
    set_credential(app, "TOKEN", Secret("hunter22"))
    with pytest.raises(Invalid, match="needs a reason"):
        reveal_credential(app, "TOKEN", reason=reason)
    assert reveals(app) == []


def test_what_is_not_there_is_no_reveal(app: App) -> None:
    set_credential(app, "TOKEN", Secret("hunter22"))
    for name, version in (("OTHER", None), ("TOKEN", 2)):
        with pytest.raises(NotFound):
            reveal_credential(app, name, version=version, reason=WHY)
    assert reveals(app) == []


def test_a_value_does_not_leave_when_it_cannot_be_put_on_record(app: App) -> None:
    set_credential(app, "TOKEN", Secret("hunter22"))
    with app.owner_database.transaction() as session:
        session.execute(text("ALTER TABLE audit ADD CONSTRAINT shut CHECK (action <> 'credential.reveal')"))
    with pytest.raises(Conflict):
        reveal_credential(app, "TOKEN", reason=WHY)
    assert show_credential(app, "TOKEN").last_revealed_at is None


def test_an_altered_row_is_refused_and_is_no_reveal(app: App) -> None:
    set_credential(app, "TOKEN", Secret("hunter22"))
    with app.owner_database.transaction() as session:
        session.execute(text("UPDATE credential_versions SET ciphertext = '\\x00'"))
    with pytest.raises(Failed, match="was altered or moved"):
        reveal_credential(app, "TOKEN", reason=WHY)
    assert reveals(app) == []
    assert list_audit(app)[0].action == "credential.refused"


def test_the_eleventh_in_an_hour_is_refused_for_this_actor_alone(app: App) -> None:
    set_credential(app, "TOKEN", Secret("hunter22"))
    for _ in range(MOST):
        reveal_credential(app, "TOKEN", reason=WHY)
    with pytest.raises(Conflict) as caught:
        reveal_credential(app, "TOKEN", reason=WHY)
    first = reveals(app)[-1].at
    assert f"the next is possible at {first + timedelta(hours=1):%H:%M:%S} UTC" in caught.value.message
    assert len(reveals(app)) == MOST
    with App(app.settings, Actor("anna", "cli")) as other:
        assert reveal_credential(other, "TOKEN", reason=WHY).value == Secret("hunter22")


def test_an_hour_later_it_is_possible_again(app: App) -> None:
    set_credential(app, "TOKEN", Secret("hunter22"))
    for _ in range(MOST):
        reveal_credential(app, "TOKEN", reason=WHY)
    with app.owner_database.transaction() as session:  # the clock cannot be turned, but rows can be made older
        oldest = "(SELECT min(id) FROM audit WHERE action = 'credential.reveal')"
        session.execute(text(f"UPDATE audit SET at = at - interval '1 hour' WHERE id = {oldest}"))
    reveal_credential(app, "TOKEN", reason=WHY)
    with pytest.raises(Conflict):
        reveal_credential(app, "TOKEN", reason=WHY)


def test_many_at_once_get_no_further_than_one_after_another(app: App) -> None:
    set_credential(app, "TOKEN", Secret("hunter22"))

    def once(_: int) -> bool:
        try:
            return reveal_credential(app, "TOKEN", reason=WHY).value == Secret("hunter22")
        except Conflict:
            return False

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(once, range(MOST + 6))) == MOST
    assert len(reveals(app)) == MOST
