"""A deployed site as the ledger knows it: credentials only ask which version its current release pins."""

from collections.abc import Callable, Mapping

import pytest

from vpsctl.app import App
from vpsctl.db.models import Release, Site
from vpsctl.projects.find import ensure_project

Deploy = Callable[[str, str, Mapping[str, int]], None]


@pytest.fixture
def deployed(app: App) -> Deploy:
    """`deployed("shop", "acme", {"DB_PASSWORD": 1})`: the next release of the site, now its current one."""

    def deploy(name: str, project: str, credentials: Mapping[str, int]) -> None:
        with app.database.transaction() as session:
            project_id, _ = ensure_project(session, project)
            site = session.query(Site).filter_by(name=name).one_or_none()
            site = site or Site(name=name, project_id=project_id, source={})
            session.add(site)
            session.flush()
            number = session.query(Release).filter_by(site_id=site.id).count() + 1
            texts = {"source": {}, "compose": "services: {app: {}}", "images": {}, "environment": {}, "scale": {}}
            release = Release(site_id=site.id, number=number, credentials=dict(credentials), **texts)
            session.add(release)
            session.flush()
            site.current_release_id = release.id

    return deploy


@pytest.fixture(autouse=True)
def projects(app: App) -> None:
    """The brands that these tests put credentials into."""
    with app.database.transaction() as session:
        for slug in ("acme", "zeta"):
            ensure_project(session, slug)
