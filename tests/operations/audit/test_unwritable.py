"""What cannot be audited is not done: the trail's head is gone, or the master key is another one."""

import os
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import select

from tests.operations.audit.conftest import Surgery, Write
from vpsctl.app import Actor, App
from vpsctl.credentials.list import list_credentials
from vpsctl.credentials.set import set_credential
from vpsctl.db.models import Project, Site
from vpsctl.errors import Failed
from vpsctl.projects.write import add_project
from vpsctl.run_history import list_runs
from vpsctl.secret import Secret
from vpsctl.sites.environment import list_variables, set_variables
from vpsctl.sites.lifecycle import stop_site
from vpsctl.sites.maintenance import set_maintenance
from vpsctl.vault.key import create_key

OPERATIONS: dict[str, Callable[[App], object]] = {
    "cred set": lambda app: set_credential(app, "TOKEN", Secret("hunter22")),
    "site maintenance": lambda app: set_maintenance(app, "shop", "back soon"),
    "project add": lambda app: add_project(app, "other"),
    "env set": lambda app: set_variables(app, "shop", {"A": "1"}),
    "stop": lambda app: stop_site(app, "shop"),
}


@pytest.fixture
def with_site(app: App, write: Write) -> App:
    app.proxy.prepare()
    with app.database.transaction() as session:
        project = Project(slug="acme", name="acme")
        session.add(project)
        session.flush()
        source = {"kind": "directory", "location": "/nowhere"}
        session.add(Site(name="shop", project_id=project.id, source=source, environment={}, scale={}))
    write()  # the inner key is made with the first row
    return app


@pytest.fixture(params=["the head is gone", "another master key"])
def blocked(request: pytest.FixtureRequest, with_site: App, surgery: Surgery) -> Iterator[App]:
    if request.param == "the head is gone":
        surgery("DELETE FROM audit_head")
    else:
        os.remove(with_site.settings.home / "master.key")
        create_key(with_site.settings.home / "master.key")
    with App(with_site.settings, Actor("test", "cli")) as app:
        yield app


def everything(app: App) -> tuple[object, ...]:
    with app.database.transaction() as session:
        projects = tuple(session.scalars(select(Project.slug)))
        message = session.scalar(select(Site.maintenance))
    credentials = [item.name for item in list_credentials(app)]
    variables, runs = list_variables(app, "shop"), list_runs(app)
    return projects, message, app.proxy.maintained("shop"), credentials, variables, runs


@pytest.mark.parametrize("operation", OPERATIONS)
def test_it_is_refused_and_nothing_has_changed(blocked: App, operation: str) -> None:
    before = everything(blocked)
    with pytest.raises(Failed):
        OPERATIONS[operation](blocked)
    assert everything(blocked) == before == (("acme",), None, None, [], (), [])


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_same_changes_something_where_it_can_be_audited(with_site: App, operation: str) -> None:
    before = everything(with_site)
    OPERATIONS[operation](with_site)
    assert everything(with_site) != before
