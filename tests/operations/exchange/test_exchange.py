"""Import and export: all or nothing, one audit row, no version for what is there already, and back again unharmed."""

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyrage  # type: ignore[import-untyped]
import pytest
from sqlalchemy import select, text

from vpsctl.app import App
from vpsctl.credentials.exchange.export import export_credentials
from vpsctl.credentials.exchange.found import Found
from vpsctl.credentials.exchange.read import Keys, read_credentials_file
from vpsctl.credentials.exchange.store import import_credentials
from vpsctl.credentials.list import list_credentials
from vpsctl.credentials.read import open_credential
from vpsctl.credentials.remove import remove_credential
from vpsctl.credentials.set import Traits, set_credential
from vpsctl.db.models import Audit, Credential
from vpsctl.errors import Conflict, Failed, Invalid, NotFound
from vpsctl.projects.find import ensure_project
from vpsctl.secret import Secret

KEY = pyrage.x25519.Identity.generate()
PUBLIC = str(KEY.to_public())
KEYS = Keys(identities=[Secret(str(KEY))])
LATER = datetime(2027, 1, 1, tzinfo=UTC)


def plain(name: str, value: str, kind: str = "password") -> Found:
    return Found(name, Secret(value), kind)


def trail(app: App, action: str) -> list[dict[str, Any]]:
    with app.database.transaction() as session:
        rows = session.scalars(select(Audit).where(Audit.action == action).order_by(Audit.id))
        return [{"target": row.target, **row.fields} for row in rows]


def all_rows(app: App) -> int:
    with app.database.transaction() as session:
        return session.query(Audit).count()


def value(app: App, name: str, project: str | None = None) -> str:
    return open_credential(app, name, project=project).value.reveal()


def add_project(app: App, slug: str) -> None:
    with app.database.transaction() as session:
        ensure_project(session, slug)


def test_all_are_stored_with_one_row_that_holds_no_value(app: App) -> None:
    set_credential(app, "SAME", Secret("hunter21"))
    set_credential(app, "OLD", Secret("hunter20"))
    before = all_rows(app)
    found = [plain("NEW", "hunter22"), plain("SAME", "hunter21"), plain("OLD", "hunter23")]
    done = import_credentials(app, found, replace=True)
    assert (done.added, done.changed, done.unchanged, done.refused) == ({"NEW": 1}, {"OLD": 2}, ("SAME",), ())
    assert [value(app, name) for name in ("NEW", "SAME", "OLD")] == ["hunter22", "hunter21", "hunter23"]
    assert open_credential(app, "SAME").version == 1
    assert all_rows(app) == before + 1
    rows = trail(app, "credential.import")
    expected = {"added": {"NEW": 1}, "changed": {"OLD": 2}, "unchanged": ["SAME"], "projects_made": []}
    assert rows == [{"target": "credentials", **expected}]


def test_without_replace_nothing_at_all_is_stored(app: App) -> None:
    set_credential(app, "OLD", Secret("hunter20"))
    before = all_rows(app)
    with pytest.raises(Conflict, match="another value is there for OLD") as caught:
        import_credentials(app, [plain("NEW", "x"), plain("OLD", "hunter23")])
    assert "--replace" in caught.value.hint
    assert "hunter2" not in caught.value.message
    assert [item.name for item in list_credentials(app)] == ["OLD"]
    assert (value(app, "OLD"), all_rows(app)) == ("hunter20", before)


def test_a_dry_run_says_it_all_and_stores_nothing(app: App) -> None:
    set_credential(app, "OLD", Secret("a"))
    set_credential(app, "SAME", Secret("b"))
    before = all_rows(app)
    found = [plain("NEW", "x"), plain("OLD", "y"), plain("SAME", "b"), Found("P", Secret("z"), "password", project="acme")]
    done = import_credentials(app, found, dry_run=True)
    assert (list(done.added), done.changed, done.unchanged) == (["NEW", "acme/P"], {}, ("SAME",))
    assert done.refused == ("OLD",)
    assert list(import_credentials(app, found, replace=True, dry_run=True).changed) == ["OLD"]
    assert all_rows(app) == before
    assert [item.name for item in list_credentials(app)] == ["OLD", "SAME"]
    with app.database.transaction() as session:
        assert session.execute(text("SELECT count(*) FROM projects WHERE slug = 'acme'")).scalar() == 0


def test_one_value_that_its_kind_refuses_refuses_all(app: App) -> None:
    with pytest.raises(Invalid, match="^BAD: ") as caught:
        import_credentials(app, [plain("GOOD", "x"), plain("BAD", "hunter22", kind="url")])
    assert "hunter22" not in f"{caught.value} {caught.value.hint}"
    assert list_credentials(app) == []


def test_a_failure_in_the_middle_leaves_nothing(app: App, database_url: str) -> None:
    set_credential(app, "ZZ", Secret("x"))
    with app.database.transaction() as session:  # altered behind vpsctl's back, and looked at after the others
        session.execute(text("UPDATE credentials SET kind = 'token' WHERE name = 'ZZ'"))
    with pytest.raises(Failed, match="credential ZZ: its stored row was altered"):
        import_credentials(app, [plain("AA", "1"), plain("ZZ", "2", kind="token")], replace=True)
    with app.database.transaction() as session:
        assert session.scalars(select(Credential.name)).all() == ["ZZ"]
    assert [row["target"] for row in trail(app, "credential.refused")] == ["credential:ZZ"]


def test_a_guess_yields_to_the_kind_that_is_there_and_knowledge_does_not(app: App) -> None:
    set_credential(app, "TOKEN", Secret("a"), traits=Traits(kind="token"))
    assert import_credentials(app, [plain("TOKEN", "b")], replace=True).changed == {"TOKEN": 2}
    assert open_credential(app, "TOKEN").kind == "token"
    known = Found("TOKEN", Secret("u:p"), "basic", guessed=False)
    with pytest.raises(Conflict, match="credential TOKEN is of kind token, not basic"):
        import_credentials(app, [known], replace=True)


def test_a_project_that_is_typed_must_be_there_and_gets_them_all(app: App) -> None:
    with pytest.raises(NotFound, match="there is no project acme"):
        import_credentials(app, [plain("A", "1")], project="acme")
    add_project(app, "acme")
    done = import_credentials(app, [plain("A", "1"), Found("B", Secret("2"), "password", project="blog")], project="acme")
    assert done.added == {"acme/A": 1, "acme/B": 1}
    assert trail(app, "credential.import")[0]["target"] == "project:acme"
    two = [Found("C", Secret("1"), "password", project=slug) for slug in ("acme", "blog")]
    with pytest.raises(Invalid, match="two of the credentials would be acme/C"):
        import_credentials(app, two, project="acme")


def test_what_was_removed_is_added_again_with_a_number_of_its_own(app: App) -> None:
    set_credential(app, "A", Secret("1"))
    remove_credential(app, "A")
    assert import_credentials(app, [plain("A", "1")]).added == {"A": 2}


def test_imports_and_sets_at_once_wait_for_each_other_and_lose_nothing(app: App) -> None:
    names = [f"N{number}" for number in range(6)]
    add_project(app, "acme")

    def change(number: int) -> None:
        if number % 2:
            set_credential(app, names[number % 6], Secret(f"set {number}"), project="acme")
        else:
            order = names if number % 4 else list(reversed(names))
            import_credentials(app, [plain(name, f"value {number}") for name in order], replace=True)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(change, range(24)))
    assert len({value(app, name) for name in names}) == 1
    with app.database.transaction() as session:
        query = "SELECT c.name, array_agg(v.version ORDER BY v.version) FROM credential_versions v JOIN credentials c"
        rows = session.execute(text(f"{query} ON c.id = v.credential_id GROUP BY c.name")).all()
    made = {name: list(versions) for name, versions in rows}  # of one name, in whatever project: no number twice
    assert made == {name: list(range(1, 13 + (4 if number % 2 else 0))) for number, name in enumerate(names)}
    assert len(trail(app, "credential.import")) == 12


def fill(app: App) -> None:
    add_project(app, "acme")
    traits = Traits(
        kind="basic", description="Yespo", details={"url": "https://a.example"}, expires_at=LATER, rotate_every=90
    )
    set_credential(app, "LOGIN", Secret("me:hunter22"), project="acme", traits=traits)
    set_credential(app, "LOGIN", Secret("hunter23"), traits=Traits(kind="token"))
    set_credential(app, "DB", Secret("old"))
    set_credential(app, "DB", Secret("hunter24\nä"))


def exported(app: App, path: Path, **given: Any) -> Path:
    export_credentials(app, to=path, reason="move", recipients=[PUBLIC], **given)
    return path


def test_an_export_comes_back_whole_on_an_empty_machine(app: App, tmp_path: Path) -> None:
    fill(app)
    path = tmp_path / "all.age"
    done = export_credentials(app, to=path, reason="move", recipients=[PUBLIC])
    assert done.credentials == ("DB", "LOGIN", "acme/LOGIN")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"hunter2" not in path.read_bytes()
    found = read_credentials_file(path, keys=KEYS)
    before = {(item.name, item.project): item.value for item in found}
    with app.database.transaction() as session:
        for table in ("credential_versions", "credentials", "projects"):
            session.execute(text(f"DELETE FROM {table}"))
    again = import_credentials(app, found)
    assert (again.added, again.projects) == ({"DB": 1, "LOGIN": 1, "acme/LOGIN": 2}, ("acme",))
    opened = open_credential(app, "LOGIN", project="acme")
    assert (opened.kind, opened.value, opened.details) == ("basic", Secret("me:hunter22"), {"url": "https://a.example"})
    with app.database.transaction() as session:
        row = session.scalars(select(Credential).where(Credential.project_id.is_not(None))).one()
        assert (row.description, row.expires_at, row.rotate_every) == ("Yespo", LATER, 90)
    assert value(app, "DB") == "hunter24\nä"
    second = read_credentials_file(exported(app, tmp_path / "2"), keys=KEYS)
    assert {(item.name, item.project): item.value for item in second} == before
    assert import_credentials(app, found).unchanged == ("DB", "LOGIN", "acme/LOGIN")


def test_an_export_of_one_project_holds_no_other(app: App, tmp_path: Path) -> None:
    fill(app)
    found = read_credentials_file(exported(app, tmp_path / "acme.age", project="acme"), keys=KEYS)
    assert [(item.name, item.project) for item in found] == [("LOGIN", "acme")]
    with pytest.raises(NotFound, match="there is no project nosuch"):
        exported(app, tmp_path / "x", project="nosuch")
    add_project(app, "empty")
    with pytest.raises(NotFound, match="there are no credentials of project empty"):
        exported(app, tmp_path / "x", project="empty")


def test_the_row_is_there_before_the_file(app: App, tmp_path: Path) -> None:
    fill(app)
    path = tmp_path / "closed" / "all.age"
    path.parent.mkdir()
    (tmp_path / "closed" / "all.age").symlink_to("/nowhere/at/all")
    with pytest.raises(Conflict, match="is there already"):
        exported(app, path)
    assert trail(app, "credential.export") == []
    full = Path("/proc/sys/all.age")  # nobody can make a file in there
    with pytest.raises(Failed, match="cannot write /proc/sys/all.age"):
        exported(app, full)
    row = {"target": "credentials", "reason": "move", "to": str(full), "recipients": [PUBLIC], "passphrase": False}
    assert trail(app, "credential.export") == [row | {"credentials": {"DB": 2, "LOGIN": 2, "acme/LOGIN": 1}}]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"recipients": [PUBLIC], "reason": " "}, "an export needs a reason"),
        ({"recipients": ["age1nonsense"], "reason": "move"}, "'age1nonsense' is not a key"),
        ({"reason": "move"}, "neither a recipient nor a passphrase"),
    ],
)
def test_nothing_is_written_or_recorded_when_it_is_refused(
    app: App, tmp_path: Path, given: dict[str, Any], told: str
) -> None:
    fill(app)
    with pytest.raises(Invalid, match=told):
        export_credentials(app, to=tmp_path / "x", **given)
    assert list(tmp_path.iterdir()) == []
    assert trail(app, "credential.export") == []


def test_an_export_counts_as_a_reveal(app: App, tmp_path: Path) -> None:
    fill(app)
    exported(app, tmp_path / "acme.age", project="acme")
    with app.database.transaction() as session:
        rows = session.execute(select(Credential.name, Credential.project_id, Credential.last_revealed_at)).all()
    assert {(name, project is not None): at is not None for name, project, at in rows} == {
        ("LOGIN", True): True,
        ("LOGIN", False): False,
        ("DB", False): False,
    }


def test_an_altered_value_stops_the_export(app: App, tmp_path: Path) -> None:
    fill(app)
    with app.database.transaction() as session:
        theirs = "credential_id = (SELECT id FROM credentials WHERE name = 'DB')"
        session.execute(text(f"UPDATE credential_versions SET ciphertext = ciphertext || 'x' WHERE {theirs}"))
    with pytest.raises(Failed, match="credential DB"):
        exported(app, tmp_path / "x")
    assert list(tmp_path.iterdir()) == []
    assert [row["target"] for row in trail(app, "credential.refused")] == ["credential:DB"]


def test_the_document_is_what_the_format_says(app: App, tmp_path: Path) -> None:
    set_credential(app, "A", Secret("1"))
    path = exported(app, tmp_path / "x")
    document = json.loads(pyrage.decrypt(path.read_bytes(), [KEY]))
    assert (document["format"], document["version"]) == ("vpsctl-credentials", 1)
    assert document["instance"] == app.settings.instance
    entry: dict[str, Any] = {"name": "A", "project": None, "kind": "password", "description": "", "version": 1, "value": "1"}
    assert document["credentials"] == [entry | {"details": {}, "expires_at": None, "rotate_every": None}]
