"""The recovery kit: whoever has it survives the loss of the master key; whoever has it has no credential yet."""

import json
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyrage  # type: ignore[import-untyped]
import pytest
from sqlalchemy import select

from vpsctl.app import Actor, App
from vpsctl.credentials.exchange.export import export_credentials
from vpsctl.credentials.exchange.found import Found
from vpsctl.credentials.exchange.store import import_credentials
from vpsctl.credentials.read import read_credentials
from vpsctl.credentials.remove import remove_credential
from vpsctl.credentials.set import set_credential
from vpsctl.db.models import Audit
from vpsctl.encoding import to_json
from vpsctl.errors import Conflict, Failed, Invalid, NotFound, VpsctlError
from vpsctl.keys.kit import RestoredKey, create_kit, restore_key, show_kit
from vpsctl.keys.rotate import rotate_key
from vpsctl.secret import Secret
from vpsctl.settings import Settings
from vpsctl.vault.key import KeyFile, create_key

KEY = pyrage.x25519.Identity.generate()
MINE = [Secret(str(KEY))]
VALUES = {"DB_PASSWORD": "hunter22", "API_TOKEN": "hunter23\nä"}


def kit_of(app: App, path: Path) -> bytes:
    create_kit(app, to=path, recipients=[str(KEY.to_public())])
    return path.read_bytes()


def restored(settings: Settings, kit: bytes, **given: Any) -> RestoredKey:
    return restore_key(settings, kit, identities=MINE, **given)


def document(kit: bytes) -> Any:
    return json.loads(pyrage.decrypt(kit, [KEY]))


def encrypted(document: Any) -> bytes:
    return bytes(pyrage.encrypt(json.dumps(document).encode(), [KEY.to_public()]))


def fill(app: App) -> None:
    for name, value in VALUES.items():
        set_credential(app, name, Secret(value))


def values(settings: Settings) -> dict[str, str]:
    """As a process that starts now reads them."""
    with App(settings, Actor("later", "cli")) as app:
        return {name: value.reveal() for name, (value, _) in read_credentials(app, list(VALUES)).items()}


OPERATIONS: list[Callable[[App, Path], object]] = [
    lambda app, path: read_credentials(app, ["DB_PASSWORD"]),
    lambda app, path: set_credential(app, "DB_PASSWORD", Secret("other")),
    lambda app, path: set_credential(app, "NEW", Secret("other")),
    lambda app, path: remove_credential(app, "DB_PASSWORD"),
    lambda app, path: import_credentials(app, [Found("NEW", Secret("x"), "password")]),
    lambda app, path: export_credentials(app, to=path / "x", reason="r", recipients=[str(KEY.to_public())]),
    lambda app, path: create_kit(app, to=path / "x", recipients=[str(KEY.to_public())]),
]


def test_losing_the_master_key_is_survivable(app: App, settings: Settings, tmp_path: Path) -> None:
    fill(app)
    kit = kit_of(app, tmp_path / "kit.age")
    path = settings.home / "master.key"
    active = app.vault.key_id
    path.unlink()
    for operation in OPERATIONS:
        with App(settings, Actor("later", "cli")) as later, pytest.raises(NotFound) as caught:
            operation(later, tmp_path)
        assert caught.value.message == f"there is no master key at {path}"
        assert "vpsctl key restore --kit FILE" in caught.value.hint
    assert [item.name for item in tmp_path.iterdir()] == ["kit.age"]
    assert restored(settings, kit) == RestoredKey(active, path, changed=True, kept=None)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert values(settings) == VALUES


def test_a_whole_machine_can_be_lost_but_for_its_database(app: App, settings: Settings, tmp_path: Path) -> None:
    fill(app)
    kit = kit_of(app, tmp_path / "kit.age")
    elsewhere = Settings(home=tmp_path / "new" / "home", instance="other", postgres_url=settings.postgres_url)
    assert restored(elsewhere, kit).path == elsewhere.home / "master.key"
    assert stat.S_IMODE(elsewhere.home.stat().st_mode) == 0o700
    assert values(elsewhere) == VALUES
    named = Settings(home=elsewhere.home, key_file=tmp_path / "named.key", postgres_url=settings.postgres_url)
    assert restored(named, kit).path == tmp_path / "named.key"
    shutil.rmtree(elsewhere.home)
    assert values(named) == VALUES


def test_after_a_rotation_the_new_kit_opens_all_and_the_old_one_says_what_is_missing(
    app: App, settings: Settings, tmp_path: Path
) -> None:
    fill(app)
    earlier = kit_of(app, tmp_path / "earlier.age")
    old = app.vault.key_id
    new = rotate_key(app).new
    later = kit_of(app, tmp_path / "later.age")
    content = show_kit(later, identities=MINE)
    assert [(key.key_id, key.active) for key in content.keys] == [(new, True), (old, False)]
    path = settings.home / "master.key"
    path.unlink()
    assert restored(settings, earlier).key_id == old
    with pytest.raises(VpsctlError) as caught:
        values(settings)
    assert f"master key {new}" in caught.value.message
    assert f"vpsctl key restore --kit FILE --key {new} --replace" in caught.value.hint
    done = restored(settings, later, replace=True)
    assert (done.key_id, done.changed, done.kept) == (new, True, path.with_name(f"master.key.{old}"))
    assert values(settings) == VALUES


def test_an_earlier_kit_opens_what_an_earlier_backup_holds(app: App, settings: Settings, tmp_path: Path) -> None:
    fill(app)
    earlier = kit_of(app, tmp_path / "earlier.age")
    before = KeyFile(settings.home / "master.key").read()
    rotate_key(app)
    elsewhere = Settings(home=tmp_path / "drill")
    restored(elsewhere, earlier)
    assert KeyFile(elsewhere.home / "master.key").read() == before


def test_a_kit_gives_an_older_key_too_for_a_database_from_before_the_rotation(
    app: App, settings: Settings, tmp_path: Path
) -> None:
    fill(app)
    old, before = app.vault.key_id, KeyFile(settings.home / "master.key").read()
    new = rotate_key(app).new
    kit = kit_of(app, tmp_path / "kit.age")
    with pytest.raises(NotFound, match="there is no master key 0123456789abcdef in the kit"):
        restored(settings, kit, name="0123456789abcdef")
    path = settings.home / "master.key"
    done = restored(settings, kit, name=old, replace=True)
    assert (done.key_id, done.kept) == (old, path.with_name(f"master.key.{new}"))
    assert KeyFile(path).read() == before


def test_the_same_key_stays_as_it_is(app: App, settings: Settings, tmp_path: Path) -> None:
    kit = kit_of(app, tmp_path / "kit.age")
    path = settings.home / "master.key"
    before = path.stat()
    assert restored(settings, kit) == RestoredKey(app.vault.key_id, path, changed=False, kept=None)
    assert restored(settings, kit, replace=True).changed is False
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_another_key_is_replaced_only_when_asked_and_kept(app: App, settings: Settings, tmp_path: Path) -> None:
    kit = kit_of(app, tmp_path / "kit.age")
    active = app.vault.key_id
    path = settings.home / "master.key"
    path.unlink()
    create_key(path)
    content = path.read_bytes()
    other = KeyFile(path).kept().key_id
    with pytest.raises(Conflict) as caught:
        restored(settings, kit)
    assert caught.value.message == f"{path} is master key {other}, and the kit holds {active}"
    assert path.read_bytes() == content
    done = restored(settings, kit, replace=True)
    assert done == RestoredKey(active, path, changed=True, kept=path.with_name(f"master.key.{other}"))
    assert done.kept is not None
    assert done.kept.read_bytes() == content
    assert KeyFile(path).kept().key_id == active
    path.write_bytes(content)  # and once more: what was kept first stays
    assert restored(settings, kit, replace=True).kept == path.with_name(f"master.key.{other}.1")


@pytest.mark.parametrize(
    ("content", "mode"), [(b"short", 0o600), (b"A" * 44, 0o600), (b"", 0o600), (b"{}", 0o600), (None, 0o644)]
)
def test_what_cannot_be_read_there_is_in_the_way_too(
    app: App, settings: Settings, tmp_path: Path, content: bytes | None, mode: int
) -> None:
    kit = kit_of(app, tmp_path / "kit.age")
    active = app.vault.key_id
    path = settings.home / "master.key"
    if content is not None:
        path.write_bytes(content)
    path.chmod(mode)
    with pytest.raises(Conflict, match=f"something stands at {path} where master key {active} belongs: "):
        restored(settings, kit)
    done = restored(settings, kit, replace=True)
    assert done.kept == path.with_name("master.key.unreadable")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert KeyFile(path).kept().key_id == active


def test_a_key_that_its_provider_cannot_give_here_is_in_the_way(app: App, settings: Settings, tmp_path: Path) -> None:
    kit = kit_of(app, tmp_path / "kit.age")
    active = app.vault.key_id
    path = settings.home / "master.key"
    path.write_text(json.dumps({"provider": "systemd", "credential": "vpsctl-nosuch", "key_id": active}))
    with pytest.raises(Conflict, match=f"where master key {active} belongs"):
        restored(settings, kit)
    assert restored(settings, kit, replace=True).kept == path.with_name(f"master.key.{active}")
    assert KeyFile(path).provider() == "file"


def test_a_kit_holds_keys_and_settings_and_no_credential(
    app: App, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config.toml"
    config.write_text('instance = "acme"\n')
    monkeypatch.setenv("VPSCTL_CONFIG", str(config))
    fill(app)
    kit = kit_of(app, tmp_path / "kit.age")
    assert stat.S_IMODE((tmp_path / "kit.age").stat().st_mode) == 0o600
    held = document(kit)
    assert sorted(held) == ["active", "created_at", "format", "home", "instance", "keys", "settings"]
    assert held["settings"] == {"path": str(config), "text": 'instance = "acme"\n'}
    assert (held["format"], held["active"], held["home"]) == ("vpsctl-recovery-kit/1", app.vault.key_id, str(settings.home))
    assert [sorted(key) for key in held["keys"]] == [["created_at", "id", "key"]]
    key = (settings.home / "master.key").read_text().strip()
    assert held["keys"][0]["key"] == key
    assert "hunter2" not in json.dumps(held)
    shown = show_kit(kit, identities=MINE)
    assert shown.settings
    assert key not in repr(shown) + to_json(shown)


def test_its_row_is_there_before_the_file_and_holds_no_key(app: App, settings: Settings) -> None:
    place = Path("/proc/sys/kit.age")  # nobody can make a file in there
    public = str(KEY.to_public())
    with pytest.raises(Failed, match="cannot write /proc/sys/kit.age"):
        create_kit(app, to=place, recipients=[public])
    with app.database.transaction() as session:
        row = session.scalars(select(Audit)).one()
    assert (row.action, row.target) == ("recovery-kit.create", f"key:{app.vault.key_id}")
    assert row.fields == {"older": [], "to": str(place), "recipients": [public], "passphrase": False}


def test_a_place_that_is_taken_is_left_alone(app: App, tmp_path: Path) -> None:
    (tmp_path / "kit.age").write_text("precious")
    with pytest.raises(Conflict, match="is there already"):
        kit_of(app, tmp_path / "kit.age")
    with pytest.raises(NotFound, match="there is no directory"):
        kit_of(app, tmp_path / "nosuch" / "kit.age")
    assert (tmp_path / "kit.age").read_text() == "precious"


def test_what_is_no_kit_or_stays_closed_changes_nothing(app: App, settings: Settings, tmp_path: Path) -> None:
    kit = kit_of(app, tmp_path / "kit.age")
    path = settings.home / "master.key"
    path.unlink()
    held = document(kit)
    with pytest.raises(Failed, match="none of the identities opens it"):
        restore_key(settings, kit, identities=[Secret(str(pyrage.x25519.Identity.generate()))])
    with pytest.raises(Invalid, match="not a file that age has encrypted"):
        restored(settings, b"nonsense")
    with pytest.raises(Failed, match="cut or changed"):
        restored(settings, kit[:-1])
    others: list[Any] = [{}, [], {"format": "vpsctl-credentials"}, held | {"format": "vpsctl-recovery-kit/2"}]
    for other in others:
        with pytest.raises(Invalid, match="not a recovery kit that this vpsctl can read"):
            restored(settings, encrypted(other))
    wrong = [{**held["keys"][0], "id": "0" * 16}]
    renamed: dict[str, Any] = {"keys": wrong, "active": "0" * 16}
    changes: list[dict[str, Any]] = [{"keys": []}, {"active": "0" * 16}, renamed, {"created_at": 5}, {"keys": None}]
    for change in changes:
        with pytest.raises(Failed, match="the recovery kit is damaged") as caught:
            restored(settings, encrypted(held | change))
        assert held["keys"][0]["key"] not in f"{caught.value} {caught.value.__cause__}"
    assert not path.exists()


def test_what_later_versions_add_is_no_hindrance(app: App, settings: Settings, tmp_path: Path) -> None:
    kit = document(kit_of(app, tmp_path / "kit.age"))
    (settings.home / "master.key").unlink()
    kit["backup_targets"] = [{"name": "offsite"}]
    kit["keys"][0]["more"] = True
    assert restored(settings, encrypted(kit)).changed
