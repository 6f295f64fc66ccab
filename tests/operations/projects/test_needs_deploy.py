"""Which sites a deploy would give another credential than they run with."""

import pytest
from sqlalchemy import event

from tests.operations.credentials.conftest import Deploy
from vpsctl.app import App
from vpsctl.credentials.remove import remove_credential
from vpsctl.credentials.set import set_credential
from vpsctl.credentials.usage import StaleCredential, sites_using, sites_waiting, stale_credentials
from vpsctl.db.models import Site
from vpsctl.projects.write import add_project
from vpsctl.secret import Secret
from vpsctl.sites.list import list_sites


@pytest.fixture
def shop(app: App, deployed: Deploy) -> App:
    """shop of project acme runs with version 1 of the whole machine's TOKEN."""
    add_project(app, "acme")
    store(app)
    deployed("shop", "acme", {"TOKEN": 1})
    return app


def store(app: App, project: str | None = None) -> int:
    return set_credential(app, "TOKEN", Secret("x"), project=project).version


def stale(app: App) -> dict[str, tuple[StaleCredential, ...]]:
    with app.database.transaction() as session:
        return stale_credentials(session)


def test_a_site_that_is_up_to_date_is_not_in_it(shop: App) -> None:
    assert stale(shop) == {}
    set_credential(shop, "OTHER", Secret("x"))
    add_project(shop, "other")
    store(shop, "other")
    assert stale(shop) == {}


def test_a_rotated_one_is_stale_until_the_deploy(shop: App, deployed: Deploy) -> None:
    store(shop)
    store(shop)
    assert stale(shop) == {"shop": (StaleCredential("TOKEN", 1, 3, None),)}
    assert [site.pending for site in list_sites(shop)] == [("TOKEN 1→3",)]
    deployed("shop", "acme", {"TOKEN": 3})
    assert stale(shop) == {}
    assert [site.pending for site in list_sites(shop)] == [()]


def test_the_projects_own_shadows_the_machines(shop: App, deployed: Deploy) -> None:
    deployed("blog", "other", {"TOKEN": 1})
    own = store(shop, "acme")
    assert stale(shop) == {"shop": (StaleCredential("TOKEN", 1, own, "acme"),)}
    with shop.database.transaction() as session:
        assert sites_waiting(session) == {("TOKEN", 1): ["shop"], ("TOKEN", own): ["shop"]}
        assert sites_using(session) == {("TOKEN", 1): ["blog", "shop"]}
    deployed("shop", "acme", {"TOKEN": own})
    newer = store(shop)
    assert stale(shop) == {"blog": (StaleCredential("TOKEN", 1, newer, None),)}
    remove_credential(shop, "TOKEN", project="acme", force=True)
    assert stale(shop)["shop"] == (StaleCredential("TOKEN", own, newer, None),)


def test_a_removed_one_has_no_newest(shop: App) -> None:
    remove_credential(shop, "TOKEN", force=True)
    assert stale(shop) == {"shop": (StaleCredential("TOKEN", 1, None, None),)}
    assert [site.pending for site in list_sites(shop)] == [("TOKEN 1 was removed",)]
    with shop.database.transaction() as session:
        assert sites_waiting(session) == {("TOKEN", 1): ["shop"]}


def test_a_site_that_was_never_deployed_has_nothing_stale(shop: App) -> None:
    store(shop)
    with shop.database.transaction() as session:
        session.query(Site).update({Site.current_release_id: None})
    assert stale(shop) == {}
    assert [site.pending for site in list_sites(shop)] == [("not deployed yet",)]


def test_the_number_of_queries_does_not_grow(shop: App, deployed: Deploy) -> None:
    def queries() -> int:
        seen: list[str] = []

        def count(*arguments: object) -> None:
            seen.append(str(arguments[2]))

        with shop.database.transaction() as session:
            connection = session.connection()
            event.listen(connection, "before_cursor_execute", count)
            assert stale_credentials(session)
            event.remove(connection, "before_cursor_execute", count)
        return len(seen)

    store(shop)
    few = queries()
    for number in range(5):
        set_credential(shop, f"KEY_{number}", Secret("x"))
        deployed(f"site-{number}", f"project-{number}", {"TOKEN": 1, f"KEY_{number}": 1})
    assert queries() == few == 2
