"""Deploying on a real engine, through a real Caddy: what serves, what stays, what is left behind."""

import threading
from datetime import timedelta

import docker
import pytest

from tests.operations.deploy.conftest import COMPOSE, STEPS, MakeSite, Site
from vpsctl.errors import Conflict, Failed, Invalid, NotFound
from vpsctl.run_events import Event, StepStarted
from vpsctl.sites.deploy import Options, deploy
from vpsctl.sites.environment import set_variables
from vpsctl.sites.lifecycle import restart_site, start_site, stop_site
from vpsctl.sites.maintenance import set_maintenance
from vpsctl.sites.preview import preview
from vpsctl.sites.releases import list_releases
from vpsctl.sites.rollback import rollback
from vpsctl.sites.scale import scale
from vpsctl.sites.show import show_site


def test_the_first_deploy_serves(site: Site) -> None:
    result = deploy(site.app, site.name)
    assert (result.release, result.previous) == (1, None)
    assert site.get().text == "1"
    assert site.running() == ["app-r1-1"]


def test_a_second_deploy_loses_no_request_and_keeps_the_old_container_stopped(site: Site) -> None:
    deploy(site.app, site.name)
    set_variables(site.app, site.name, {"VERSION": "2"})
    with site.traffic() as seen:
        result = deploy(site.app, site.name)
    assert seen.failed == []
    assert seen.versions == {"1", "2"}
    assert site.get().text == "2"
    assert (result.release, result.previous) == (2, 1)
    states = {item.name: item.state for item in site.observe().of("app")}
    assert set(states.values()) == {"running", "exited"}
    assert show_site(site.app, site.name).pending == ()


def test_every_step_is_in_the_run_in_order(site: Site) -> None:
    events: list[Event] = []
    deploy(site.app, site.name, report=events.append)
    names = [event.name for event in events if isinstance(event, StepStarted)]
    assert names == [name for name in STEPS if name != "pre-deploy"]


def test_a_request_in_flight_at_the_switch_completes(site: Site) -> None:
    deploy(site.app, site.name)
    answers: list[str] = []
    slow = threading.Thread(target=lambda: answers.append(site.get("/slow?seconds=3").text))

    def begin(event: Event) -> None:
        if isinstance(event, StepStarted) and event.name == "probe":
            slow.start()

    set_variables(site.app, site.name, {"VERSION": "2"})
    deploy(site.app, site.name, report=begin)
    slow.join()
    assert answers == ["slow 1"]


def test_prove_reports_its_own_traffic(site: Site) -> None:
    with pytest.raises(Invalid, match="serves nothing yet"):
        deploy(site.app, site.name, Options(prove=True))
    deploy(site.app, site.name)
    proof = deploy(site.app, site.name, Options(prove=True)).proof
    assert proof is not None
    assert proof.failed == 0
    assert proof.requests > 20


def test_rollback_brings_the_release_before_back(site: Site) -> None:
    deploy(site.app, site.name)
    set_variables(site.app, site.name, {"VERSION": "2"})
    deploy(site.app, site.name)
    result = rollback(site.app, site.name)
    assert (result.release, result.previous) == (3, 2)
    assert site.get().text == "1"
    assert rollback(site.app, site.name, to=2).release == 4
    assert site.get().text == "2"
    with pytest.raises(NotFound, match="no release r99"):
        rollback(site.app, site.name, to=99)


def test_rollback_without_an_earlier_release_says_so(site: Site) -> None:
    deploy(site.app, site.name)
    with pytest.raises(NotFound, match="no earlier release"):
        rollback(site.app, site.name)


def test_releases_past_retain_leave_nothing_behind(site: Site) -> None:
    for _ in range(5):
        deploy(site.app, site.name)
    kept = {item.labels["vpsctl.release"] for item in site.observe().containers}
    assert kept == {"3", "4", "5"}
    tags = [tag for image in site.app.engine.images() for tag in image.tags if f"/{site.name}/" in tag]
    assert sorted(tag.rpartition(":")[2] for tag in tags) == ["r3", "r4", "r5"]
    assert [item.number for item in list_releases(site.app, site.name)] == [5, 4, 3, 2, 1]


def test_two_deploys_of_one_site_conflict_and_say_who(site: Site) -> None:
    deploy(site.app, site.name)
    refused: list[Conflict] = []

    def collide(event: Event) -> None:
        if isinstance(event, StepStarted) and event.name == "probe":
            with pytest.raises(Conflict, match="deploy run") as caught:
                deploy(site.app, site.name)
            refused.append(caught.value)

    deploy(site.app, site.name, report=collide)
    assert len(refused) == 1


def test_different_sites_deploy_at_the_same_time(make_site: MakeSite) -> None:
    first, second = make_site(), make_site()
    meeting = threading.Barrier(2, timeout=30)

    def meet(event: Event) -> None:
        if isinstance(event, StepStarted) and event.name == "switch":
            meeting.wait()

    results: list[int] = []
    threads = [
        threading.Thread(target=lambda one=one: results.append(deploy(one.app, one.name, report=meet).release))
        for one in (first, second)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [1, 1]
    assert first.get().status_code == second.get().status_code == 200


DATABASE = COMPOSE.replace(
    "services:\n",
    """services:
  db:
    image: redis:7-alpine
    command: [redis-server, --appendonly, "yes", --maxmemory, "${{MAXMEMORY:-10mb}}"]
    volumes: ["db:/data"]
    deploy: {{resources: {{limits: {{memory: 64M}}}}}}
""",
).replace("x-vpsctl:", "volumes: {{db: {{}}}}\nx-vpsctl:")


def test_a_database_is_recreated_only_when_its_definition_changed(make_site: MakeSite) -> None:
    site = make_site(DATABASE)
    deploy(site.app, site.name)
    db = site.observe().running("db")[0]
    site.app.engine.exec(db.id, ["redis-cli", "set", "kept", "yes"])
    deploy(site.app, site.name)
    assert site.observe().running("db")[0].id == db.id
    set_variables(site.app, site.name, {"MAXMEMORY": "20mb", "VERSION": "3"})
    with site.traffic() as seen:
        deploy(site.app, site.name)
    again = site.observe().running("db")
    assert [item.labels["vpsctl.release"] for item in again] == ["3"]
    assert site.app.engine.exec(again[0].id, ["redis-cli", "get", "kept"]).output.strip() == "yes"
    assert seen.failed == []


def test_scaling_adds_and_takes_away_containers_under_traffic(site: Site) -> None:
    deploy(site.app, site.name)
    first = site.observe().running("app")[0].id
    with site.traffic() as seen:
        assert scale(site.app, site.name, "app", 3).before == 1
        assert site.running() == ["app-r1-1", "app-r1-2", "app-r1-3"]
        current = site.app.proxy.current(site.name)
        assert current is not None
        assert len(current.addresses) == 3
        scale(site.app, site.name, "app", 2)
    assert seen.failed == []
    assert site.running() == ["app-r1-1", "app-r1-2"]
    assert site.observe().running("app")[0].id == first
    deploy(site.app, site.name)
    assert site.running() == ["app-r2-1", "app-r2-2"]
    with pytest.raises(Invalid, match="1 to 12"):
        scale(site.app, site.name, "app", 0)
    with pytest.raises(Invalid, match="no service 'worker'"):
        scale(site.app, site.name, "worker", 2)


def test_stop_start_and_restart(site: Site) -> None:
    deploy(site.app, site.name)
    stop_site(site.app, site.name)
    assert site.running() == []
    start_site(site.app, site.name)
    assert site.get().text == "1"
    with site.traffic() as seen:
        restart_site(site.app, site.name)
    assert seen.failed == []


def test_maintenance_shows_a_page_and_a_deploy_goes_through_it(site: Site) -> None:
    deploy(site.app, site.name)
    set_maintenance(site.app, site.name, "Back at <nine>")
    page = site.get()
    assert page.status_code == 503
    assert "Back at &lt;nine&gt;" in page.text
    deploy(site.app, site.name)
    assert site.get().status_code == 503
    set_maintenance(site.app, site.name, None)
    assert site.get().text == "1"


def test_a_pre_deploy_command_that_fails_stops_the_deploy(make_site: MakeSite) -> None:
    site = make_site(
        COMPOSE + "  pre_deploy: {{command: [python3, -c, 'import sys; print(\"no table\"); sys.exit(3)'], timeout: 20s}}\n"
    )
    with pytest.raises(Failed, match="exit code 3"):
        deploy(site.app, site.name)
    assert site.observe().containers == ()
    assert site.get().status_code == 404


def test_a_published_port_is_handed_out_bound_to_loopback_and_kept(make_site: MakeSite) -> None:
    site = make_site(COMPOSE.replace("    deploy:", "    ports: ['9000', '8000']\n    deploy:"))
    deploy(site.app, site.name)
    ports = site.observe().running("app")[0].ports
    assert [(port.container_port, port.host_ip) for port in ports] == [(9000, "127.0.0.1")]
    given = ports[0].host_port
    with site.traffic() as seen:
        deploy(site.app, site.name)
    assert site.observe().running("app")[0].ports[0].host_port == given
    assert seen.failed == []


def test_a_preview_changes_nothing(site: Site) -> None:
    plan = preview(site.app, site.name)
    assert [(change.service, change.action) for change in plan.changes] == [("app", "create")]
    assert plan.route is not None
    assert plan.route.reload
    assert site.observe().containers == ()
    deploy(site.app, site.name)
    plan = preview(site.app, site.name)
    assert [(change.service, change.action) for change in plan.changes] == [("app", "replace")]
    assert plan.route is not None
    assert not plan.route.reload


def test_another_image_by_name(site: Site, web_image: str) -> None:
    deploy(site.app, site.name)
    site.app.engine.tag(web_image, f"vpsctl-test-other:{site.name}")
    deploy(site.app, site.name, Options(image=f"vpsctl-test-other:{site.name}"))
    assert list_releases(site.app, site.name)[0].source["image"] == f"vpsctl-test-other:{site.name}"
    site.app.engine.remove_image(f"vpsctl-test-other:{site.name}")
    assert site.get().text == "1"
    assert rollback(site.app, site.name, to=2).release == 3


def test_the_switch_is_timed(site: Site) -> None:
    result = deploy(site.app, site.name)
    assert result.switch_time is not None
    assert 0 < result.switch_time < timedelta(seconds=5).total_seconds()


def test_a_container_that_the_operator_runs_from_a_sites_image_is_not_the_sites(
    make_site: MakeSite, docker_client: docker.DockerClient
) -> None:
    site = make_site()
    (site.directory / "Dockerfile").write_text('FROM busybox:latest\nCMD ["sleep", "600"]\n')
    text = (site.directory / "compose.yaml").read_text()
    worker = "  worker:\n    build: .\n    init: true\n    deploy: {resources: {limits: {memory: 16M}}}\nx-vpsctl:"
    site.write(text.replace("x-vpsctl:", worker))
    deploy(site.app, site.name)
    own = docker_client.containers.run(site.names.image("worker", 1), detach=True, init=True)
    try:
        assert own.name not in {item.name for item in site.observe().containers}
        deploy(site.app, site.name)
        own.reload()
        assert own.status == "running"
    finally:
        own.remove(force=True)
