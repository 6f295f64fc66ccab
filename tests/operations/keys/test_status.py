"""What `key status` and `key providers` say, and when an older key may go."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from vpsctl.app import App
from vpsctl.credentials.read import read_credentials
from vpsctl.credentials.set import set_credential
from vpsctl.db.models import Audit, CredentialVersion, MasterKey
from vpsctl.errors import Conflict, Failed, Invalid, NotFound, VpsctlError
from vpsctl.hosts.checks.check import Check, Seen
from vpsctl.hosts.checks.state import check_master_key, check_registered_key
from vpsctl.keys.remove import remove_key
from vpsctl.keys.rotate import rotate_key
from vpsctl.keys.status import key_status, list_providers
from vpsctl.secret import Secret
from vpsctl.vault.key import create_key, key_id


@pytest.fixture
def stored(app: App) -> App:
    for name in ("ONE", "TWO"):
        set_credential(app, name, Secret(f"value of {name}"))
    return app


@pytest.fixture
def rotated(stored: App) -> tuple[App, str]:
    """And the id of the key before."""
    old = stored.vault.key_id
    rotate_key(stored)
    return stored, old


def key_path(app: App) -> Path:
    return app.settings.home / "master.key"


def begin_rotation(app: App, moment: str) -> str:
    """One that ends at that moment, as by a kill; the id of the old key."""
    old = app.vault.key_id

    def report(line: str) -> None:
        if moment in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rotate_key(app, report=report)
    return old


def examined(app: App) -> list[Check]:
    return [*check_master_key(Seen(app)), *check_registered_key(Seen(app))]


def audit_rows(app: App) -> int:
    with app.database.transaction() as session:
        return session.scalar(select(func.count()).select_from(Audit)) or 0


# status


def test_before_anything_is_stored(app: App) -> None:
    found = key_status(app)
    assert found.active is not None
    assert (found.active.provider, found.active.place) == ("file", str(key_path(app)))
    assert (found.active.key_id, found.problem, found.registered, found.staged) == (app.vault.key_id, None, True, None)
    assert audit_rows(app) == 0


def test_values_are_counted_under_their_keys(stored: App) -> None:
    found = key_status(stored)
    [key] = found.keys
    assert (key.key_id, key.state, key.kept, key.retired_at) == (stored.vault.key_id, "active", True, None)
    assert dict(key.values) == {"credential_versions": 2, "inner_key.sealed": 1}
    assert key.since is not None
    assert datetime.now(UTC) - key.since < timedelta(minutes=5)
    assert found.registered


def test_after_a_rotation_nothing_is_under_the_older_key(rotated: tuple[App, str]) -> None:
    app, old = rotated
    found = key_status(app)
    assert [(key.key_id, key.state, key.kept, dict(key.values)) for key in found.keys] == [
        (app.vault.key_id, "active", True, {"credential_versions": 2, "inner_key.sealed": 1, "master_keys.sealed": 1}),
        (old, "retired", True, {}),
    ]
    assert found.keys[1].retired_at is not None
    assert (found.registered, found.staged) == (True, None)


def test_an_interrupted_rotation_is_told_until_it_ends(stored: App) -> None:
    old = begin_rotation(stored, "is registered")
    found = key_status(stored)
    assert found.active is not None
    assert found.staged is not None
    assert (found.active.key_id, found.registered) == (old, False)
    assert found.staged.place == f"{key_path(stored)}.next"
    assert [(key.key_id, key.state, key.kept) for key in found.keys] == [
        (found.staged.key_id, "active", True),
        (old, "retiring", True),
    ]
    assert [(check.state, check.mend) for check in examined(stored)] == [("ok", ""), ("fail", "vpsctl key rotate")]
    assert rotate_key(stored).resumed
    assert key_status(stored).registered
    assert [check.state for check in examined(stored)] == ["ok", "ok"]


def test_half_a_rotation_shows_what_is_still_under_the_old_key(stored: App) -> None:
    old = begin_rotation(stored, "is in force")
    keys = {key.key_id: key for key in key_status(stored).keys}
    assert (keys[old].state, dict(keys[old].values)) == ("retiring", {"credential_versions": 2, "inner_key.sealed": 1})


def test_a_missing_key_is_told_with_what_it_was(stored: App) -> None:
    was = stored.vault.key_id
    key_path(stored).unlink()
    found = key_status(stored)
    assert (found.active, found.registered) == (None, False)
    assert found.problem == f"there is no master key at {key_path(stored)}"
    assert found.mend == "put it back, or: vpsctl key restore --kit FILE; on a new machine: vpsctl init"
    assert [(key.key_id, key.kept) for key in found.keys] == [(was, False)]


def test_the_key_of_another_installation_is_told(stored: App) -> None:
    was = stored.vault.key_id
    key_path(stored).unlink()
    create_key(key_path(stored))
    found = key_status(stored)
    assert found.active is not None
    assert (found.registered, found.problem) == (False, None)
    assert [(key.key_id, key.state, key.kept) for key in found.keys] == [(was, "active", False)]
    [fine, wrong] = examined(stored)
    assert fine.state == "ok"
    assert wrong.message == f"{key_path(stored)} is master key {found.active.key_id}, and this installation's is {was}"
    assert (wrong.state, wrong.mend) == ("fail", "vpsctl key restore --kit FILE --replace")


def test_values_under_a_key_that_nobody_knows_are_shown(stored: App) -> None:
    strange = "f" * 16
    with stored.database.transaction() as session:
        session.execute(update(CredentialVersion).where(CredentialVersion.credential_id == 1).values(key_id=strange))
    unknown = key_status(stored).keys[-1]
    assert (unknown.key_id, unknown.state, unknown.kept) == (strange, "unknown", False)
    assert dict(unknown.values) == {"credential_versions": 1}


def test_status_and_doctor_ask_nobody_for_a_passphrase(stored: App) -> None:
    words = "seven unpaired lanterns"
    with App(stored.settings, stored.actor, ask=lambda prompt: Secret(words)) as person:
        done = rotate_key(person, to="passphrase")
    with App(stored.settings, stored.actor, ask=pytest.fail) as other:
        found = key_status(other)
        assert found.active is not None
        assert (found.active.provider, found.active.place, found.active.key_id) == ("passphrase", "a passphrase", done.new)
        assert (found.registered, found.problem) == (True, None)
        assert [(check.state, check.message) for check in examined(other)] == [("ok", "a passphrase"), ("ok", done.new)]
        assert [item.name for item in list_providers(other) if item.in_use] == ["passphrase"]
    with App(stored.settings, stored.actor, ask=lambda prompt: Secret(words)) as person:
        assert read_credentials(person, ["ONE"])["ONE"][0] == Secret("value of ONE")


def test_a_key_that_its_provider_does_not_give_is_told(stored: App) -> None:
    name, was = "vpsctl-not-there", stored.vault.key_id
    document = {"provider": "systemd", "credential": name, "key_id": was}
    key_path(stored).write_text(json.dumps(document))
    found = key_status(stored)
    assert found.active is not None
    assert (found.active.key_id, found.active.place) == (was, f"systemd credential {name}")
    assert found.problem == f"the master key is systemd credential {name}, and this command does not run under systemd"
    assert [key.kept for key in found.keys] == [False]


# providers


def test_providers_say_which_is_used_and_why_not_the_others(app: App) -> None:
    found = {item.name: item for item in list_providers(app)}
    assert list(found) == ["systemd", "file", "passphrase", "keyring"]
    assert [item.name for item in found.values() if item.in_use] == ["file"]
    assert found["file"].reason is None
    assert found["passphrase"].reason == "nobody can be asked for one here, run it on a terminal"


def test_providers_are_listed_without_a_key_but_not_over_a_damaged_one(app: App) -> None:
    key_path(app).unlink()
    assert [item.in_use for item in list_providers(app)] == [False] * 4
    key_path(app).write_bytes(b"{}")
    key_path(app).chmod(0o600)
    with pytest.raises(Invalid, match="is damaged"):
        list_providers(app)


# remove


def refused(app: App, name: str, kind: type[VpsctlError], *, force: bool = False) -> VpsctlError:
    """And nothing was written."""
    before = audit_rows(app), key_status(app).keys
    with pytest.raises(kind) as caught:
        remove_key(app, name, force=force)
    assert (audit_rows(app), key_status(app).keys) == before
    return caught.value


def retired_since(app: App, name: str, days: float) -> None:
    with app.database.transaction() as session:
        when = datetime.now(UTC) - timedelta(days=days)
        session.execute(update(MasterKey).where(MasterKey.key_id == name).values(retired_at=when))


def test_an_older_key_goes_after_seven_days(rotated: tuple[App, str]) -> None:
    app, old = rotated
    retired_since(app, old, 6.9)
    error = refused(app, old, Conflict)
    assert error.message == f"master key {old} was retired 6 days ago, and backups from before need it for 7"
    assert error.hint == "make a new backup and wait, or add --force"
    retired_since(app, old, 7.1)
    before = audit_rows(app)
    assert remove_key(app, old).key_id == old
    key = next(key for key in key_status(app).keys if key.key_id == old)
    assert (key.state, key.kept) == ("retired", False)
    with app.database.transaction() as session:
        row = session.scalars(select(Audit).order_by(Audit.id.desc()).limit(1)).one()
        assert (row.action, row.target, row.fields["force"]) == ("key.remove", f"key:{old}", False)
    assert audit_rows(app) == before + 1
    with App(app.settings, app.actor) as other, pytest.raises(Failed, match=f"master key {old}"):
        other.vault.master_key(old)
    assert read_credentials(app, ["TWO"])["TWO"][0] == Secret("value of TWO")
    assert refused(app, old, NotFound, force=True).message == f"master key {old} was removed before"


def test_force_does_not_wait(rotated: tuple[App, str]) -> None:
    app, old = rotated
    refused(app, old, Conflict)
    assert remove_key(app, old, force=True).key_id == old


def test_a_key_that_something_needs_stays(rotated: tuple[App, str]) -> None:
    app, old = rotated
    for count in (1, 2):
        with app.database.transaction() as session:
            session.execute(update(CredentialVersion).where(CredentialVersion.credential_id <= count).values(key_id=old))
        error = refused(app, old, Conflict, force=True)
        need = "1 stored value needs" if count == 1 else "2 stored values need"
        assert (error.message, error.hint) == (f"{need} master key {old}", "vpsctl key rotate puts them under the new key")


def test_the_key_in_force_and_a_strange_one_stay(stored: App) -> None:
    name = stored.vault.key_id
    error = refused(stored, name, Conflict, force=True)
    assert (error.message, error.hint) == (f"master key {name} is the one in force", "vpsctl key rotate makes another one")
    for other in ("0" * 16, "no key", ""):
        assert refused(stored, other, NotFound).message == f"there is no master key {other}"


def test_an_older_key_whose_file_was_put_back_is_in_force(rotated: tuple[App, str]) -> None:
    app, old = rotated
    key = app.vault.master_key(old)
    key_path(app).write_bytes(key)
    assert key_id(key) == old
    with App(app.settings, app.actor) as other:
        assert refused(other, old, Conflict, force=True).message == f"master key {old} is the one in force"


def test_a_rotation_that_has_not_ended_keeps_its_old_key(stored: App) -> None:
    old = begin_rotation(stored, "values are under")
    with stored.database.transaction() as session:
        session.execute(update(CredentialVersion).values(key_id=stored.vault.key_id))
    found = {key.key_id: key for key in key_status(stored).keys}
    assert found[old].state == "retiring"
    refused(stored, old, Conflict, force=True)
    with stored.database.lock("master-key"), pytest.raises(Conflict):
        remove_key(stored, old, force=True)


def test_what_a_restored_key_was_put_in_the_place_of_goes_with_it(rotated: tuple[App, str]) -> None:
    app, old = rotated
    home = app.settings.home
    for name in (f"master.key.{old}", f"master.key.{old}.1", "master.key.other"):
        (home / name).write_bytes(b"kept")
    remove_key(app, old, force=True)
    assert sorted(path.name for path in home.iterdir() if path.name.startswith("master.key")) == [
        "master.key",
        "master.key.other",
    ]
