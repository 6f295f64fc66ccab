"""Status of the real engine and the proxy's files, with and without Postgres and Caddy."""

import os
import socket
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import docker
import pytest
import requests
from docker.models.containers import Container

from vpsctl.app import App
from vpsctl.credentials.set import set_credential
from vpsctl.db.models import Project, Release, Run, Site
from vpsctl.hosts.status import status
from vpsctl.proxy.types import Route, Upstreams
from vpsctl.secret import Secret

Web = Callable[..., Container]


@pytest.fixture
def web(docker_client: docker.DockerClient, instance: str) -> Web:
    """A container labelled as one of a site's web service."""

    def web(site: str, release: int, *, number: int = 1, **labels: str) -> Container:
        name = f"{instance}-{site}-app-r{release}-{number}"
        ours = {
            "vpsctl.instance": instance,
            "vpsctl.site": site,
            "vpsctl.service": "app",
            "vpsctl.release": str(release),
            "vpsctl.role": "web",
            "vpsctl.replicas": "1",
            "vpsctl.memory": str(32 * 1024**2),
            "vpsctl.domains": f"{site}.example.com",
        }
        return docker_client.containers.run(
            "busybox:latest", ["sleep", "600"], name=name, detach=True, init=True, labels={**ours, **labels}
        )

    return web


def record(app: App, name: str, **release: Any) -> None:
    """The site and its one release in Postgres, which serves."""
    with app.database.transaction() as session:
        project = Project(slug=name, name=name)
        session.add(project)
        session.flush()
        site = Site(
            name=name, project_id=project.id, source={"kind": "directory", "location": f"/srv/{name}"}, environment={}
        )
        site.scale = {"app": 1}
        session.add(site)
        session.flush()
        values = {"environment": {}, "scale": {"app": 1}, "credentials": {}, **release}
        row = Release(site_id=site.id, number=7, source={}, compose="", images={}, **values)
        session.add(row)
        session.flush()
        site.current_release_id = row.id


def test_the_machine_and_its_foundation(foundation: App) -> None:
    found = status(foundation)
    assert found.machine.cpus >= 1
    assert 0 < found.machine.memory.available < found.machine.memory.total
    assert found.machine.disks[0].free > 0
    assert {part.service: part.state for part in found.foundation} == {
        "caddy": "running",
        "postgres": "running",
        "redis": "running",
    }


def test_a_site_that_serves_and_what_postgres_adds(app: App, web: Web) -> None:
    web("shop", 7)
    app.proxy.switch("shop", Upstreams("7", ("shop:3000",)))
    record(app, "shop")
    (site,) = status(app).sites
    assert (site.name, site.state, site.release, site.running, site.wanted) == ("shop", "serving", 7, 1, 1)
    assert site.domains == ("shop.example.com",)
    assert site.memory == 32 * 1024**2
    assert site.source == "directory /srv/shop"
    assert site.pending == ()


def test_a_variable_set_since_the_release_is_pending(app: App) -> None:
    record(app, "shop", environment={"": {"A": "1"}, "worker": {"B": "2"}})
    assert [site.pending for site in status(app).sites] == [("variable A", "variable worker.B")]


def test_a_credential_set_since_the_release_is_pending(app: App) -> None:
    set_credential(app, "DB_PASSWORD", Secret("first"))
    record(app, "shop", credentials={"DB_PASSWORD": 1})
    assert [site.pending for site in status(app).sites] == [()]
    set_credential(app, "DB_PASSWORD", Secret("second"))
    assert [site.pending for site in status(app).sites] == [("DB_PASSWORD 1→2",)]


def test_a_site_that_was_never_deployed_is_new(app: App) -> None:
    record(app, "shop")
    assert [(site.name, site.state, site.running) for site in status(app).sites] == [("shop", "new", 0)]


def test_a_run_that_died_half_way_is_shown(app: App) -> None:
    record(app, "shop")
    with app.database.transaction() as session:
        dead = {"actor": "root", "door": "cli", "host": socket.gethostname(), "pid": os.getpid(), "born": 1, "detail": {}}
        run = Run(kind="deploy", subject="shop", state="running", **dead)
        session.add(run)
        session.flush()
        number = run.id
    assert [site.interrupted for site in status(app).sites] == [(number,)]


def test_with_postgres_down_the_sites_are_still_there(
    app: App, web: Web, postgres_gone: Callable[[], AbstractContextManager[None]]
) -> None:
    web("shop", 7)
    with postgres_gone():
        found = status(app)
    assert [(site.name, site.state, site.pending) for site in found.sites] == [("shop", "serving", None)]
    assert sum("sources, pending changes and runs are not shown: Postgres" in note for note in found.notes) == 1


def test_before_init_it_says_so_and_works(app: App) -> None:
    found = status(app)
    assert [part.state for part in found.foundation] == ["missing", "external", "missing"]
    assert any("Caddy was not asked" in note for note in found.notes)


def test_the_domains_are_those_that_caddy_serves(foundation: App) -> None:
    from datetime import timedelta

    name = "status-domains"
    foundation.proxy.ensure_routes([Route(name, ("served.example.com",), "off", timedelta())])
    container = foundation.engine
    try:
        made = docker.from_env()
        labels = {
            "vpsctl.instance": foundation.settings.instance,
            "vpsctl.site": name,
            "vpsctl.service": "app",
            "vpsctl.role": "web",
            "vpsctl.domains": "labelled.example.com",
        }
        made.containers.run("busybox:latest", ["sleep", "600"], detach=True, init=True, labels=labels)
        site = next(site for site in status(foundation).sites if site.name == name)
        assert site.domains == ("served.example.com",)
        made.close()
    finally:
        foundation.proxy.ensure_routes([], remove=[name])
        for item in container.summaries({"vpsctl.site": name}):
            container.remove(item.id, force=True)


def test_maintenance_and_a_stopped_site(app: App, web: Web) -> None:
    web("shop", 7)
    web("blog", 2).stop(timeout=0)
    app.proxy.maintenance("shop", "<h1>Back soon</h1>")
    assert {site.name: site.state for site in status(app).sites} == {"shop": "maintenance", "blog": "stopped"}


def test_the_engine_is_asked_no_more_for_more_sites(app: App, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    send = requests.Session.send

    def counted(session: requests.Session, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        asked.append(request.url)
        return send(session, request, **options)

    app.engine.info()  # the first call negotiates the version
    monkeypatch.setattr(requests.Session, "send", counted)

    def requests_for_status() -> int:
        asked.clear()
        status(app)
        return len(asked)

    web("a", 1)
    with_one = requests_for_status()
    for site in ("b", "c", "d"):
        web(site, 1)
    assert requests_for_status() == with_one
    assert 0 < with_one <= 4
