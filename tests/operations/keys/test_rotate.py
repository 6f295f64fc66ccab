"""Rotating the master key: online, resumed after a kill at any step, and nothing is ever without a key that opens it."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import select, text

from tests.waiting import wait_for
from vpsctl.app import Actor, App
from vpsctl.credentials.name import one_at_a_time
from vpsctl.credentials.read import read_credentials
from vpsctl.credentials.set import add_version, set_credential
from vpsctl.db.models import Audit, MasterKey, Project, Release, Site, User
from vpsctl.errors import Conflict, Failed, Unavailable
from vpsctl.keys.places import PLACES, count_values
from vpsctl.keys.remove import remove_key
from vpsctl.keys.rotate import rotate_key
from vpsctl.secret import Secret
from vpsctl.settings import Settings
from vpsctl.sites.snapshot import open_files, seal_files
from vpsctl.vault import bindings
from vpsctl.vault.key import create_key
from vpsctl.vault.sealed import pack, unpack

ROOT = Path(__file__).parents[3]
NAMES = [f"TOKEN_{number}" for number in range(12)]
MOMENTS = ("is staged", "is registered", "is in force", "values are under")


@pytest.fixture
def stored(app: App) -> App:
    """A value in every place that the master key seals."""
    for name in NAMES:
        set_credential(app, name, Secret(f"old {name}"))
        set_credential(app, name, Secret(f"value of {name}"))
    with app.database.transaction() as session:
        project = Project(slug="acme", name="acme")
        user = User(name="anna", role="admin")
        session.add_all([project, user])
        session.flush()
        site = Site(name="shop", project_id=project.id, source={})
        session.add(site)
        session.flush()
        sealed = seal_files(app, site, 1, {".env": "PASSWORD=hunter22"})
        texts = {"source": {}, "compose": "", "images": {}, "environment": {}, "scale": {}, "credentials": {}}
        session.add(Release(site_id=site.id, number=1, files=sealed, **texts))
        user.totp = pack(app.vault.encrypt(b"SEED", binding=bindings.user_totp(user.id, pending=False)))
        user.totp_pending = pack(app.vault.encrypt(b"NEXT", binding=bindings.user_totp(user.id, pending=True)))
        head = session.execute(text("SELECT id, last_version, name FROM credentials ORDER BY id LIMIT 1")).one()
        bound = bindings.credential_pending(head.id, head.last_version + 1, head.name, None)
        session.execute(
            text("UPDATE credentials SET pending = :pending WHERE id = :id"),
            {"pending": pack(app.vault.encrypt(b"PENDING", binding=bound)), "id": head.id},
        )
    return app


def opens(app: App) -> None:
    """Every value, read by a process of its own that knows no key yet."""
    with App(app.settings, app.actor) as other, other.database.transaction() as session:
        found = read_credentials(other, NAMES)
        assert {name: value.reveal() for name, (value, _) in found.items()} == {name: f"value of {name}" for name in NAMES}
        release, site = session.scalars(select(Release)).one(), session.scalars(select(Site)).one()
        assert open_files(other, site, release) == {".env": "PASSWORD=hunter22"}
        user = session.scalars(select(User)).one()
        for pending, column, value in ((False, user.totp, b"SEED"), (True, user.totp_pending, b"NEXT")):
            assert column is not None
            assert other.vault.decrypt(unpack(column), binding=bindings.user_totp(user.id, pending=pending)) == value
        for key in session.scalars(select(MasterKey.key_id)):
            assert len(other.vault.master_key(key)) == 32


def states(app: App) -> dict[str, str]:
    with app.database.transaction() as session:
        return {key: state for key, state in session.execute(select(MasterKey.key_id, MasterKey.state))}


def trail(app: App) -> list[tuple[str, str]]:
    with app.database.transaction() as session:
        rows = session.scalars(select(Audit).where(Audit.action == "key.rotate").order_by(Audit.id))
        return [(row.target, row.fields["old"]) for row in rows]


def test_every_value_is_under_the_new_key_and_the_old_one_is_kept(stored: App) -> None:
    old = stored.vault.key_id
    with stored.database.transaction() as session:
        before = count_values(session)
    assert {place.name for place in PLACES} - set(before[old]) == {"master_keys.sealed"}
    done = rotate_key(stored)
    assert (done.old, done.provider, done.resumed, done.values) == ((old,), "file", False, sum(before[old].values()))
    opens(stored)
    with stored.database.transaction() as session:
        after = count_values(session)
    assert after == {done.new: before[old] | {"master_keys.sealed": 1}}
    assert states(stored) == {old: "retired", done.new: "active"}
    assert trail(stored) == [(f"key:{done.new}", old)]
    again = rotate_key(stored)
    assert states(stored) == {old: "retired", done.new: "retired", again.new: "active"}
    opens(stored)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_kill_at_any_step_loses_nothing_and_the_next_call_goes_on(stored: App, moment: str) -> None:
    old = stored.vault.key_id
    killed_at(stored, moment)
    opens(stored)
    set_credential(stored, "AFTER", Secret("written between"))
    done = rotate_key(stored)
    assert done.resumed
    assert done.old == (old,)
    opens(stored)
    with stored.database.transaction() as session:
        assert set(count_values(session)) == {done.new}
    assert read_credentials(stored, ["AFTER"])["AFTER"][0].reveal() == "written between"
    assert trail(stored) == [(f"key:{done.new}", old)]
    assert states(stored) == {old: "retired", done.new: "active"}
    assert sorted(path.name for path in stored.settings.home.iterdir() if "key" in path.name) == ["master.key"]


def test_writers_and_readers_go_on_meanwhile(stored: App) -> None:
    """One App for each, opened before: a process that goes on must follow the key."""
    over = threading.Event()

    def write(name: str) -> int:
        with App(stored.settings, Actor("writer", "cli")) as app:
            count = 0
            while not over.is_set() or count == 0:
                count += 1
                set_credential(app, name, Secret(f"{name} {count}"))
                assert read_credentials(app, [name])[name][0].reveal() == f"{name} {count}"
            return count

    with ThreadPoolExecutor(3) as pool:
        made = {name: pool.submit(write, name) for name in ("X", "Y", "Z")}
        try:
            for _ in range(3):
                rotate_key(stored)
        finally:
            over.set()
    opens(stored)
    for name, future in made.items():
        assert read_credentials(stored, [name])[name][0].reveal() == f"{name} {future.result()}"


def test_what_does_not_open_is_told_and_stays_under_the_old_key(stored: App) -> None:
    old = stored.vault.key_id
    with stored.database.transaction() as session:
        session.execute(text("UPDATE credential_versions SET nonce = ciphertext WHERE credential_id = 1 AND version = 1"))
    with pytest.raises(Failed, match="1 stored values do not open and stay under the old key: credential_versions 1/1"):
        rotate_key(stored)
    opens(stored)
    assert states(stored)[old] == "retiring"
    with stored.database.transaction() as session:
        assert count_values(session)[old] == {"credential_versions": 1}


def test_a_key_is_not_removed_while_somebody_is_about_to_store_what_it_sealed(stored: App) -> None:
    """A transaction that began before the rotation and ends after the removal was asked for."""
    old = stored.vault.key_id
    with ThreadPoolExecutor(1) as pool, App(stored.settings, stored.actor) as writer:
        with writer.database.transaction() as session:
            one_at_a_time(session, "SLOW")
            add_version(writer, session, "SLOW", Secret("value of SLOW"), project_id=None)
            rotate_key(stored)
            removing = pool.submit(remove_key, stored, old, force=True)
            wait_for(lambda: waiting(stored) or removing.done(), "removal that waits", 10)
        with pytest.raises(Conflict, match=f"1 stored value needs master key {old}"):
            removing.result()
    assert read_credentials(stored, ["SLOW"])["SLOW"][0].reveal() == "value of SLOW"


def waiting(app: App) -> bool:
    """Whether a lock of a table is waited for."""
    with app.database.transaction() as session:
        return bool(session.scalar(text("SELECT count(*) FROM pg_locks WHERE locktype = 'relation' AND NOT granted")))


def test_two_at_once_are_one(stored: App) -> None:
    def second(line: str) -> None:
        with App(stored.settings, stored.actor) as other, pytest.raises(Conflict, match="master-key is held by"):
            rotate_key(other)

    assert not rotate_key(stored, report=second).resumed
    assert len(states(stored)) == 2


def test_with_another_key_in_place_nothing_is_begun(stored: App) -> None:
    path = stored.settings.home / "master.key"
    kept, first = path.read_bytes(), stored.vault.key_id
    path.unlink()
    create_key(path)
    with App(stored.settings, stored.actor) as other, pytest.raises(Failed, match=f"encrypted with master key {first}"):
        rotate_key(other)
    assert not path.with_name("master.key.next").exists()
    path.write_bytes(kept)
    opens(stored)


def test_a_staged_key_that_was_lost_is_given_up_for_another_one(stored: App) -> None:
    old = stored.vault.key_id
    killed_at(stored, "is registered")
    (stored.settings.home / "master.key.next").unlink()
    done = rotate_key(stored)
    assert not done.resumed
    assert old in done.old
    opened_with(stored, old, "retired")
    assert list(states(stored).values()).count("active") == 1
    assert states(stored)[done.new] == "active"


def test_a_copy_of_an_earlier_staged_key_takes_no_keys_place(stored: App) -> None:
    """Such as from a backup of the state directory: in the place of the active key it would open nothing of it."""
    path = stored.settings.home / "master.key.next"
    killed_at(stored, "is staged")
    kept = path.read_bytes()
    second = rotate_key(stored).new
    third = rotate_key(stored).new
    path.write_bytes(kept)
    path.chmod(0o600)
    with pytest.raises(Conflict, match=f"master.key.next holds master key {second}, which is retired"):
        rotate_key(stored)
    assert stored.vault.key_id == third
    opens(stored)


def test_the_key_in_place_is_sealed_under_the_new_one_whatever_the_rows_say(stored: App) -> None:
    first = stored.vault.key_id
    second = rotate_key(stored).new
    with stored.database.transaction() as session:
        swapped = "CASE key_id WHEN :first THEN 'active' ELSE 'retired' END"
        session.execute(text(f"UPDATE master_keys SET state = {swapped}"), {"first": first})
    rotate_key(stored)
    opened_with(stored, second, "retired")


def opened_with(app: App, key: str, state: str) -> None:
    """Everything opens, and that older key is among what does."""
    with App(app.settings, app.actor) as other:
        assert len(other.vault.master_key(key)) == 32
        assert {name: value.reveal() for name, (value, _) in read_credentials(other, NAMES).items()} == {
            name: f"value of {name}" for name in NAMES
        }
    assert states(app)[key] == state


def test_without_postgres_nothing_is_staged(stored: App, postgres_gone: Callable[[], object]) -> None:
    with postgres_gone(), pytest.raises(Unavailable):  # type: ignore[attr-defined]
        rotate_key(stored)
    assert not (stored.settings.home / "master.key.next").exists()
    opens(stored)


def killed_at(app: App, moment: str) -> None:
    """Rotate in a process of its own, which kills itself when it reports that."""
    assert app.settings.postgres_url is not None
    told = {"home": str(app.settings.home), "url": app.settings.postgres_url.reveal(), "moment": moment}
    command = [sys.executable, "-m", "tests.operations.keys.test_rotate"]
    done = subprocess.run(command, input=json.dumps(told), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


def main() -> None:
    told = json.load(sys.stdin)

    def report(line: str) -> None:
        if told["moment"] in line:
            os.kill(os.getpid(), signal.SIGKILL)

    settings = Settings(home=Path(told["home"]), postgres_url=Secret(told["url"]))
    with App(settings, Actor("killed", "cli")) as app:
        rotate_key(app, report=report)


if __name__ == "__main__":
    main()
