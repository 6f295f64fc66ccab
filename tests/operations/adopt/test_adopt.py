"""Taking over an app and its database: untouched by it, replaced by the next deploy, back after a failed one."""

from pathlib import Path

import docker
import pytest
from sqlalchemy import update

from tests.operations.adopt.conftest import PASSWORD, Stranger, started
from tests.waiting import wait_for
from vpsctl.app import App
from vpsctl.audit.list import Wanted as Audited
from vpsctl.audit.list import list_audit
from vpsctl.credentials.list import list_credentials
from vpsctl.credentials.read import read_credentials
from vpsctl.db.models import Release
from vpsctl.docker_engine.types import Container
from vpsctl.errors import Conflict, Failed
from vpsctl.hosts.status import status
from vpsctl.sites.adopt.adopt import AdoptedSite, adopt
from vpsctl.sites.adopt.record import read_adoption
from vpsctl.sites.deploy import deploy
from vpsctl.sites.exec import find_running
from vpsctl.sites.lifecycle import restart_site
from vpsctl.sites.logs import Wanted, read_logs
from vpsctl.sites.preview import preview
from vpsctl.sites.releases import list_releases
from vpsctl.sites.remove import remove_site
from vpsctl.sites.rollback import rollback
from vpsctl.sites.scale import scale
from vpsctl.sites.show import show_site

QUICK = "x-vpsctl:\n  update: {deploy_timeout: 15s, drain_timeout: 5s, bake: 300ms}\n"


def edit(result: AdoptedSite, before: str, after: str) -> None:
    text = edited(result)
    assert before in text
    Path(result.file).write_text(text.replace(before, after))


def edited(result: AdoptedSite) -> str:
    return Path(result.file).read_text()


@pytest.fixture
def pair(stranger: Stranger) -> tuple[Container, Container]:
    database = stranger.database()
    # The app knows its database by a network alias, and its environment by a text that a compose file must not change.
    return stranger.run("app", environment={"DATABASE": "postgres", "TEXT": "a$b ${c} 'd\""}, restart="always"), database


def test_the_whole_way(stranger: Stranger, docker_client: docker.DockerClient, pair: tuple[Container, Container]) -> None:
    app, (web, database) = stranger.app, pair
    before = started(docker_client, web, database)
    wish = stranger.wish(web, database)
    site = wish.name

    result = adopt(app, wish)

    assert started(docker_client, web, database) == before
    service, data = f"{stranger.prefix}-app", f"{stranger.prefix}-db"
    assert result.containers == {service: (web.name,), data: (database.name,)}
    assert stranger.ask(site).text == f"{web.id[:12]} a$b ${{c}} 'd\""
    assert PASSWORD not in result.compose and PASSWORD not in repr(result)
    assert read_credentials(app, ["POSTGRES_PASSWORD"], project=stranger.prefix)["POSTGRES_PASSWORD"][0].reveal() == PASSWORD
    _is_release_zero(stranger, site, web, database)
    (row,) = list_audit(app, Audited(target=f"site:{site}"))
    assert (row.action, row.run_id, row.fields["project"]) == ("site.adopt", result.run, stranger.prefix)
    kept = list_audit(app, Audited(action="credential.set", target=f"credential:{stranger.prefix}/*"))
    assert sorted(row.target.rpartition("/")[2] for row in kept) == sorted(result.credentials)

    edit(result, "x-vpsctl:\n", QUICK)
    changes = {change.service: change for change in preview(app, site).changes}
    assert changes[service].action == "replace"
    assert changes[data].action == "recreate" and "adopted" in changes[data].reason
    with stranger.traffic(site) as seen:
        wait_for(lambda: len(seen) > 20, "requests before the deploy")
        done = deploy(app, site)
        count = len(seen)
        wait_for(lambda: len(seen) > count + 20, "requests after the deploy")
    assert (done.previous, done.release) == (0, 1)
    assert [answer for answer in seen if answer[0] != 200] == []
    assert seen[0][1] == f"{web.id[:12]} a$b ${{c}} 'd\"" and seen[-1][1].endswith(" a$b ${c} 'd\"")
    assert seen[-1][1] != seen[0][1]
    made = f"{app.settings.instance}-{site}-{data}-r1-1"
    assert stranger.psql(made, "SELECT x FROM t", "-h", "127.0.0.1") == (0, "kept")
    assert app.engine.container(made).mounts[0].source == database.mounts[0].source
    assert [running for *_, running in started(docker_client, web, database)] == [False, False]
    ended, begun = app.engine.container(database.id).finished, app.engine.container(made).started
    assert ended is not None and begun is not None and ended < begun, "two servers ran over one data directory"
    # `always` would start it again when the engine starts, beside the one that has replaced it.
    assert app.engine.container(web.id).restart == "unless-stopped"

    with app.database.transaction() as session:  # release 0 would be watched for 30 s, as its file says nothing else
        session.execute(
            update(Release).where(Release.number == 0, Release.run_id == result.run).values(compose=edited(result))
        )
    back = rollback(app, site)
    assert back.release == 2 and stranger.ask(site).status_code == 200
    removed = remove_site(app, site, with_data=True)
    assert sorted(removed.left) == sorted([web.name, database.name])
    for item in (web, database):
        assert set(app.engine.container(item.id).aliases) == {stranger.prefix}
        app.engine.start(item.id)
    wait_for(lambda: stranger.psql(database.id, "SELECT x FROM t") == (0, "kept"), "the data in the adopted container")
    assert read_adoption(app.settings.home, site) == ()


def _is_release_zero(stranger: Stranger, site: str, web: Container, database: Container) -> None:
    """Every command treats them as the site's own, but those that would remove one."""
    app = stranger.app
    shown = show_site(app, site)
    assert (shown.release, shown.serving, shown.pending) == (0, 0, ())
    assert {(item.name, item.release, item.state) for item in shown.containers} == {
        (web.name, 0, "running"),
        (database.name, 0, "running"),
    }
    seen = next(item for item in status(app).sites if item.name == site)
    assert (seen.state, seen.release, seen.running, seen.wanted) == ("serving", 0, 2, 2)
    assert find_running(app, site, None).id == web.id
    assert {line.container for line in read_logs(app, site, Wanted())} == {web.name, database.name}
    assert [(item.number, item.current) for item in list_releases(app, site)] == [(0, True)]
    with pytest.raises(Conflict, match="was adopted"):
        scale(app, site, f"{stranger.prefix}-app", 2)


def test_a_failed_deploy_brings_them_back(
    stranger: Stranger, docker_client: docker.DockerClient, pair: tuple[Container, Container]
) -> None:
    app, (web, database) = stranger.app, pair
    wish = stranger.wish(web, database)
    result = adopt(app, wish)
    edit(result, "x-vpsctl:\n", QUICK)
    edit(result, "import os, signal, socket", "import os, signal, socket; os._exit(3)")
    with stranger.traffic(wish.name) as seen:
        with pytest.raises(Failed, match="keeps restarting.*r0 still serves"):
            deploy(app, wish.name)
        count = len(seen)
        wait_for(lambda: len(seen) > count + 20, "requests after the failed deploy")
    assert [answer for answer in seen if answer[0] != 200] == []
    assert {text.split()[0] for _, text in seen} == {web.id[:12]}
    assert [running for *_, running in started(docker_client, web, database)] == [True, True]
    assert stranger.psql(database.id, "SELECT x FROM t") == (0, "kept")
    assert [item.id for item in app.engine.containers(stranger.names(wish.name).labels())] == []
    assert (show_site(app, wish.name).release, show_site(app, wish.name).serving) == (0, 0)


def test_replicas_under_names_that_are_no_host_names(stranger: Stranger) -> None:
    labels = {"com.docker.compose.project": stranger.prefix, "com.docker.compose.service": "front"}
    both = [stranger.run(name, labels=labels) for name in ("Front.One", "Front.Two")]
    wish = stranger.wish(*both)
    result = adopt(stranger.app, wish)
    assert result.containers == {"front": tuple(item.name for item in both)}
    assert "replicas: 2" in result.compose
    wait_for(
        lambda: {stranger.ask(wish.name).text.split()[0] for _ in range(12)} == {item.id[:12] for item in both},
        "answers of both containers",
    )
    restart_site(stranger.app, wish.name)
    assert stranger.ask(wish.name).status_code == 200


def test_a_credential_of_another_site_is_left_alone(foundation: App, stranger: Stranger) -> None:
    one = stranger.run("one", environment={"API_TOKEN": "first value"})
    two = stranger.run("two", environment={"API_TOKEN": "second value"})
    wishes = [stranger.wish(one), stranger.wish(two)]
    first, second = (adopt(foundation, wish).credentials for wish in wishes)
    assert first == ("API_TOKEN",)
    assert second == (f"{wishes[1].name.upper()}_API_TOKEN",)
    found = read_credentials(foundation, ["API_TOKEN"], project=stranger.prefix)
    assert found["API_TOKEN"][0].reveal() == "first value"
    mine = next(item for item in list_credentials(foundation) if (item.name, item.project) == ("API_TOKEN", stranger.prefix))
    assert mine.used_by == (wishes[0].name,)
