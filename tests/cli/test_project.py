"""`vpsctl project`, and why a site needs a deploy, as an operator and a program see them."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import NOWHERE, MakeDirectory, Vpsctl, added
from tests.operations.deploy.conftest import COMPOSE
from vpsctl.app import App
from vpsctl.credentials.set import set_credential
from vpsctl.db.models import User
from vpsctl.secret import Secret
from vpsctl.sites.naming import Names

WITH_DATA = COMPOSE.replace(
    "x-vpsctl:\n", "    volumes: [data:/data]\nvolumes: {{data: {{}}}}\nx-vpsctl:\n  secrets: [TOKEN]\n"
)


@pytest.fixture
def project() -> str:
    """A name that no other test uses."""
    return f"p{secrets.token_hex(3)}"


@pytest.fixture
def tokened(cli: Vpsctl, project: str, foundation: App, make_directory: MakeDirectory) -> Iterator[tuple[str, Path]]:
    """A site of `project` with a volume and a credential of the project's own, not deployed."""
    assert cli("project", "add", project).code == 0
    set_credential(foundation, "TOKEN", Secret("hunter22"), project=project)
    with added(foundation, make_directory, WITH_DATA.replace("x-vpsctl:", f"x-vpsctl:\n  project: {project}")) as made:
        yield made


def rows(out: str) -> list[list[str]]:
    return [line.split() for line in out.splitlines()]


def test_a_project_from_add_to_remove(cli: Vpsctl, project: str, foundation: App, make_directory: MakeDirectory) -> None:
    with foundation.database.transaction() as session:
        session.add(User(name=f"anna-{project}"))
    added = cli("project", "add", project, "--name", "Acme Ltd", "--tag", project, "--id", "yespo=123")
    assert (added.code, added.out) == (0, f"project {project} is there\n")
    again = cli("project", "add", project)
    assert (again.code, again.sentence) == (4, f"there is a project {project} already")
    updated = cli(
        "project",
        "update",
        project,
        "--untag",
        project,
        "--tag",
        "vip",
        "--id",
        "bigquery=a=b",
        "--owner",
        f"anna-{project}",
    )
    assert updated.out == f"project {project}: tags, external ids, owner changed\n"
    assert cli("project", "update", project, "--tag", "vip").out == f"project {project} is so already\n"
    assert cli("project", "list", "--tag", project, "--json").data == []
    shown = cli("project", "show", project)
    assert (shown.code, shown.err) == (0, "")
    assert ["ids:", "bigquery=a=b,", "yespo=123"] in rows(shown.out)
    assert ["owner:", f"anna-{project}"] in rows(shown.out)
    assert ["sites:", "none"] in rows(shown.out)

    assert cli("project", "archive", project).out == f"project {project} is archived\n"
    assert cli("project", "archive", project).out == f"project {project} is archived already\n"
    refused = cli("site", "add", str(make_directory(project)), "--project", project)
    assert (refused.code, refused.hint) == (4, f"vpsctl project archive {project} --undo")
    assert project not in cli("project", "list").out
    assert [row[-1] for row in rows(cli("project", "list", "--all").out) if row[0] == project] == ["archived"]
    assert cli("project", "archive", project, "--undo").out == f"project {project} is in use\n"

    assert cli("project", "remove", project).code == 2  # nobody can be asked
    assert cli("project", "remove", project, "--yes").out == f"project {project} is removed\n"
    assert cli("project", "show", project).code == 3


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("add", "Acme"), 2, "'Acme' is not a project's name"),
        (("add", "acme-x", "--id", "yespo"), 2, "--id yespo has no '='"),
        (("add", "acme-x", "--tag", "A"), 2, "'A' is not a tag"),
        (("add", "acme-x", "--owner", "nobody-at-all"), 3, "there is no user nobody-at-all"),
        (("update", "acme-x", "--name", "x"), 3, "there is no project acme-x"),
        (("show", "acme-x"), 3, "there is no project acme-x"),
        (("archive", "acme-x"), 3, "there is no project acme-x"),
        (("remove", "acme-x", "--yes"), 3, "there is no project acme-x"),
    ],
)
def test_what_is_refused(cli: Vpsctl, words: tuple[str, ...], code: int, told: str) -> None:
    refused = cli("project", *words)
    assert (refused.code, refused.sentence) == (code, told)


def test_a_projects_sites_their_spend_and_why_they_need_a_deploy(
    cli: Vpsctl, project: str, tokened: tuple[str, Path], foundation: App
) -> None:
    site, _ = tokened
    assert cli("deploy", site).code == 0
    container = Names(foundation.settings.instance, site).container("app", 1, 1)
    foundation.engine.exec(container, ["dd", "if=/dev/zero", "of=/data/blob", "bs=1M", "count=3"])

    found = cli("project", "show", project, "--json").data
    assert (found["project"]["sites"], found["notes"]) == ([site], [])
    assert [(item["name"], item["version"]) for item in found["project"]["credentials"]] == [("TOKEN", 1)]
    spend = found["spend"]
    assert (spend["containers"], spend["memory_caps"], spend["uncapped"]) == (1, 64 * 1024**2, 0)
    assert 0 < spend["memory"] < 64 * 1024**2
    assert spend["volumes"] >= 3 * 1024**2
    image = foundation.engine.image(foundation.engine.container(container).image_id)
    assert spend["images"] == image.size
    text = cli("project", "show", project).out
    assert ["TOKEN", "password", "1", "-", "-"] in rows(text)
    assert "of 64.0 MiB that they may take" in text
    assert cli("project", "show", project, "--no-volumes", "--json").data["spend"]["volumes"] is None
    offline = cli("project", "show", project, VPSCTL_DOCKER_HOST=NOWHERE)
    assert (offline.code, ["sites:", site] in rows(offline.out)) == (0, True)
    assert offline.err.startswith("note: memory and disk are not shown: ")
    kept = cli("project", "remove", project)  # nobody is asked before
    assert (kept.code, kept.sentence) == (4, f"project {project} still has site {site} and credential TOKEN")

    assert f"{site}: needs deploy" not in cli("status").out
    set_credential(foundation, "TOKEN", Secret("hunter22"), project=project)
    assert f"{site}: needs deploy: TOKEN 1→2: vpsctl deploy {site}" in cli("status").out.splitlines()
    assert _pending(cli, site) == [["TOKEN 1→2"]] * 3
    assert ["needs", "deploy:", "TOKEN", "1→2"] in rows(cli("site", "show", site).out)
    assert "needs deploy: TOKEN 1→2" in cli("site", "list").out
    assert cli("deploy", site).code == 0
    assert _pending(cli, site) == [[]] * 3


def _pending(cli: Vpsctl, site: str) -> list[list[str]]:
    """As status, the list and the site itself tell it."""
    listed = [*cli("status", "--json").data["sites"], *cli("site", "list", "--json").data]
    told = [item["pending"] for item in listed if item["name"] == site]
    return [*told, cli("site", "show", site, "--json").data["pending"]]
