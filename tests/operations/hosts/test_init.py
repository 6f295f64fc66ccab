"""Setting a machine up on the real engine: from nothing, again, after a kill, after a change."""

import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import docker
import pytest
import redis
from docker.models.containers import Container
from sqlalchemy import select, text

from tests.machine import bare_machine, free_ports, initialised_machine
from vpsctl.app import App
from vpsctl.db.models import Audit
from vpsctl.errors import Conflict, Invalid, NotFound, Unavailable
from vpsctl.hosts import foundation as foundation_file
from vpsctl.hosts.doctor import doctor
from vpsctl.hosts.init import InitStep, ensure_image, init
from vpsctl.hosts.ready import redis_url

SERVICES = ("caddy", "postgres", "redis")


@pytest.fixture(scope="module")
def changing_machine(docker_client: docker.DockerClient) -> Iterator[App]:
    with initialised_machine(docker_client) as app:
        yield app


@pytest.fixture
def machine(changing_machine: App) -> App:
    """A machine whose foundation these tests stop and change; each finds it whole."""
    init(changing_machine)
    return changing_machine


def container(client: docker.DockerClient, app: App, service: str) -> Container:
    return client.containers.get(f"{app.settings.instance}-{service}")


def lives(client: docker.DockerClient, app: App) -> dict[str, tuple[str, str]]:
    """Each container's id and when it was started: equal as long as nothing was made again or restarted."""
    found = {service: container(client, app, service) for service in SERVICES}
    return {service: (item.id or "", item.attrs["State"]["StartedAt"]) for service, item in found.items()}


def audited(app: App) -> list[Audit]:
    with app.database.transaction() as session:
        return list(session.scalars(select(Audit).where(Audit.action == "host.init").order_by(Audit.id)))


def changed(steps: tuple[InitStep, ...]) -> list[str]:
    return [step.name for step in steps if step.changed]


def test_from_nothing_everything_stands_under_its_cap(foundation: App, docker_client: docker.DockerClient) -> None:
    caps = {"caddy": (128, 0.5), "postgres": (512, 1.0), "redis": (128, 0.5)}
    for service, (memory, cpus) in caps.items():
        host = container(docker_client, foundation, service).attrs["HostConfig"]
        assert host["Memory"] == memory * 1024**2
        assert host["NanoCpus"] == cpus * 1e9
        assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}
        assert host["SecurityOpt"] == ["no-new-privileges=true"]
        assert host["PidsLimit"] > 0
        assert host["RestartPolicy"]["Name"] == "unless-stopped"


def test_databases_are_on_no_network_and_publish_nothing(foundation: App, docker_client: docker.DockerClient) -> None:
    for service in ("postgres", "redis"):
        attrs = container(docker_client, foundation, service).attrs
        assert list(attrs["NetworkSettings"]["Networks"]) == ["none"]
        assert not attrs["NetworkSettings"]["Ports"]


def test_caddy_is_reached_by_the_published_ports(foundation: App, docker_client: docker.DockerClient) -> None:
    ports = container(docker_client, foundation, "caddy").attrs["NetworkSettings"]["Ports"]
    assert ports["80/tcp"][0] == {"HostIp": "0.0.0.0", "HostPort": str(foundation.settings.http_port)}
    assert ports["443/tcp"][0]["HostPort"] == str(foundation.settings.https_port)
    assert "2019/tcp" not in {key for key, bindings in ports.items() if bindings}
    assert foundation.proxy.routes() is not None


def test_only_root_sees_the_state(foundation: App) -> None:
    home = foundation.settings.home
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    for name in ("master.key", "postgres-password"):
        assert stat.S_IMODE((home / name).stat().st_mode) == 0o600


def test_the_password_stands_in_no_label(foundation: App, docker_client: docker.DockerClient) -> None:
    password = (foundation.settings.home / "postgres-password").read_text().strip()
    assert password not in str(container(docker_client, foundation, "postgres").labels)


def test_redis_refuses_to_evict_and_keeps_what_it_was_told(foundation: App) -> None:
    with closing(redis.Redis.from_url(redis_url(foundation.settings))) as client:
        told = {key: client.config_get(key)[key] for key in ("maxmemory-policy", "appendonly", "port")}
    assert told == {"maxmemory-policy": "noeviction", "appendonly": "yes", "port": "0"}


def test_a_second_time_changes_nothing(machine: App, docker_client: docker.DockerClient) -> None:
    before = lives(docker_client, machine)
    result = init(machine)
    assert not result.changed
    assert changed(result.steps) == []
    assert lives(docker_client, machine) == before


def test_what_a_kill_left_behind_is_completed(machine: App, docker_client: docker.DockerClient) -> None:
    before = lives(docker_client, machine)
    container(docker_client, machine, "redis").remove(force=True)
    container(docker_client, machine, "caddy").stop()
    result = init(machine)
    name = machine.settings.instance
    assert changed(result.steps) == [f"container {name}-caddy", f"container {name}-redis"]
    after = lives(docker_client, machine)
    assert after["postgres"] == before["postgres"]
    assert after["caddy"][0] == before["caddy"][0]
    assert after["redis"][0] != before["redis"][0]


class Killed(BaseException):
    """Not an Exception: nothing may catch it on its way."""


def test_stopped_half_way_again_and_again_it_goes_on_the_next_time(docker_client: docker.DockerClient) -> None:
    with bare_machine(docker_client) as app:
        name = app.settings.instance
        for last in ("master key", "proxy files", "ingress network", f"container {name}-postgres", "foundation answers"):

            def stop(step: InitStep, last: str = last) -> None:
                if step.name == last:
                    raise Killed

            with pytest.raises(Killed):
                init(app, stop)
        assert changed(init(app).steps) == ["schema"]
        assert changed(init(app).steps) == []
        assert [(row.fields.get("outcome"), row.fields["changed"]) for row in audited(app)] == [
            ("failed", ["state directory", "master key"]),
            ("failed", ["Postgres password", "proxy files"]),
            ("failed", ["ingress network"]),
            ("failed", ["volumes", f"container {name}-caddy", f"container {name}-postgres"]),
            ("failed", [f"container {name}-redis"]),
            (None, ["schema"]),
        ]


def test_a_changed_definition_makes_only_that_container_again_and_keeps_its_data(
    machine: App, docker_client: docker.DockerClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with machine.owner_database.transaction() as session:
        session.execute(text("CREATE TABLE IF NOT EXISTS kept (value text)"))
        session.execute(text("INSERT INTO kept VALUES ('before')"))
    before = lives(docker_client, machine)
    other = tmp_path / "foundation.yaml"
    other.write_text(foundation_file.find_foundation().read_text().replace("memory: 512M", "memory: 500M"))
    monkeypatch.setattr(foundation_file, "find_foundation", lambda: other)
    assert changed(init(machine).steps) == [f"container {machine.settings.instance}-postgres"]
    after = lives(docker_client, machine)
    assert {service for service in SERVICES if after[service] != before[service]} == {"postgres"}
    assert container(docker_client, machine, "postgres").attrs["HostConfig"]["Memory"] == 500 * 1024**2
    with machine.owner_database.transaction() as session:
        assert session.scalar(text("SELECT value FROM kept")) == "before"


def test_another_port_moves_caddy_alone(machine: App, docker_client: docker.DockerClient) -> None:
    before = lives(docker_client, machine)
    (port,) = free_ports(1)
    with App(replace(machine.settings, https_port=port), machine.actor) as moved:
        name = f"container {machine.settings.instance}-caddy"
        # Caddy's own configuration names the port too, for the redirect from HTTP.
        assert changed(init(moved).steps)[0] == name
        assert not init(moved).changed
    after = lives(docker_client, machine)
    assert {service for service in SERVICES if after[service] != before[service]} == {"caddy"}


def test_a_port_that_is_taken_is_named_with_its_holder_and_the_flag(docker_client: docker.DockerClient) -> None:
    with socket.create_server(("0.0.0.0", 0)) as server:
        port = server.getsockname()[1]
        with bare_machine(docker_client, http_port=port) as app:
            with pytest.raises(Conflict, match=rf"port {port} is taken by .*pid") as error:
                init(app)
            assert f"--http-port {port + 8000}" in error.value.hint
            server.close()
            assert init(app).changed


def test_a_port_that_a_container_publishes_is_named_by_it(foundation: App, docker_client: docker.DockerClient) -> None:
    port = foundation.settings.https_port
    with bare_machine(docker_client, https_port=port) as app:
        with pytest.raises(Conflict, match=f"taken by container {foundation.settings.instance}-caddy") as error:
            init(app)
        assert "--https-port" in error.value.hint


def test_a_strangers_container_of_that_name_is_left_alone(docker_client: docker.DockerClient) -> None:
    with bare_machine(docker_client) as app:
        stranger = docker_client.containers.create("busybox:latest", name=f"{app.settings.instance}-redis")
        try:
            with pytest.raises(Conflict, match="was not made by this vpsctl"):
                init(app)
            assert docker_client.containers.get(stranger.id or "").status == "created"
        finally:
            stranger.remove()


def test_an_image_that_cannot_be_had_is_named(foundation: App) -> None:
    ref = "vpsctl-test.invalid/none:1"
    with pytest.raises(Unavailable, match=f"the foundation needs the image {ref}, which is not on this machine") as error:
        ensure_image(foundation, ref)
    assert f"docker pull {ref}" in error.value.hint


def test_a_caddy_too_old_for_the_switch_is_refused_at_once(
    docker_client: docker.DockerClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = tmp_path / "foundation.yaml"
    other.write_text(foundation_file.find_foundation().read_text().replace("caddy:2-alpine", "caddy:2.6.2"))
    monkeypatch.setattr(foundation_file, "find_foundation", lambda: other)
    with bare_machine(docker_client) as app, pytest.raises(Invalid, match=r"Caddy 2\.6\.2 cannot switch") as error:
        init(app)
    assert "docker pull caddy:2-alpine" in error.value.hint


def test_a_second_init_at_the_same_time_is_refused(machine: App) -> None:
    entered, leave = threading.Event(), threading.Event()

    def pause(step: InitStep) -> None:
        entered.set()
        assert leave.wait(20)

    first = threading.Thread(target=init, args=(machine, pause))
    first.start()
    try:
        assert entered.wait(20)
        with pytest.raises(Conflict, match="another vpsctl init works on"):
            init(machine)
    finally:
        leave.set()
        first.join(60)
    assert not init(machine).changed


def test_an_existing_postgres_is_used_and_no_container_made(
    docker_client: docker.DockerClient, empty_database_url: str
) -> None:
    from vpsctl.secret import Secret

    with bare_machine(docker_client, postgres_url=Secret(empty_database_url)) as app:
        result = init(app)
        names = {item.name for item in app.engine.summaries({"vpsctl.instance": app.settings.instance})}
        assert names == {f"{app.settings.instance}-caddy", f"{app.settings.instance}-redis"}
        assert "schema" in changed(result.steps)
        assert not (app.settings.home / "postgres-password").exists()


def test_an_existing_redis_that_does_not_answer_is_named_without_its_password(docker_client: docker.DockerClient) -> None:
    from vpsctl.secret import Secret

    (port,) = free_ports(1)
    url = Secret(f"redis://:hunter22@127.0.0.1:{port}/0")
    with (
        bare_machine(docker_client, redis_url=url) as app,
        pytest.raises(Unavailable, match="Redis cannot be reached") as error,
    ):
        init(app)
    assert "hunter22" not in error.value.message + error.value.hint


def test_a_home_that_is_someone_elses_directory_is_refused(docker_client: docker.DockerClient, tmp_path: Path) -> None:
    home = tmp_path / "h"
    home.mkdir(mode=0o755)
    (home / "other").write_text("kept")
    with bare_machine(docker_client) as app:
        settings = replace(app.settings, home=home)
        with App(settings, app.actor) as wrong, pytest.raises(Invalid, match="holds other files"):
            init(wrong)
    assert stat.S_IMODE(home.stat().st_mode) == 0o755


def test_a_home_too_long_for_a_socket_is_refused(docker_client: docker.DockerClient) -> None:
    with bare_machine(docker_client) as app:
        settings = replace(app.settings, home=Path("/tmp") / ("x" * 100))
        with App(settings, app.actor) as wrong, pytest.raises(Invalid, match="at most"):
            init(wrong)


def test_without_an_engine_nothing_is_made(tmp_path: Path, foundation: App) -> None:
    settings = replace(foundation.settings, home=tmp_path / "h", docker_host="unix:///nowhere.sock")
    with App(settings, foundation.actor) as app, pytest.raises(Unavailable, match="cannot reach the Docker Engine"):
        init(app)
    assert not (tmp_path / "h").exists()


def test_a_master_key_that_was_lost_is_not_made_anew(machine: App) -> None:
    path = machine.settings.home / "master.key"
    kept = path.read_bytes()
    path.unlink()
    try:
        with App(machine.settings, machine.actor) as other, pytest.raises(NotFound, match="has worked in .* with one"):
            init(other)
        assert not path.exists()
    finally:
        path.write_bytes(kept)
        path.chmod(0o600)
    assert not init(machine).changed


def test_the_key_is_made_where_the_settings_say(docker_client: docker.DockerClient, tmp_path: Path) -> None:
    def stop(step: InitStep) -> None:
        if step.name == "master key":
            raise KeyboardInterrupt

    with bare_machine(docker_client) as app:
        place = tmp_path / "keys" / "vpsctl.key"
        with App(replace(app.settings, key_file=place), app.actor) as other:
            with pytest.raises(Invalid, match="there is no directory"):
                init(other)
            place.parent.mkdir()
            with pytest.raises(KeyboardInterrupt):
                init(other, stop)
        assert len(place.read_bytes()) == 45
        assert not (app.settings.home / "master.key").exists()


def test_a_trail_that_could_be_changed_is_told_and_closed(machine: App) -> None:
    with machine.owner_database.transaction() as session:
        session.execute(text("GRANT UPDATE ON audit TO vpsctl_app"))
    (found,) = (check for check in doctor(machine).checks if check.name == "audit trail")
    assert (found.state, found.mend) == ("fail", "vpsctl init")
    assert changed(init(machine).steps) == ["schema"]
    (found,) = (check for check in doctor(machine).checks if check.name == "audit trail")
    assert found.state == "ok"
