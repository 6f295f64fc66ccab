"""Corners of deploying that a review found open: two databases over one volume, routes left wrong, ways back lost."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial

import docker
import pytest
from sqlalchemy import select, text

from tests.machine import free_ports
from tests.operations.deploy import test_deploy
from tests.operations.deploy.conftest import COMPOSE, MakeSite, Site
from tests.operations.deploy.cut import cut_off_engine
from tests.operations.deploy.test_failure import at_step
from tests.operations.deploy.test_kill import WITH_DATABASE, killed_at
from tests.waiting import wait_for
from vpsctl.app import App
from vpsctl.credentials.remove import remove_credential
from vpsctl.credentials.set import set_credential
from vpsctl.db.models import Release, Run
from vpsctl.db.models import Site as SiteRow
from vpsctl.docker_engine.types import ContainerSpec
from vpsctl.errors import Conflict, Failed, Invalid, NotFound, Unavailable, VpsctlError
from vpsctl.run_history import list_runs
from vpsctl.secret import Secret
from vpsctl.sites import naming
from vpsctl.sites.deploy import deploy
from vpsctl.sites.environment import set_variables
from vpsctl.sites.lifecycle import restart_site, start_site, stop_site
from vpsctl.sites.maintenance import set_maintenance
from vpsctl.sites.preview import preview
from vpsctl.sites.rollback import rollback
from vpsctl.sites.routing import sync_routes
from vpsctl.sites.scale import scale
from vpsctl.sites.settle import abort, resume
from vpsctl.sites.show import show_site

BRISK = COMPOSE.replace("bake: 1s", "bake: 200ms")
DATABASE = test_deploy.DATABASE.replace("bake: 1s", "bake: 200ms")


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    return make_site(BRISK)


def rewrite(site: Site, old: str, new: str) -> None:
    text = (site.directory / "compose.yaml").read_text()
    assert old in text
    site.write(text.replace(old, new))


def interrupted_at(site: Site, step: str) -> None:
    """A deploy that Ctrl-C ends at that step, and that goes back."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deploy(site.app, site.name, report=at_step(step, interrupt))


@contextmanager
def watched(client: docker.DockerClient, site: Site, *services: str) -> Iterator[list[int]]:
    """How many containers of these services run, anew at each start and end, by the engine's own account.

    Listened to meanwhile: the engine remembers no more than the last 256 events.
    """
    up = {item.id for service in services for item in site.observe().running(service)}
    counts: list[int] = []
    events = client.events(filters={"label": [f"{naming.SITE}={site.name}"], "event": ["start", "die"]}, decode=True)

    def listen() -> None:
        for event in events:
            if event["Actor"]["Attributes"][naming.SERVICE] in services:
                (up.add if event["Action"] == "start" else up.discard)(event["id"])
                counts.append(len(up))

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        yield counts
    finally:
        events.close()
        thread.join()


def db_names(site: Site) -> list[str]:
    return [name for name in site.running() if name.startswith("d")]


def test_one_database_whatever_is_done_to_it(make_site: MakeSite) -> None:
    """It is kept from r1 on: scaled, stopped and deployed, there is one, and after a deploy it runs."""
    site = make_site(DATABASE)
    for _ in range(2):
        deploy(site.app, site.name)
    scale(site.app, site.name, "db", 1)
    assert db_names(site) == ["db-r1-1"]
    with pytest.raises(Invalid):
        scale(site.app, site.name, "db", 2)
    stop_site(site.app, site.name)
    deploy(site.app, site.name)
    assert site.running() == ["app-r3-1", "db-r1-1"]


def test_a_database_that_is_renamed_over_its_volume(make_site: MakeSite, docker_client: docker.DockerClient) -> None:
    site = make_site(DATABASE)
    deploy(site.app, site.name)
    rewrite(site, "  db:\n    image", "  database:\n    image")
    set_variables(site.app, site.name, {"CRASH": "1"})
    with watched(docker_client, site, "db", "database") as counts, site.traffic() as seen:
        with pytest.raises(Failed):
            deploy(site.app, site.name)
        assert site.running() == ["app-r1-1", "db-r1-1"]
        set_variables(site.app, site.name, {"CRASH": ""})
        deploy(site.app, site.name)
    assert site.running() == ["app-r3-1", "database-r3-1"]
    assert seen.failed == []
    assert counts == [0, 1, 0, 1, 0, 1]


@pytest.mark.parametrize("act", [start_site, restart_site])
def test_starting_after_a_kill_that_left_the_new_database(
    make_site: MakeSite, act: Callable[..., object], docker_client: docker.DockerClient
) -> None:
    site = make_site(WITH_DATABASE)
    deploy(site.app, site.name)
    set_variables(site.app, site.name, {"MAXMEMORY": "20mb"})
    with watched(docker_client, site, "db") as counts:
        killed_at(site, "pre-deploy")
        assert db_names(site) == ["db-r2-1"]
        act(site.app, site.name)
    assert db_names(site) == ["db-r1-1"]
    assert site.get().text == "1"
    assert max(counts) == 1


def test_scaling_touches_no_container_that_serves(site: Site) -> None:
    deploy(site.app, site.name)
    first = site.observe().running("app")[0]
    answers: list[str] = []
    slow = threading.Thread(target=lambda: answers.append(site.get("/slow?seconds=2").text))
    slow.start()
    wait_for(lambda: site.app.proxy.in_flight([f"{first.name}:8000"]) == 1, "request in flight")
    scale(site.app, site.name, "app", 2)
    slow.join()
    assert answers == ["slow 1"]
    assert site.observe().running("app")[0].id == first.id
    # One that cannot be made: what was begun is taken back.
    image = first.image_id
    site.app.engine.create(
        ContainerSpec(site.names.container("app", 1, 4), image, labels={"vpsctl.instance": site.names.instance})
    )
    try:
        with pytest.raises(Conflict, match="app-r1-4"):
            scale(site.app, site.name, "app", 4)
    finally:
        site.app.engine.remove(site.names.container("app", 1, 4))
    assert site.running() == ["app-r1-1", "app-r1-2"]
    assert show_site(site.app, site.name).scale == {"app": 2}


def test_going_back_brings_the_route_back(site: Site) -> None:
    deploy(site.app, site.name)
    before = (site.directory / "compose.yaml").read_text()
    route = [item for item in site.app.proxy.routes() if item.site == site.name]
    rewrite(site, f'"{site.name}.test"', f'"{site.name}.other"')
    interrupted_at(site, "drain")
    assert [item for item in site.app.proxy.routes() if item.site == site.name] == route
    assert site.get().text == "1"
    site.write(before.replace("  web:", "  # web:"))
    interrupted_at(site, "bake")
    assert [item for item in site.app.proxy.routes() if item.site == site.name] == route
    assert site.get().text == "1"


def test_going_back_to_a_release_without_a_web_service(make_site: MakeSite) -> None:
    site = make_site(BRISK.replace("  web:", "  # web:"))
    deploy(site.app, site.name)
    rewrite(site, "  # web:", "  web:")
    interrupted_at(site, "drain")
    assert site.running() == ["app-r1-1"]
    assert site.app.proxy.current(site.name) is None
    assert site.name not in [route.site for route in site.app.proxy.routes()]


def test_a_web_service_on_a_network_of_its_own(make_site: MakeSite) -> None:
    site = make_site(
        BRISK.replace("    deploy:", "    networks: [front]\n    deploy:").replace(
            "x-vpsctl:", "networks: {{front: {{}}}}\nx-vpsctl:"
        )
    )
    deploy(site.app, site.name)
    interrupted_at(site, "bake")
    assert site.running() == ["app-r1-1"]
    restart_site(site.app, site.name)
    assert site.get().text == "1"


def test_what_could_not_be_taken_back_can_be_taken_back_later(site: Site) -> None:
    deploy(site.app, site.name)
    set_credential(site.app, "REVIEW_PASSWORD", Secret("x" * 12))
    rewrite(site, "x-vpsctl:", "x-vpsctl:\n  secrets: [REVIEW_PASSWORD]")
    killed_at(site, "probe")
    remove_credential(site.app, "REVIEW_PASSWORD")
    with pytest.raises(NotFound, match="REVIEW_PASSWORD"):
        resume(site.app, site.name)
    with cut_off_engine(site.app) as (app, cut):
        app.engine.info()
        cut()
        with pytest.raises(Unavailable):
            abort(app, site.name)
    assert abort(site.app, site.name).outcome == "undone"
    assert site.running() == ["app-r1-1"]


def test_a_release_that_did_not_last_is_not_gone_back_to(site: Site) -> None:
    for version in "12":
        set_variables(site.app, site.name, {"VERSION": version})
        deploy(site.app, site.name)
    set_variables(site.app, site.name, {"VERSION": "3"})
    answers: list[str] = []
    slow = threading.Thread(target=lambda: answers.append(site.get("/slow?seconds=2").text))
    hit = f"{site.names.container('app', 3, 1)}:8000"

    def interrupt() -> None:
        slow.start()
        wait_for(lambda: site.app.proxy.in_flight([hit]) == 1, "request in flight")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deploy(site.app, site.name, report=at_step("bake", interrupt))
    slow.join()
    assert answers == ["slow 3"]
    assert site.get().text == "2"
    rollback(site.app, site.name)
    assert site.get().text == "1"


def test_an_old_release_that_has_restarted_often_still_serves(site: Site) -> None:
    deploy(site.app, site.name)
    app = site.observe().running("app")[0]
    for count in (1, 2, 3):
        assert site.get().text == "1"  # only then it has its handler for the signal
        site.app.engine.exec(app.id, ["python3", "-c", "import os; os.kill(1, 15)"])
        wait_for(partial(_has_restarted, site, app.id, count), "restart")
    interrupted_at(site, "drain")
    assert site.running() == ["app-r1-1"]
    assert list_runs(site.app, site.name)[0].state == "failed"
    assert show_site(site.app, site.name).interrupted == ()


def _has_restarted(site: Site, container: str, count: int) -> bool:
    found = site.app.engine.container(container)
    return found.restart_count == count and found.state == "running"


def test_logs_that_cannot_be_read_do_not_keep_it_from_going_back(make_site: MakeSite) -> None:
    site = make_site(
        BRISK.replace("    deploy:", "    logging: {{driver: none}}\n    deploy:")
        + "  pre_deploy: {{command: [python3, -c, pass]}}\n"
    )
    deploy(site.app, site.name)
    set_variables(site.app, site.name, {"CRASH": "1"})
    with pytest.raises(Failed, match="r1 still serves"):
        deploy(site.app, site.name)
    assert [item.name for item in site.observe().containers] == [site.names.container("app", 1, 1)]


def test_a_site_that_a_killed_restart_left_waiting(site: Site) -> None:
    deploy(site.app, site.name)
    for act in (start_site, restart_site):
        site.app.proxy.hold(site.name)
        act(site.app, site.name)
        assert site.get().text == "1"


def test_a_one_shot_service_is_not_run_again_by_going_back(make_site: MakeSite) -> None:
    site = make_site(
        BRISK.replace(
            "    deploy:", "    depends_on: {{migrate: {{condition: service_completed_successfully}}}}\n    deploy:"
        ).replace("services:\n", "services:\n  migrate: {{image: '{image}', command: [python3, -c, pass]}}\n")
    )
    deploy(site.app, site.name)
    ran = site.observe().of("migrate")[0].started
    interrupted_at(site, "drain")
    restart_site(site.app, site.name)
    assert [item.started for item in site.observe().of("migrate")] == [ran]
    assert site.get().text == "1"


def test_a_ledger_older_than_what_serves(site: Site) -> None:
    """Postgres restored from a backup: numbers are not given twice, and what serves is what is gone back to."""
    for version in "12":
        set_variables(site.app, site.name, {"VERSION": version})
        deploy(site.app, site.name)
    with site.app.database.transaction() as session:
        row = session.scalars(select(SiteRow).where(SiteRow.name == site.name)).one()
        first = session.scalars(select(Release).where(Release.site_id == row.id, Release.number == 1)).one()
        row.current_release_id = first.id
        session.flush()
        session.delete(session.scalars(select(Release).where(Release.site_id == row.id, Release.number == 2)).one())
    assert preview(site.app, site.name).release == 3
    interrupted_at(site, "bake")
    assert site.get().text == "2"
    assert site.running() == ["app-r2-1"]
    set_variables(site.app, site.name, {"VERSION": "3"})
    deploy(site.app, site.name)
    assert site.get().text == "3"
    assert len(site.running()) == 1


def test_an_interrupted_deploy_that_later_ones_have_overtaken(site: Site) -> None:
    deploy(site.app, site.name)
    killed_at(site, "probe")
    run = list_runs(site.app, site.name)[0].id
    _set_state(site, run, "failed")
    set_variables(site.app, site.name, {"VERSION": "3"})
    deploy(site.app, site.name)
    _set_state(site, run, "running")
    with site.traffic() as seen:
        deploy(site.app, site.name)
    assert seen.versions == {"3"}
    assert seen.failed == []
    assert site.running() == ["app-r4-1"]
    assert show_site(site.app, site.name).interrupted == ()


def _set_state(site: Site, run: int, state: str) -> None:
    with site.app.database.transaction() as session:
        session.get_one(Run, run).state = state


def test_a_lock_that_is_lost_lets_nobody_else_in_meanwhile(site: Site) -> None:
    deploy(site.app, site.name)
    refused: list[VpsctlError] = []

    def lose() -> None:
        with site.app.database.transaction() as session:
            session.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name LIKE '%deploy run%' AND datname = current_database()"
                )
            )
        with suppress(Unavailable):
            site.app.database.lock_held("x")  # a pooled connection may have gone too
        with pytest.raises(Conflict) as caught:
            deploy(site.app, site.name)
        refused.append(caught.value)

    with pytest.raises(Unavailable, match="lock"):
        deploy(site.app, site.name, report=at_step("probe", lose))
    assert "goes on" in refused[0].message
    assert site.running() == ["app-r1-1"]
    assert deploy(site.app, site.name).release == 3


def test_collecting_leaves_what_a_release_that_is_kept_needs(make_site: MakeSite) -> None:
    """r2 goes on with the database of r1, which is past retain when r3 has changed it."""
    site = make_site(WITH_DATABASE.replace("retain: 2", "retain: 1"))
    for _ in range(3):
        deploy(site.app, site.name)
    set_variables(site.app, site.name, {"MAXMEMORY": "20mb"})
    killed_at(site, "after collect")
    abort(site.app, site.name)
    assert site.running() == ["app-r3-1", "db-r1-1"]


def test_nobody_waits_while_the_new_release_can_go_on_serving(make_site: MakeSite) -> None:
    """The old one, stopped already, starts beside it: a request would wait for as long as that takes, and then fail."""
    site = make_site(BRISK.replace("{{VERSION: ", "{{BOOT: '1', VERSION: "))
    deploy(site.app, site.name)
    killed_at(site, "collect")
    held: list[bool] = []
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(0.01):
            held.append(site.app.proxy.held(site.name))

    looking = threading.Thread(target=look)
    looking.start()
    with site.traffic() as seen:
        assert abort(site.app, site.name).serving == 1
    ended.set()
    looking.join()
    assert seen.failed == []
    assert len(held) > 10
    assert not any(held)


def test_what_the_site_asks_for_from_the_machine(make_site: MakeSite) -> None:
    """A port that no program has, and the port of another service of its own; the page that a lost route had."""
    (first,) = free_ports(1)
    site = make_site(BRISK.replace("    deploy:", "    ports: ['9000']\n    deploy:"))
    set_maintenance(site.app, site.name, "Soon")
    with (
        App(replace(site.app.settings, port_first=first, port_last=first + 50), site.app.actor) as app,
        socket.socket() as taken,
    ):
        taken.bind(("127.0.0.1", first))
        site.app.proxy.forget(site.name)
        deploy(app, site.name)
        given = site.observe().running("app")[0].ports[0].host_port
        assert given not in (None, first)
    assert site.get().status_code == 503
    set_maintenance(site.app, site.name, None)
    assert site.get().text == "1"


def test_going_back_to_the_holder_of_a_port_killed_half_way(make_site: MakeSite) -> None:
    """One container at a time can have it: the new one goes, then the old one starts, and requests wait."""
    site = make_site(BRISK.replace("    deploy:", "    ports: ['9000']\n    deploy:"))
    deploy(site.app, site.name)
    port = site.observe().running("app")[0].ports
    with site.traffic() as seen:
        interrupted_at(site, "bake")
    assert seen.failed == []
    assert site.observe().running("app")[0].ports == port
    set_variables(site.app, site.name, {"CRASH": "1"})
    killed_at(site, "going back")
    site.app.proxy.hold(site.name)
    assert abort(site.app, site.name).serving == 1
    assert site.get().text == "1"
    assert site.running() == ["app-r1-1"]


def test_a_site_that_cannot_be_read_keeps_no_other_from_its_route(make_site: MakeSite) -> None:
    good, bad = make_site(BRISK), make_site(BRISK)
    for site in (good, bad):
        deploy(site.app, site.name)
    with bad.app.database.transaction() as session:
        row = session.scalars(select(SiteRow).where(SiteRow.name == bad.name)).one()
        session.get_one(Release, row.current_release_id).compose = "services: {}"
    good.app.proxy.ensure_routes([], remove=[good.name, bad.name])
    synced = sync_routes(good.app)
    assert bad.name in synced.unread
    assert good.get().text == bad.get().text == "1"
