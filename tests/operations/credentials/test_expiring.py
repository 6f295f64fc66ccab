"""What ends or is due for a new value, in which of the steps; and who uses a credential."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from tests.operations.credentials.conftest import Deploy
from vpsctl.app import App
from vpsctl.credentials.expiring import DAYS, bucket, choose_expiring, expiring_credentials, soon
from vpsctl.credentials.list import CredentialInfo
from vpsctl.credentials.set import Traits, set_credential
from vpsctl.credentials.uses import Use, credential_uses
from vpsctl.errors import NotFound
from vpsctl.secret import Secret

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)
STEPS = ("expired", *map(str, DAYS), "later")


def info(name: str, expires: datetime | None, due: datetime | None) -> CredentialInfo:
    return CredentialInfo(name, None, "password", 1, (1,), NOW, NOW, expires, due, (), ())


@pytest.mark.parametrize(
    ("away", "step"),
    [
        (timedelta(seconds=-1), "expired"), (timedelta(0), "expired"), (timedelta(seconds=1), "1"), (DAY, "1"),
        (DAY + timedelta(seconds=1), "7"), (7 * DAY, "7"), (14 * DAY, "14"), (15 * DAY, "30"), (30 * DAY, "30"),
        (31 * DAY, "later"),
    ],
)  # fmt: skip
def test_each_moment_falls_into_one_step(away: timedelta, step: str) -> None:
    assert bucket(NOW + away, NOW) == step


@given(st.lists(st.timedeltas(timedelta(days=-400), timedelta(days=400)), max_size=8), st.integers(0, 400))
def test_the_most_urgent_comes_first_and_none_is_left_out(away: list[timedelta], days: int) -> None:
    found = [info(f"N{place}", NOW + one, NOW + one) for place, one in enumerate(away)]
    chosen = choose_expiring(found, NOW, timedelta(days=days))
    assert {entry.name for entry in chosen} == {item.name for item in soon(found, NOW, timedelta(days=days))}
    assert len(chosen) == sum(one <= timedelta(days=days) for one in away)
    steps = [STEPS.index(entry.bucket) for entry in chosen]
    assert steps == sorted(steps)


def test_of_an_end_and_a_rotation_the_first_counts() -> None:
    found = [info("NEVER", None, None), info("ROTATE", NOW + 9 * DAY, NOW + DAY), info("END", NOW + DAY, NOW + DAY)]
    told = [(entry.name, entry.why) for entry in choose_expiring(found, NOW, 30 * DAY)]
    assert told == [("END", "expires"), ("ROTATE", "rotation")]


def test_stored_credentials_are_told_until_they_have_a_new_value(app: App) -> None:
    soon_ = datetime.now(UTC) + 5 * DAY
    set_credential(app, "ENDS", Secret("x"), traits=Traits(expires_at=soon_))
    set_credential(app, "ROTATES", Secret("x"), project="acme", traits=Traits(rotate_every=10))
    set_credential(app, "FAR", Secret("x"), traits=Traits(expires_at=soon_ + 60 * DAY))
    set_credential(app, "FOREVER", Secret("x"))
    with app.owner_database.transaction() as session:
        session.execute(text("UPDATE credential_versions SET created_at = created_at - interval '11 days'"))
    found = expiring_credentials(app)
    assert [(one.name, one.project, one.why, one.bucket) for one in found] == [
        ("ROTATES", "acme", "rotation", "expired"),
        ("ENDS", None, "expires", "7"),
    ]
    assert [one.name for one in expiring_credentials(app, project="acme")] == ["ROTATES"]
    assert [one.name for one in expiring_credentials(app, within=DAY)] == ["ROTATES"]
    assert [one.name for one in expiring_credentials(app, within=90 * DAY)] == ["ROTATES", "ENDS", "FAR"]
    set_credential(app, "ROTATES", Secret("y"), project="acme")
    set_credential(app, "ENDS", Secret("y"))
    assert [one.name for one in expiring_credentials(app, within=9 * DAY)] == []
    with pytest.raises(NotFound, match="there is no project nosuch"):
        expiring_credentials(app, project="nosuch")


def test_who_uses_it_and_who_needs_a_deploy(app: App, deployed: Deploy) -> None:
    set_credential(app, "TOKEN", Secret("x"))
    deployed("shop", "acme", {"TOKEN": 1})
    set_credential(app, "TOKEN", Secret("y"))
    deployed("blog", "zeta", {"TOKEN": 2})
    deployed("bare", "zeta", {})
    found = credential_uses(app, "TOKEN")
    assert (found.name, found.project, found.version) == ("TOKEN", None, 2)
    assert found.uses == (Use("site", "blog", 2, False), Use("site", "shop", 1, True))
    set_credential(app, "TOKEN", Secret("z"), project="acme")
    assert credential_uses(app, "TOKEN", project="acme").uses == ()
    deployed("shop", "acme", {"TOKEN": 3})
    assert credential_uses(app, "TOKEN").uses == (Use("site", "blog", 2, False),)
    assert credential_uses(app, "TOKEN", project="acme").uses == (Use("site", "shop", 3, False),)
    with pytest.raises(NotFound):
        credential_uses(app, "TOKEN", project="zeta")
