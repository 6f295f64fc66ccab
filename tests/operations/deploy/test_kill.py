"""SIGKILL at each step in turn: the site answers throughout, and the next command finishes or undoes what was begun."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.operations.deploy.conftest import COMPOSE, STEPS, MakeSite, Site
from vpsctl.app import Actor, App
from vpsctl.errors import NotFound
from vpsctl.run_events import Event, LogLine, StepFinished, StepStarted
from vpsctl.run_history import list_runs
from vpsctl.settings import Settings
from vpsctl.sites.deploy import deploy
from vpsctl.sites.environment import set_variables
from vpsctl.sites.settle import abort, resume
from vpsctl.sites.show import show_site

ROOT = Path(__file__).parents[3]
WITH_DATABASE = (
    COMPOSE.replace(
        "services:\n",
        """services:
  db:
    image: redis:7-alpine
    command: [redis-server, --maxmemory, "${{MAXMEMORY:-10mb}}"]
    volumes: ["db:/data"]
    deploy: {{resources: {{limits: {{memory: 64M}}}}}}
""",
    )
    .replace("x-vpsctl:", "volumes: {{db: {{}}}}\nx-vpsctl:\n  pre_deploy: {{command: [python3, -c, pass]}}")
    .replace("bake: 1s", "bake: 300ms")
)
SWITCHED = STEPS.index("switch") + 1


def killed_at(site: Site, moment: str) -> None:
    """Deploy in a process of its own, which kills itself when the step begins (ends: "after …") or the text is logged."""
    settings = site.app.settings
    arguments = [
        str(settings.home),
        settings.instance,
        str(settings.http_port),
        str(settings.https_port),
        settings.docker_host,
        site.name,
        moment,
    ]
    done = subprocess.run(
        [sys.executable, "-m", __name__, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


def main(home: str, instance: str, http: str, https: str, host: str, site: str, moment: str) -> None:
    settings = Settings(home=Path(home), instance=instance, http_port=int(http), https_port=int(https), docker_host=host)

    def die(event: Event) -> None:
        if (
            (isinstance(event, StepStarted) and event.name == moment)
            or (isinstance(event, StepFinished) and moment == f"after {event.name}")
            or (isinstance(event, LogLine) and moment in event.text)
        ):
            os.kill(os.getpid(), signal.SIGKILL)

    with App(settings, Actor("test", "cli")) as app:
        deploy(app, site, report=die)


@pytest.fixture
def changing(make_site: MakeSite) -> Site:
    """A site that serves r1, whose next deploy changes app and database."""
    site = make_site(WITH_DATABASE)
    deploy(site.app, site.name)
    set_variables(site.app, site.name, {"VERSION": "2", "MAXMEMORY": "20mb"})
    return site


def assert_clean(site: Site, release: int) -> None:
    """Exactly the containers of `release` run; what is stopped served once; nothing is held, no one-shot is left."""
    detail = show_site(site.app, site.name)
    assert (detail.release, detail.serving, detail.interrupted) == (release, release, ())
    running = site.running()
    assert f"app-r{release}-1" in running
    assert len(running) == 2
    assert not site.app.proxy.held(site.name)
    observed = site.observe()
    served = {item.labels["vpsctl.release"] for item in observed.containers}
    assert served <= {"1", str(release)}
    assert not any(item.labels["vpsctl.role"] == "pre-deploy" for item in observed.containers)


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_a_step_then_resumed(changing: Site, step: str) -> None:
    with changing.traffic() as seen:
        killed_at(changing, step)
        settled = resume(changing.app, changing.name)
    assert seen.failed == []
    if STEPS.index(step) <= STEPS.index("resolve"):
        assert (settled.outcome, settled.serving) == ("undone", 1)
    else:
        assert (settled.outcome, settled.serving) == ("finished", 2)
    assert_clean(changing, settled.serving or 0)
    with pytest.raises(NotFound, match="was interrupted"):
        resume(changing.app, changing.name)


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_a_step_then_deployed_again(changing: Site, step: str) -> None:
    with changing.traffic() as seen:
        killed_at(changing, step)
        result = deploy(changing.app, changing.name)
    assert seen.failed == []
    assert changing.get().text == "2"
    detail = show_site(changing.app, changing.name)
    assert (detail.release, detail.serving, detail.interrupted) == (result.release, result.release, ())
    assert [name for name in changing.running() if name.startswith("app")] == [f"app-r{result.release}-1"]
    assert len(changing.running()) == 2
    assert list_runs(changing.app, changing.name)[1].state == ("succeeded" if STEPS.index(step) >= SWITCHED else "undone")


@pytest.mark.parametrize("step", ["start", "confirm", "bake", "collect"])
def test_killed_at_a_step_then_aborted(changing: Site, step: str) -> None:
    with changing.traffic() as seen:
        killed_at(changing, step)
        settled = abort(changing.app, changing.name)
    assert seen.failed == []
    assert (settled.outcome, settled.serving) == ("undone", 1)
    assert changing.get().text == "1"
    assert_clean(changing, 1)


def test_killed_while_requests_wait_for_the_database(changing: Site) -> None:
    """The one moment in which nothing can serve: the requests wait, and go through when it is resumed."""
    with changing.traffic() as seen:
        killed_at(changing, "requests wait meanwhile")
        settled = resume(changing.app, changing.name)
    assert settled.serving == 2
    assert seen.failed == []
    assert_clean(changing, 2)


@pytest.mark.parametrize("step", ["start", "switch", "confirm", "bake"])
def test_the_very_first_deploy_killed(make_site: MakeSite, step: str) -> None:
    site = make_site(WITH_DATABASE)
    killed_at(site, step)
    assert deploy(site.app, site.name).release in (1, 2)
    assert site.get().text == "1"
    assert show_site(site.app, site.name).interrupted == ()


if __name__ == "__main__":
    main(*sys.argv[1:])
