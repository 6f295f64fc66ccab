"""What a new site does to its project: one row of the trail tells it, and an archived project takes none."""

from pathlib import Path

import pytest

from tests.operations.projects.conftest import Trail
from vpsctl.app import App
from vpsctl.errors import Conflict, Invalid
from vpsctl.projects.list import list_projects
from vpsctl.projects.write import add_project, archive_project
from vpsctl.sites.add import add_site
from vpsctl.sites.adopt.adopt import adopt
from vpsctl.sites.adopt.infer import Wish
from vpsctl.sites.list import list_sites
from vpsctl.sites.sources.source import Source


def add(app: App, directory: Path, name: str, project: str) -> None:
    (directory / "compose.yaml").write_text("services: {app: {image: busybox}}\n")
    add_site(app, Source("directory", str(directory)), name=name, project=project)


def test_a_project_that_is_not_there_is_made_in_the_sites_own_row(app: App, trail: Trail, tmp_path: Path) -> None:
    add(app, tmp_path, "shop", "acme")
    add(app, tmp_path, "blog", "acme")
    assert [(action, target, fields["project"], fields["project_made"]) for action, target, fields in trail()] == [
        ("site.add", "site:shop", "acme", True),
        ("site.add", "site:blog", "acme", False),
    ]
    assert [(item.slug, item.name, item.sites) for item in list_projects(app)] == [("acme", "acme", 2)]


def test_an_archived_project_takes_no_site(app: App, trail: Trail, tmp_path: Path) -> None:
    add_project(app, "acme")
    archive_project(app, "acme")
    before = trail()
    with pytest.raises(Conflict, match="project acme is archived"):
        add(app, tmp_path, "shop", "acme")
    for dry_run in (True, False):
        with pytest.raises(Conflict, match="project acme is archived"):
            adopt(app, Wish("shop", ("nobody",), (), project="acme"), dry_run=dry_run)
    assert (list_sites(app), trail()) == ([], before)


def test_what_is_no_projects_name_makes_no_site(app: App, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="'Acme' is not a project's name"):
        add(app, tmp_path, "shop", "Acme")
    with pytest.raises(Invalid, match="'Acme' is not a project's name"):
        adopt(app, Wish("shop", ("nobody",), (), project="Acme"))
    assert (list_sites(app), list_projects(app)) == ([], ())
