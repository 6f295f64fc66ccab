"""Versions: listed, put back into force, destroyed for good."""

import pytest
from sqlalchemy import select

from tests.operations.credentials.conftest import Deploy
from vpsctl.app import App
from vpsctl.credentials.list import list_credentials
from vpsctl.credentials.read import open_credential, read_credentials
from vpsctl.credentials.set import Traits, set_credential
from vpsctl.credentials.show import show_credential
from vpsctl.credentials.versions import destroy_version, list_versions, rollback_credential
from vpsctl.db.models import Audit, CredentialVersion
from vpsctl.errors import Conflict, NotFound
from vpsctl.secret import Secret


@pytest.fixture
def three(app: App) -> App:
    for text in ("one", "two", "three"):
        set_credential(app, "TOKEN", Secret(text), traits=Traits(kind="token"))
    return app


def actions(app: App) -> list[str]:
    with app.database.transaction() as session:
        return list(session.scalars(select(Audit.action).order_by(Audit.id)))[3:]


def test_the_newest_comes_first_and_says_who_made_it(three: App) -> None:
    found = list_versions(three, "TOKEN")
    assert [(item.version, item.current, item.created_by, item.key_id) for item in found] == [
        (number, number == 3, "test", three.vault.key_id) for number in (3, 2, 1)
    ]


def test_a_rollback_is_a_new_version_with_the_old_value(three: App, deployed: Deploy) -> None:
    deployed("shop", "acme", {"TOKEN": 3})
    done = rollback_credential(three, "TOKEN", 1)
    assert (done.version, done.kind) == (4, "token")
    assert open_credential(three, "TOKEN").value == Secret("one")
    assert open_credential(three, "TOKEN", version=3).value == Secret("three")
    (info,) = list_credentials(three)
    assert info.outdated == ("shop",)
    assert actions(three) == ["credential.rollback"]


def test_a_rollback_to_what_is_not_there_changes_nothing(three: App) -> None:
    with pytest.raises(Conflict, match="version 3 of TOKEN is the newest"):
        rollback_credential(three, "TOKEN", 3)
    destroy_version(three, "TOKEN", 1)
    for version, reason in ((1, "was destroyed"), (9, "there is no version 9")):
        with pytest.raises(NotFound, match=reason):
            rollback_credential(three, "TOKEN", version)
    assert show_credential(three, "TOKEN").version == 3
    assert actions(three) == ["credential.destroy"]


def test_what_is_destroyed_is_gone_from_the_row_and_stays_known(three: App) -> None:
    destroy_version(three, "TOKEN", 2)
    with pytest.raises(NotFound, match="version 2 of credential TOKEN was destroyed"):
        read_credentials(three, ["TOKEN"], versions={"TOKEN": 2})
    with three.database.transaction() as session:
        row = session.get_one(CredentialVersion, (1, 2))
        assert (row.key_id, row.wrapped_key, row.key_nonce, row.nonce, row.ciphertext) == ("", b"", b"", b"", b"")
    assert [(item.version, item.destroyed_at is not None) for item in list_versions(three, "TOKEN")] == [
        (3, False),
        (2, True),
        (1, False),
    ]
    assert show_credential(three, "TOKEN").versions == (1, 3)
    assert set_credential(three, "TOKEN", Secret("four")).version == 4


def test_the_newest_and_one_that_a_site_runs_with_are_kept(three: App, deployed: Deploy) -> None:
    deployed("shop", "acme", {"TOKEN": 2})
    with pytest.raises(Conflict, match="version 3 of TOKEN is the newest"):
        destroy_version(three, "TOKEN", 3, force=True)
    with pytest.raises(Conflict, match="version 2 of TOKEN is what shop runs with"):
        destroy_version(three, "TOKEN", 2)
    assert destroy_version(three, "TOKEN", 2, force=True).used_by == ("shop",)
    assert actions(three) == ["credential.destroy"]
