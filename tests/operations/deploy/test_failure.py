"""What goes wrong in a deploy: each leaves the old release serving, nothing behind, and one sentence that says it."""

import os
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.operations.deploy.conftest import COMPOSE, MakeSite, Site
from tests.operations.deploy.cut import cut_off_engine
from vpsctl.app import App
from vpsctl.credentials.set import set_credential
from vpsctl.errors import Conflict, Failed, Invalid, NotFound, Unavailable, VpsctlError
from vpsctl.run_events import Event, StepStarted
from vpsctl.run_history import list_runs, show_run
from vpsctl.secret import Secret
from vpsctl.sites.deploy import Options, deploy
from vpsctl.sites.environment import set_variables
from vpsctl.sites.settle import abort, resume
from vpsctl.sites.show import show_site


def at_step(name: str, act: Callable[[], object]) -> Callable[[Event], None]:
    """A report that acts when the step begins."""

    def report(event: Event) -> None:
        if isinstance(event, StepStarted) and event.name == name:
            act()

    return report


def deployed(site: Site) -> Site:
    deploy(site.app, site.name)
    return site


def fails(site: Site, match: str, kind: type[VpsctlError] = Failed, **variables: str) -> VpsctlError:
    """Deploy with these variables under traffic: it fails with that sentence, and nobody who visits notices."""
    before = site.running()
    if variables:
        set_variables(site.app, site.name, variables)
    with site.traffic() as seen, pytest.raises(kind, match=match) as caught:
        deploy(site.app, site.name)
    assert seen.failed == []
    assert site.get().text == "1"
    assert site.running() == before
    assert all(item.state == "running" for item in site.observe().containers)
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    ("health", "sentence"),
    [
        ("404", r"answered 404, expected 200-399 \(set x-vpsctl.healthcheck.path to a page that answers\); r1 still serves"),
        ("500", r"answered 500, expected 200-399; r1 still serves"),
        ("never", r"did not answer within 1 s; r1 still serves"),
    ],
)
def test_a_health_path_that_does_not_answer_well(site: Site, health: str, sentence: str) -> None:
    fails(deployed(site), sentence, HEALTH=health)


def test_a_redirecting_health_path_counts_unless_the_site_says_2xx(make_site: MakeSite) -> None:
    site = make_site()
    set_variables(site.app, site.name, {"HEALTH": "301"})
    deployed(site)
    site.write((site.directory / "compose.yaml").read_text().replace("/healthz,", "/healthz, expect_status: 2xx,"))
    fails(
        site, r"answered 301, expected 200-299 \(it redirects to /login: set x-vpsctl.healthcheck.path to where it leads\)"
    )


def test_a_container_that_ends_at_once_leaves_its_last_words_in_the_run(site: Site) -> None:
    set_credential(site.app, "DEPLOY_TEST_PASSWORD", Secret("correct-horse-battery"))
    text = (site.directory / "compose.yaml").read_text()
    text = text.replace("{VERSION: ", "{PASSWORD: '${DEPLOY_TEST_PASSWORD}', VERSION: ")
    site.write(text.replace("x-vpsctl:", "x-vpsctl:\n  secrets: [DEPLOY_TEST_PASSWORD]"))
    fails(deployed(site), "ended: exit code 7|keeps restarting", CRASH="1")
    run = show_run(site.app, list_runs(site.app, site.name)[0].id)
    said = [line.text for line in run.lines if "cannot find the configuration" in line.text]
    assert said
    assert "[redacted]" in said[0]
    assert not any("correct-horse" in line.text for line in run.lines)


def test_a_container_that_dies_right_after_the_switch_is_rolled_back(site: Site) -> None:
    deployed(site)
    text = (site.directory / "compose.yaml").read_text()
    site.write(text.replace("bake: 1s", "bake: 20s"))
    set_variables(site.app, site.name, {"EXIT_AFTER": "4", "VERSION": "2"})
    with pytest.raises(Failed, match=r"ended \d+ s after the switch: .*; r1 still serves"):
        deploy(site.app, site.name)
    assert site.get().text == "1"
    assert site.running() == ["app-r1-1"]
    assert show_site(site.app, site.name).release == 1


def test_the_first_deploy_that_fails_leaves_nothing(site: Site) -> None:
    set_variables(site.app, site.name, {"HEALTH": "500"})
    with pytest.raises(Failed, match="nothing was serving before"):
        deploy(site.app, site.name)
    assert site.observe().containers == ()
    assert site.app.proxy.current(site.name) is None
    set_variables(site.app, site.name, {"HEALTH": "200"})
    deploy(site.app, site.name)
    assert site.get().text == "1"


def test_an_image_that_is_nowhere(site: Site) -> None:
    deployed(site)
    with pytest.raises((NotFound, Unavailable), match="nothing-of-this-name"):
        deploy(site.app, site.name, Options(image="nothing-of-this-name:1"))
    assert site.get().text == "1"


def test_a_dockerfile_that_fails(make_site: MakeSite) -> None:
    site = deployed(make_site())
    (site.directory / "Dockerfile").write_text("FROM busybox:latest\nRUN echo about to fail && exit 42\n")
    text = (site.directory / "compose.yaml").read_text()
    site.write("".join("    build: .\n" if "image:" in line else line for line in text.splitlines(keepends=True)))
    error = fails(site, "42")
    assert "about to fail" in error.message or "exit 42" in error.message


def test_a_port_that_someone_has(make_site: MakeSite) -> None:
    holder = deployed(make_site(COMPOSE.replace("    deploy:", "    ports: ['9000']\n    deploy:")))
    taken = holder.observe().running("app")[0].ports[0].host_port
    site = deployed(make_site())
    text = (site.directory / "compose.yaml").read_text()
    site.write(text.replace("    deploy:", f"    ports: ['{taken}:9000']\n    deploy:"))
    fails(site, f"port {taken} belongs to the site {holder.name}", Conflict)


def test_a_disk_that_is_nearly_full(site: Site) -> None:
    deployed(site)
    with App(replace(site.app.settings, disk_floor="900T"), site.app.actor) as app:
        with pytest.raises(Failed, match=r"MiB free, less than disk_floor \(900T\): nothing was changed"):
            deploy(app, site.name)
    assert site.get().text == "1"


def test_a_credential_that_is_missing(site: Site) -> None:
    deployed(site)
    text = (site.directory / "compose.yaml").read_text()
    site.write(text.replace("x-vpsctl:", "x-vpsctl:\n  secrets: [NOBODY_SET_THIS]"))
    assert "vpsctl cred set NOBODY_SET_THIS" in fails(site, "NOBODY_SET_THIS", NotFound).hint


def test_a_domain_that_another_site_has(make_site: MakeSite) -> None:
    first, second = deployed(make_site()), deployed(make_site())
    text = (second.directory / "compose.yaml").read_text()
    second.write(text.replace(f"{second.name}.test", f"{first.name}.test"))
    fails(second, f"{first.name}.test belongs to the site {first.name}", Conflict)


def test_a_postgres_major_jump_is_refused(make_site: MakeSite) -> None:
    site = make_site(
        COMPOSE.replace(
            "services:\n",
            "services:\n  db: {{image: 'postgres:15-alpine', volumes: ['db:/var/lib/postgresql/data'],"
            " environment: {{POSTGRES_PASSWORD: x}}}}\n",
        ).replace("x-vpsctl:", "volumes: {{db: {{}}}}\nx-vpsctl:")
    )
    deployed(site)
    (site.directory / "Dockerfile").write_text("FROM postgres:15-alpine\nENV PG_MAJOR=16\n")
    text = (site.directory / "compose.yaml").read_text()
    site.write(text.replace("image: 'postgres:15-alpine'", "build: ."))
    assert "pg_dumpall" in fails(site, "services.db would go from Postgres 15 to 16", Invalid).hint


@pytest.mark.parametrize("step", ["prepare", "probe", "bake"])
def test_the_engine_goes_away_half_way(site: Site, step: str) -> None:
    deployed(site)
    set_variables(site.app, site.name, {"VERSION": "2"})
    with cut_off_engine(site.app) as (app, cut):
        with site.traffic() as seen, pytest.raises(Unavailable, match="Docker Engine") as caught:
            deploy(app, site.name, report=at_step(step, cut))
    assert "vpsctl deploy resume" in caught.value.hint
    assert seen.failed == []
    settled = abort(site.app, site.name) if step == "probe" else resume(site.app, site.name)
    expected = "1" if step == "probe" else "2"
    assert settled.serving == int(expected)
    assert site.get().text == expected
    assert site.running() == [f"app-r{expected}-1"]


@pytest.mark.parametrize("step", ["probe", "drain"])
def test_postgres_goes_away_half_way(site: Site, step: str) -> None:
    deployed(site)
    set_variables(site.app, site.name, {"VERSION": "2"})
    postgres = f"{site.app.settings.instance}-postgres"

    def stop() -> None:
        site.app.engine.kill(postgres)

    try:
        with site.traffic() as seen, pytest.raises((Unavailable, Failed), match="Postgres"):
            deploy(site.app, site.name, report=at_step(step, stop))
    finally:
        site.app.engine.start(postgres)
    assert seen.failed == []
    _ready(site)
    deploy(site.app, site.name)
    assert site.get().text == "2"
    assert site.running() == [f"app-r{show_site(site.app, site.name).release}-1"]


def _ready(site: Site) -> None:
    from tests.waiting import wait_for

    def answers() -> bool:
        try:
            return bool(list_runs(site.app, site.name))
        except Unavailable:
            return False

    wait_for(answers, "answer from Postgres")


def test_ctrl_c_before_the_switch_leaves_the_old_release(site: Site) -> None:
    deployed(site)
    set_variables(site.app, site.name, {"VERSION": "2"})

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deploy(site.app, site.name, report=at_step("probe", interrupt))
    assert site.get().text == "1"
    assert site.running() == ["app-r1-1"]
    assert list_runs(site.app, site.name)[0].state == "failed"


def test_a_secret_of_the_environment_arrives_and_no_other_does(site: Site) -> None:
    value = 'it\'s "quoted" $HOME \n newline ünï'
    set_variables(site.app, site.name, {"ODD": value})
    deploy(site.app, site.name)
    assert site.get("/environment?name=ODD").text == value
    assert "ODD" not in os.environ
