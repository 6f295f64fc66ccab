"""What adopt refuses, and that a refusal, a dry run, a failure and a kill leave the containers as they were."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from tests.operations.adopt.conftest import APP, Stranger, started
from vpsctl.app import Actor, App
from vpsctl.docker_engine.types import Container, Mount
from vpsctl.errors import Conflict, Failed, Invalid, NotFound, VpsctlError
from vpsctl.run_events import Event, StepStarted
from vpsctl.settings import Settings
from vpsctl.sites import naming
from vpsctl.sites.adopt import adopt as operation
from vpsctl.sites.adopt import survey
from vpsctl.sites.adopt.adopt import adopt
from vpsctl.sites.adopt.infer import Wish
from vpsctl.sites.adopt.record import read_adoption
from vpsctl.sites.deploy import deploy
from vpsctl.sites.draft import site_directory
from vpsctl.sites.list import list_sites
from vpsctl.sites.show import show_site

ROOT = Path(__file__).parents[3]


def untouched(stranger: Stranger, container: Container, site: str) -> None:
    """It runs as before, on its own network only, and nothing of such a site is there."""
    app, now = stranger.app, stranger.app.engine.container(container.id)
    assert (now.started, now.state, set(now.aliases)) == (container.started, "running", set(container.aliases))
    assert app.engine.networks(stranger.names(site).labels()) == []
    assert site not in [item.name for item in list_sites(app)]
    assert read_adoption(app.settings.home, site) == ()
    assert app.proxy.current(site) is None
    assert site not in [route.site for route in app.proxy.routes()]


def test_a_dry_run_changes_nothing(stranger: Stranger) -> None:
    web = stranger.run("app", environment={"APP_SECRET": "of-a-dry-run"}, ipc_mode="host")
    wish = stranger.wish(web)
    result = adopt(stranger.app, wish, dry_run=True)
    assert result.run is None
    assert "ipc: host" in result.compose and "of-a-dry-run" not in repr(result)
    assert result.credentials == ("APP_SECRET",)
    assert len(result.obstacles) == 1 and "ipc: host" in result.obstacles[0]
    assert f"route {wish.name}.localhost to {web.name}:3000" in result.steps
    assert not site_directory(stranger.app, wish.name).exists()
    untouched(stranger, web, wish.name)


def test_what_the_settings_do_not_allow(stranger: Stranger) -> None:
    web = stranger.run("app", mounts=(Mount("bind", "/data", "/srv"),))
    wish = stranger.wish(web)
    with pytest.raises(Invalid, match="outside the site's directory") as refused:
        adopt(stranger.app, wish)
    assert "outside_binds" in refused.value.hint
    untouched(stranger, web, wish.name)
    with App(replace(stranger.app.settings, allow=("outside_binds",)), stranger.app.actor) as allowing:
        result = adopt(allowing, wish)
    assert "# it binds /srv, outside" in result.compose
    assert stranger.ask(wish.name).status_code == 200


def test_containers_that_cannot_be_taken_over(
    stranger: Stranger, docker_client: docker.DockerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None of these changes anything, so they share a container."""
    monkeypatch.setattr(survey, "PATIENCE", survey.PATIENCE / 10)
    app, web = stranger.app, stranger.run("app")
    wish = stranger.wish(web)
    stopped = stranger.run("stopped", command=("true",))
    app.engine.wait(stopped.id, timeout=operation.LIMIT)
    docker_client.containers.run("busybox:latest", ["sleep", "600"], name=f"{stranger.prefix}-rm", remove=True, detach=True)
    docker_client.containers.run(
        "busybox:latest", ["sleep", "600"], name=f"{stranger.prefix}-beside", network_mode=f"container:{web.id}", detach=True
    )
    ours = f"{app.settings.instance}-caddy"
    cases: list[tuple[type[VpsctlError], str, Wish]] = [
        (NotFound, "no container", replace(wish, containers=(f"{stranger.prefix}-none",))),
        (Conflict, "does not run: it is exited", replace(wish, containers=(stopped.name,))),
        (Conflict, "made by this vpsctl", replace(wish, containers=(ours,))),
        (Invalid, "--rm", replace(wish, containers=(f"{stranger.prefix}-rm",))),
        (Invalid, "another container's network", replace(wish, containers=(f"{stranger.prefix}-beside",))),
        (Failed, "port 3001", replace(wish, port=3001)),
        (Invalid, "which port", replace(wish, port=None)),
        (Invalid, "none of the containers", replace(wish, web="another")),
        (Invalid, "no dot", replace(wish, domains=("shop",))),
        (Invalid, "site's name", replace(wish, name="Shop!")),
    ]
    for kind, words, asked in cases:
        with pytest.raises(kind, match=words):
            adopt(app, asked)
    untouched(stranger, web, wish.name)

    adopt(app, wish)
    other = stranger.run("other")
    for kind, words, asked in [
        (Conflict, f"belongs to the site {wish.name}", stranger.wish(web)),
        (Conflict, f"a site named {wish.name}", replace(stranger.wish(other), name=wish.name)),
        (Conflict, f"{wish.name}.localhost belongs to", replace(stranger.wish(other), domains=wish.domains)),
    ]:
        with pytest.raises(kind, match=words):
            adopt(app, asked)
    untouched(stranger, other, stranger.sites[-1])
    assert stranger.ask(wish.name).status_code == 200


def test_one_that_does_not_answer_on_our_network_is_let_go(
    stranger: Stranger, docker_client: docker.DockerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operation, "LIMIT", operation.LIMIT / 10)
    # It listens on the address that it has on its own network only.
    listen = "import os, socket; os.environ['BIND'] = socket.gethostbyname(socket.gethostname())\n"
    web = stranger.run("app", command=("python3", "-u", "-c", listen + APP))
    wish = stranger.wish(web)
    with pytest.raises(Failed, match="was not healthy"):
        adopt(stranger.app, wish)
    untouched(stranger, web, wish.name)


def test_without_a_web_server_nothing_is_routed(stranger: Stranger) -> None:
    database = stranger.run("db", image="redis:7-alpine", command=None)
    wish = stranger.wish(database, domains=(), port=None)
    result = adopt(stranger.app, wish)
    assert "web: false" in result.compose and result.web is None
    assert set(stranger.app.engine.container(database.id).aliases) == {stranger.prefix, stranger.names(wish.name).network()}
    assert show_site(stranger.app, wish.name).serving is None


def test_a_stranger_on_the_same_data_stops_the_deploy(stranger: Stranger) -> None:
    """`docker compose up` after the adoption makes another container over the same volume."""
    data = stranger.client.volumes.create(f"{stranger.prefix}-data")
    try:
        values = {"image": "redis:7-alpine", "command": None, "mounts": (Mount("volume", "/data", data.name),)}
        database = stranger.run("db", **values)
        wish = stranger.wish(database, domains=(), port=None)
        adopt(stranger.app, wish)
        stranger.app.engine.stop(database.id)
        again = stranger.run("db-again", **values)
        with pytest.raises(Conflict, match=f"{again.name} runs over {data.name}"):
            deploy(stranger.app, wish.name)
        assert stranger.app.engine.container(again.id).state == "running"
    finally:
        for item in stranger.client.containers.list(all=True, filters={"volume": data.name}):
            item.remove(force=True)
        data.remove()


def test_killed_at_each_step_and_done_again(stranger: Stranger, docker_client: docker.DockerClient) -> None:
    web = stranger.run("app", environment={"APP_SECRET": f"value of {stranger.prefix}"})
    before, wish = started(docker_client, web), stranger.wish(web)
    for step in ("file", "route", "record"):
        killed_at(stranger.app, wish, step)
        assert wish.name not in [item.name for item in list_sites(stranger.app)]
    result = adopt(stranger.app, wish)
    assert result.credentials == (), "the credential was stored by the first try, and is not stored twice"
    assert started(docker_client, web) == before
    assert stranger.ask(wish.name).status_code == 200
    assert set(stranger.app.engine.container(web.id).aliases) == {
        stranger.prefix,
        stranger.names(wish.name).network(),
        naming.ingress(stranger.app.settings.instance),
    }


def killed_at(app: App, wish: Wish, step: str) -> None:
    """Adopt in a process of its own, which kills itself when that step begins."""
    settings = app.settings
    words = [str(settings.home), settings.instance, str(settings.http_port), str(settings.https_port), settings.docker_host]
    words += [wish.name, wish.containers[0], wish.project or "", step]
    done = subprocess.run([sys.executable, "-m", __name__, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


def main(home: str, instance: str, http: str, https: str, host: str, *words: str) -> None:
    settings = Settings(home=Path(home), instance=instance, http_port=int(http), https_port=int(https), docker_host=host)
    site, container, project, step = words

    def report(event: Event) -> None:
        if isinstance(event, StepStarted) and event.name == step:
            os.kill(os.getpid(), signal.SIGKILL)

    with App(settings, Actor("test", "cli")) as app:
        adopt(app, Wish(site, (container,), (f"{site}.localhost",), port=3000, project=project), report=report)


if __name__ == "__main__":
    main(*sys.argv[1:])
