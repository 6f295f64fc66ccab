"""Projects: made, changed, archived and removed, with one audit row for each change and none lost."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from tests.operations.credentials.conftest import Deploy
from tests.operations.projects.conftest import Trail
from vpsctl.app import App
from vpsctl.credentials.remove import remove_credential
from vpsctl.credentials.set import Traits, set_credential
from vpsctl.db.models import Grant, Site, Token, User
from vpsctl.errors import Conflict, Invalid, NotFound
from vpsctl.projects.details import Change
from vpsctl.projects.find import ensure_project, find_project
from vpsctl.projects.list import describe_project, list_projects
from vpsctl.projects.remove import remove_project
from vpsctl.projects.write import add_project, archive_project, update_project
from vpsctl.secret import Secret

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def ensure(app: App, slug: str) -> tuple[int, bool]:
    with app.database.transaction() as session:
        return ensure_project(session, slug)


def test_a_project_is_made_and_shown(app: App, anna: str, trail: Trail) -> None:
    change = Change("Acme Ltd", "anvils", ("vip", "retail"), external_ids={"yespo": "123"}, owner=anna)
    assert add_project(app, "acme", change).slug == "acme"
    found = describe_project(app, "acme", now=NOW)
    assert (found.slug, found.name, found.description) == ("acme", "Acme Ltd", "anvils")
    assert (found.tags, found.external_ids, found.owner) == (("retail", "vip"), {"yespo": "123"}, "anna")
    assert (found.archived_at, found.sites, found.credentials, found.grants) == (None, (), (), {})
    ((action, target, fields),) = trail()
    assert (action, target) == ("project.add", "project:acme")
    assert fields["name"] == {"old": "acme", "new": "Acme Ltd"}
    assert fields["tags"] == {"old": [], "new": ["retail", "vip"]}


def test_one_without_a_name_is_called_by_its_slug(app: App) -> None:
    add_project(app, "acme")
    assert [(item.slug, item.name) for item in list_projects(app)] == [("acme", "acme")]


@pytest.mark.parametrize("slug", ["", "Acme", "a_b", "-a", "a-", "a" * 41, "a\n", "ä"])
def test_what_is_no_slug_is_refused_everywhere(app: App, slug: str) -> None:
    for act in (
        lambda: add_project(app, slug),
        lambda: update_project(app, slug, Change(name="x")),
        lambda: ensure(app, slug),
        lambda: describe_project(app, slug, now=NOW),
    ):
        with pytest.raises(Invalid, match="is not a project's name"):
            act()
    assert list_projects(app) == ()


def test_one_that_is_not_there_is_not_found(app: App, trail: Trail) -> None:
    for act in (
        lambda: update_project(app, "acme", Change(name="x")),
        lambda: archive_project(app, "acme"),
        lambda: remove_project(app, "acme"),
        lambda: describe_project(app, "acme", now=NOW),
        lambda: set_credential(app, "TOKEN", Secret("x"), project="acme"),
    ):
        with pytest.raises(NotFound, match="there is no project acme") as caught:
            act()
        assert caught.value.hint == "vpsctl project list, or vpsctl project add acme"
    assert (list_projects(app), trail()) == ((), [])


def test_an_owner_must_be_a_user(app: App, anna: str, trail: Trail) -> None:
    with pytest.raises(NotFound, match="there is no user boris"):
        add_project(app, "acme", Change(owner="boris"))
    add_project(app, "acme", Change(owner=anna))
    with pytest.raises(NotFound, match="there is no user boris"):
        update_project(app, "acme", Change(name="kept back", owner="boris"))
    assert [(item.name, item.owner) for item in list_projects(app)] == [("acme", "anna")]
    update_project(app, "acme", Change(ownerless=True))
    assert [item.owner for item in list_projects(app)] == [None]
    assert [action for action, _, _ in trail()] == ["project.add", "project.update"]


def test_an_update_that_changes_nothing_writes_nothing(app: App, trail: Trail) -> None:
    add_project(app, "acme", Change("Acme", tags=("vip",), external_ids={"yespo": "1"}))
    before = trail()
    same = Change(
        "Acme", tags=("vip",), untags=("gone",), external_ids={"yespo": "1"}, dropped_ids=("gone",), ownerless=True
    )
    assert update_project(app, "acme", same).changed == ()
    assert archive_project(app, "acme", undo=True).changed == ()
    assert trail() == before
    assert update_project(app, "acme", Change(tags=("eu",), dropped_ids=("yespo",))).changed == ("tags", "external_ids")
    assert trail()[1:] == [
        (
            "project.update",
            "project:acme",
            {"tags": {"old": ["vip"], "new": ["eu", "vip"]}, "external_ids": {"old": {"yespo": "1"}, "new": {}}},
        )
    ]


def test_of_two_adds_at_once_one_wins(app: App, trail: Trail) -> None:
    def add(number: int) -> bool:
        try:
            add_project(app, "acme", Change(name=f"Acme {number}"))
        except Conflict as error:
            assert error.message == "there is a project acme already"
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(add, range(6))) == [False] * 5 + [True]
    assert len(trail()) == 1


def test_changes_at_once_lose_nothing(app: App, trail: Trail) -> None:
    add_project(app, "acme")
    changes = [Change(tags=(f"t{number}",)) for number in range(8)] + [Change(external_ids={"yespo": "1"})]
    with ThreadPoolExecutor(6) as pool:
        archived = pool.submit(archive_project, app, "acme")
        for future in [pool.submit(update_project, app, "acme", change) for change in changes]:
            assert future.result().changed
        assert archived.result().changed == ("archived",)
    found = describe_project(app, "acme", now=NOW)
    assert found.tags == tuple(f"t{number}" for number in range(8))
    assert found.external_ids == {"yespo": "1"}
    assert found.archived_at is not None
    assert len(trail()) == 1 + 9 + 1


def test_whoever_needs_one_makes_it_once(app: App, trail: Trail) -> None:
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda _: ensure(app, "acme"), range(12)))
    assert len({number for number, _ in found}) == 1
    assert [made for _, made in found].count(True) == 1
    assert trail() == []  # it stands in the row of what needed it


def test_an_archived_one_gets_nothing_new_and_goes_on(app: App, trail: Trail) -> None:
    add_project(app, "acme")
    set_credential(app, "TOKEN", Secret("x"), project="acme")
    assert archive_project(app, "acme").changed == ("archived",)
    with pytest.raises(Conflict, match="project acme is archived and gets nothing new") as caught:
        ensure(app, "acme")
    assert caught.value.hint == "vpsctl project archive acme --undo"
    with pytest.raises(Conflict, match="is archived"):
        set_credential(app, "OTHER", Secret("x"), project="acme")
    assert list_projects(app) == ()
    (shown,) = list_projects(app, archived=True)
    assert (shown.slug, shown.credentials, shown.archived_at is not None) == ("acme", 1, True)
    with pytest.raises(Conflict, match="there is a project acme already"):
        add_project(app, "acme")
    archive_project(app, "acme", undo=True)
    assert ensure(app, "acme")[1] is False
    rows = [(action, fields) for action, target, fields in trail() if target == "project:acme"]
    assert rows[1:] == [
        ("project.archive", {"archived": {"old": False, "new": True}}),
        ("project.archive", {"archived": {"old": True, "new": False}}),
    ]


def test_the_list_counts_and_filters(app: App, deployed: Deploy) -> None:
    for slug, tags in (("acme", ("retail", "vip")), ("blog", ("vip",)), ("zeta", ())):
        add_project(app, slug, Change(tags=tags))
    deployed("shop", "acme", {})
    deployed("news", "acme", {})
    set_credential(app, "TOKEN", Secret("x"), project="acme")
    set_credential(app, "GONE", Secret("x"), project="acme")
    set_credential(app, "EVERYWHERE", Secret("x"))
    remove_credential(app, "GONE", project="acme")
    assert [(item.slug, item.sites, item.credentials) for item in list_projects(app)] == [
        ("acme", 2, 1),
        ("blog", 0, 0),
        ("zeta", 0, 0),
    ]
    assert [item.slug for item in list_projects(app, tag="vip")] == ["acme", "blog"]
    assert list_projects(app, tag="vi") == ()
    assert list_projects(app, tag='"') == ()


def test_what_belongs_to_it_is_shown(app: App, anna: str, deployed: Deploy) -> None:
    now = datetime.now(UTC)
    add_project(app, "acme")
    deployed("shop", "acme", {})
    deployed("blog", "other", {})
    for name, days in (("LATER", 31), ("OVER", -1), ("SOON", 29)):
        traits = Traits(expires_at=now + timedelta(days=days))
        set_credential(app, name, Secret("x"), project="acme", traits=traits)
    set_credential(app, "SOON", Secret("y"), project="acme", traits=Traits(expires_at=now + timedelta(days=29)))
    set_credential(app, "EVERYWHERE", Secret("x"))
    grant(app, anna, "acme")
    found = describe_project(app, "acme", now=now)
    assert found.sites == ("shop",)
    assert [(item.name, item.kind, item.version, item.expiring) for item in found.credentials] == [
        ("LATER", "password", 1, False),
        ("OVER", "password", 1, True),
        ("SOON", "password", 2, True),
    ]
    assert found.grants == {"anna": "operator"}


def test_only_an_empty_one_is_removed(app: App, anna: str, deployed: Deploy, trail: Trail) -> None:
    add_project(app, "acme")
    deployed("shop", "acme", {})
    set_credential(app, "TOKEN", Secret("x"), project="acme")
    with pytest.raises(Conflict) as caught:
        remove_project(app, "acme")
    assert caught.value.message == "project acme still has site shop and credential TOKEN"
    assert caught.value.hint.startswith("vpsctl site remove shop, or ")
    with app.database.transaction() as session:
        session.delete(session.scalars(select(Site).where(Site.name == "shop")).one())
    with pytest.raises(Conflict, match="project acme still has credential TOKEN") as caught:
        remove_project(app, "acme")
    assert caught.value.hint.startswith("vpsctl cred remove TOKEN --project acme, or ")
    remove_credential(app, "TOKEN", project="acme")
    grant(app, anna, "acme")
    removed = remove_project(app, "acme")
    assert (removed.grants, removed.tokens) == (("anna",), ("AB12CD34",))
    assert [item.slug for item in list_projects(app, archived=True)] == []
    assert trail()[-1] == ("project.remove", "project:acme", {"grants": ["anna"], "tokens": ["AB12CD34"]})
    add_project(app, "acme")  # a new one, which nobody has a role in
    assert describe_project(app, "acme", now=NOW).grants == {}


def test_a_removal_and_something_new_at_once_leave_one_of_the_two(app: App) -> None:
    def store() -> bool:
        try:
            set_credential(app, "TOKEN", Secret("x"), project="acme")
        except NotFound:
            return False
        return True

    def remove() -> bool:
        try:
            remove_project(app, "acme")
        except Conflict:
            return False
        return True

    for _ in range(5):
        add_project(app, "acme")
        with ThreadPoolExecutor(2) as pool:
            stored, removed = pool.submit(store), pool.submit(remove)
        assert stored.result() is not removed.result()
        if stored.result():
            remove_credential(app, "TOKEN", project="acme")
            remove_project(app, "acme")


def grant(app: App, user: str, slug: str) -> None:
    """A role in the project, and a token that is good for it alone."""
    with app.database.transaction() as session:
        user_id = session.scalars(select(User.id).where(User.name == user)).one()
        project_id = find_project(session, slug).id
        session.add(Grant(user_id=user_id, project_id=project_id, role="operator"))
        row = Token(public_id="AB12CD34", user_id=user_id, project_id=project_id, name="ci", mac=b"x", expires_at=NOW)
        row.scopes, row.addresses = [], []
        session.add(row)
