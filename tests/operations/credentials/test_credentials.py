"""Credentials: set, read back, listed without a value, removed when no site needs them, and every change on record."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text

from tests.operations.credentials.conftest import Deploy
from tests.postgres import execute
from vpsctl.app import App
from vpsctl.credentials.kinds.generate import generate
from vpsctl.credentials.list import list_credentials
from vpsctl.credentials.read import read_credentials
from vpsctl.credentials.remove import look_at_removal, remove_credential
from vpsctl.credentials.set import set_credential
from vpsctl.db.models import Audit, Project
from vpsctl.encoding import to_json
from vpsctl.errors import Conflict, Invalid, NotFound
from vpsctl.secret import Secret

VALUES = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1, max_size=200)


def value(app: App, name: str, *, project: str | None = None, version: int | None = None) -> str:
    pinned = {} if version is None else {name: version}
    return read_credentials(app, [name], project=project, versions=pinned)[name][0].reveal()


def trail(app: App) -> list[tuple[str, str, dict[str, object]]]:
    with app.database.transaction() as session:
        return [(row.action, row.target, row.fields) for row in session.scalars(select(Audit).order_by(Audit.id))]


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=VALUES)
def test_every_value_comes_back_as_it_was(app: App, text: str) -> None:
    version = set_credential(app, "TOKEN", Secret(text)).version
    assert read_credentials(app, ["TOKEN"]) == {"TOKEN": (Secret(text), version)}


def test_generated_values_are_long_random_and_safe_to_paste() -> None:
    made = {generate("password", None).reveal() for _ in range(200)}
    assert len(made) == 200
    assert all(len(one) == 43 and one.replace("-", "").replace("_", "").isalnum() and one[0] != "-" for one in made)


@pytest.mark.parametrize("name", ["", "db", "1A", "_A", "A-B", "A B", "A=B", "Ä", "A\n", "A" * 65, "A;DROP"])
def test_what_is_no_variables_name_is_refused(app: App, name: str) -> None:
    with pytest.raises(Invalid, match="is not a credential's name"):
        set_credential(app, name, Secret("x"))
    assert list_credentials(app) == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        ("hunter22\x00", "holds a NUL byte"),
        ("hunter22" * 9000, "is over 64 KiB"),
        ("hunter22\udc80", "is not UTF-8"),
    ],
)
def test_a_value_no_container_can_get_is_refused_without_repeating_it(app: App, text: str, reason: str) -> None:
    with pytest.raises(Invalid, match=f"credential TOKEN: the value {reason}") as caught:
        set_credential(app, "TOKEN", Secret(text))
    assert "hunter22" not in f"{caught.value} {caught.value.hint} {caught.value.__cause__}"


def test_older_versions_stay_readable_for_the_releases_that_pin_them(app: App) -> None:
    assert [set_credential(app, "TOKEN", Secret(text)).version for text in ("one", "two", "three")] == [1, 2, 3]
    assert value(app, "TOKEN") == "three"
    assert value(app, "TOKEN", version=1) == "one"
    with pytest.raises(NotFound, match="there is no credential TOKEN version 4"):
        value(app, "TOKEN", version=4)


def test_a_projects_own_comes_before_the_one_for_all(app: App) -> None:
    set_credential(app, "TOKEN", Secret("all"))
    own = set_credential(app, "TOKEN", Secret("acme's"), project="acme")
    assert (own.name, own.project) == ("TOKEN", "acme")
    assert value(app, "TOKEN", project="acme") == "acme's"
    assert value(app, "TOKEN", project="other") == "all"
    assert value(app, "TOKEN") == "all"
    set_credential(app, "ONLY", Secret("x"), project="acme")
    with pytest.raises(NotFound, match="there is no credential ONLY for project other"):
        value(app, "ONLY", project="other")


def test_a_pinned_version_means_one_value_whatever_is_set_or_removed_later(app: App) -> None:
    first = set_credential(app, "TOKEN", Secret("all"))
    set_credential(app, "TOKEN", Secret("acme's"), project="acme")
    assert value(app, "TOKEN", project="acme", version=first.version) == "all"
    remove_credential(app, "TOKEN")
    again = set_credential(app, "TOKEN", Secret("new"))
    assert again.version == 3
    with pytest.raises(NotFound):
        value(app, "TOKEN", project="acme", version=first.version)


def test_changes_of_one_name_at_once_get_a_version_each(app: App) -> None:
    places = [None, "acme", "zeta"] * 4
    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(lambda place: set_credential(app, "TOKEN", Secret(f"of {place}"), project=place), places))
    assert sorted(info.version for info in made) == list(range(1, 13))
    assert [value(app, "TOKEN", project=place) for place in (None, "acme", "zeta")] == ["of None", "of acme", "of zeta"]


def test_all_that_are_missing_are_named_at_once(app: App) -> None:
    set_credential(app, "HERE", Secret("x"))
    with pytest.raises(NotFound) as caught:
        read_credentials(app, ["B", "HERE", "A"])
    assert caught.value.message == "there is no credential A, B"
    assert caught.value.hint.startswith("vpsctl cred set A --generate")


def test_the_list_shows_versions_and_users_but_no_value(app: App, deployed: Deploy) -> None:
    set_credential(app, "TOKEN", Secret("hunter22"))
    deployed("shop", "acme", {"TOKEN": 1})
    set_credential(app, "TOKEN", Secret("hunter33"))
    deployed("blog", "acme", {"TOKEN": 2})
    set_credential(app, "TOKEN", Secret("hunter44"), project="acme")
    everywhere, own = list_credentials(app)
    assert (everywhere.name, everywhere.project, everywhere.version, everywhere.versions) == ("TOKEN", None, 2, (1, 2))
    assert everywhere.used_by == everywhere.outdated == ("blog", "shop")
    assert everywhere.created_at <= everywhere.changed_at <= own.changed_at
    assert (own.project, own.version, own.used_by, own.outdated) == ("acme", 3, (), ("blog", "shop"))
    assert "hunter" not in to_json([everywhere, own])


def test_the_list_needs_no_key(app: App) -> None:
    set_credential(app, "TOKEN", Secret("x"))
    (app.settings.home / "master.key").unlink()
    with App(app.settings, app.actor) as locked:
        assert [info.name for info in list_credentials(locked)] == ["TOKEN"]
        with pytest.raises(NotFound, match="there is no master key"):
            value(locked, "TOKEN")


def test_one_that_a_site_uses_stays_unless_forced(app: App, deployed: Deploy) -> None:
    set_credential(app, "TOKEN", Secret("x"))
    deployed("shop", "acme", {"TOKEN": 1})
    with pytest.raises(Conflict, match="credential TOKEN is used by shop"):
        remove_credential(app, "TOKEN")
    assert value(app, "TOKEN") == "x"
    removed = remove_credential(app, "TOKEN", force=True)
    assert (removed.versions, removed.used_by) == ((1,), ("shop",))
    assert list_credentials(app) == []
    with app.database.transaction() as session:
        assert session.scalar(text("SELECT count(*) FROM credential_versions")) == 0


def test_only_the_current_release_and_the_right_project_hold_it_back(app: App, deployed: Deploy) -> None:
    set_credential(app, "TOKEN", Secret("all"))
    set_credential(app, "TOKEN", Secret("acme's"), project="acme")
    deployed("shop", "acme", {"TOKEN": 1})
    deployed("shop", "acme", {"TOKEN": 2})
    remove_credential(app, "TOKEN")
    with pytest.raises(Conflict, match="credential acme/TOKEN is used by shop"):
        remove_credential(app, "TOKEN", project="acme")
    deployed("shop", "acme", {})
    remove_credential(app, "TOKEN", project="acme")
    assert list_credentials(app) == []


def test_where_another_takes_its_place_no_force_is_needed(app: App, deployed: Deploy) -> None:
    set_credential(app, "TOKEN", Secret("all"))
    set_credential(app, "TOKEN", Secret("acme's"), project="acme")
    deployed("shop", "acme", {"TOKEN": 2})
    before = trail(app)
    looked = look_at_removal(app, "TOKEN", project="acme")
    assert (looked.used_by, looked.next_versions) == (("shop",), {"shop": 1})
    assert trail(app) == before
    assert value(app, "TOKEN", project="acme") == "acme's", "a look removes nothing"
    assert remove_credential(app, "TOKEN", project="acme") == looked
    deployed("shop", "acme", {"TOKEN": 1})
    newest = set_credential(app, "TOKEN", Secret("acme's again"), project="acme").version
    deployed("blog", "other", {"TOKEN": 1})
    with pytest.raises(Conflict, match="credential TOKEN is used by blog$"):
        look_at_removal(app, "TOKEN")
    assert remove_credential(app, "TOKEN", force=True).next_versions == {"blog": None, "shop": newest}


def test_what_is_not_there_is_not_removed(app: App) -> None:
    set_credential(app, "TOKEN", Secret("x"), project="acme")
    for name, project in (("TOKEN", None), ("TOKEN", "other"), ("OTHER", "acme")):
        with pytest.raises(NotFound):
            remove_credential(app, name, project=project)
    remove_credential(app, "TOKEN", project="acme")
    with pytest.raises(NotFound, match="there is no credential acme/TOKEN"):
        remove_credential(app, "TOKEN", project="acme")


def test_every_change_is_on_record_and_no_value_with_it(app: App, deployed: Deploy) -> None:
    set_credential(app, "TOKEN", Secret("hunter22"), project="acme")
    set_credential(app, "TOKEN", Secret("hunter33"), project="acme")
    deployed("shop", "acme", {"TOKEN": 2})
    remove_credential(app, "TOKEN", project="acme", force=True)
    assert trail(app) == [
        ("credential.set", "credential:acme/TOKEN", {"version": 1, "kind": "password", "fields": ["value"]}),
        ("credential.set", "credential:acme/TOKEN", {"version": 2, "kind": "password", "fields": ["value"]}),
        ("credential.remove", "credential:acme/TOKEN", {"versions": [1, 2], "used_by": ["shop"], "force": True}),
    ]


def test_nothing_is_set_when_it_cannot_be_put_on_record(app: App, database_url: str) -> None:
    execute(database_url, "ALTER TABLE audit ADD CONSTRAINT shut CHECK (false)")
    with pytest.raises(Conflict):
        set_credential(app, "TOKEN", Secret("x"), project="acme")
    assert list_credentials(app) == []


def test_a_project_that_there_is_not_gets_no_credential(app: App) -> None:
    with pytest.raises(NotFound, match="there is no project acmee"):
        set_credential(app, "TOKEN", Secret("x"), project="acmee")
    assert projects(app) == ["acme", "zeta"]
    for slug in ("", "Acme", "a_b", "-a", "a-", "a" * 41, "a\n"):
        with pytest.raises(Invalid, match="is not a project's name"):
            set_credential(app, "TOKEN", Secret("x"), project=slug)


def projects(app: App) -> list[str]:
    with app.database.transaction() as session:
        return list(session.scalars(select(Project.slug).order_by(Project.slug)))
