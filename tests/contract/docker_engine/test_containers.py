"""Containers: what is asked for is what the Engine makes, and what it has is what we are told."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network

import docker
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vpsctl.docker_engine.engine import Engine
from vpsctl.docker_engine.types import (
    Attachment,
    ContainerSpec,
    HealthcheckSpec,
    Mount,
    PortBinding,
    UlimitSpec,
)
from vpsctl.errors import Conflict, Invalid, NotFound
from vpsctl.secret import Secret

SUBNETS = ("10.239.250.0/28", "10.239.250.16/28")
AWKWARD = {
    "QUOTES": "a 'b' \"c\" `d`",
    "LINES": "one\ntwo\r\n\ttabbed\n",
    "DOLLARS": "$HOME ${HOME} $$ $(id) \\$",
    "UNICODE": "ünï ☃ 漢字 \U0001f433",
    "EMPTY": "",
    "EQUALS": "a=b=c",
    "BACKSLASH": "\\n\\",
}
values = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)


def environment_in(engine: Engine, name: str) -> dict[str, str]:
    """What the process was given, byte for byte."""
    raw = engine.get_file(name, "/environ").split(b"\0")
    return dict(item.decode().partition("=")[::2] for item in raw if item)


@pytest.fixture
def environment(engine: Engine, start: Callable[..., str]) -> Callable[[dict[str, str | Secret]], dict[str, str]]:
    """The environment that a container sees which was made with the one given."""

    def seen(given: dict[str, str | Secret]) -> dict[str, str]:
        name = start("", environment=given, command=("cp", "/proc/self/environ", "/environ"), init=None)
        engine.wait(name, timeout=timedelta(seconds=20))
        found = environment_in(engine, name)
        engine.remove(name)
        return {key: found[key] for key in given}

    return seen


def test_awkward_values_arrive_unchanged(environment: Callable[..., dict[str, str]]) -> None:
    assert environment(AWKWARD) == AWKWARD


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(values, min_size=30, max_size=60))
def test_any_text_arrives_unchanged(environment: Callable[..., dict[str, str]], texts: list[str]) -> None:
    given = {f"V{number}": text for number, text in enumerate(texts)}
    assert environment(given) == given


def test_a_secret_arrives_as_its_value(environment: Callable[..., dict[str, str]]) -> None:
    assert environment({"PASSWORD": Secret("s3cret '\"\n$")}) == {"PASSWORD": "s3cret '\"\n$"}


@pytest.mark.parametrize("name", ["", "A=B", "A\0"])
def test_a_name_no_variable_can_have_is_refused(engine: Engine, spec: ContainerSpec, name: str) -> None:
    with pytest.raises(Invalid, match="environment variable"):
        engine.create(replace(spec, environment={name: "x"}))


def test_a_value_with_nul_is_refused_without_being_told(engine: Engine, spec: ContainerSpec) -> None:
    with pytest.raises(Invalid) as caught:
        engine.create(replace(spec, environment={"KEY": Secret("hush\0hush")}))
    assert "KEY" in caught.value.message
    assert "hush" not in caught.value.message


def test_every_part_of_a_specification_reaches_the_engine(
    engine: Engine, spec: ContainerSpec, docker_client: docker.DockerClient
) -> None:
    engine.create_volume(f"{spec.name}-data", labels=spec.labels)
    wanted = replace(
        spec,
        entrypoint=("sleep",),
        command=("30",),
        mounts=(
            Mount("volume", "/data", f"{spec.name}-data", read_only=True),
            Mount("bind", "/host", "/etc"),
            Mount("tmpfs", "/fast", tmpfs_size=1 << 20),
        ),
        restart="on-failure",
        restart_retries=3,
        user="1000:1000",
        working_dir="/tmp",
        hostname="boxed",
        read_only=True,
        tmpfs=("/run:size=64k", "/scratch"),
        cap_drop=("NET_RAW",),
        security_opt=("no-new-privileges",),
        extra_hosts=("db:10.0.0.9",),
        shm_size=128 << 20,
        ulimits=(UlimitSpec("nofile", 100, 200),),
        memory=64 << 20,
        memory_reservation=32 << 20,
        nano_cpus=250_000_000,
        pids_limit=33,
        log_options={"max-size": "1m", "max-file": "2"},
        healthcheck=HealthcheckSpec(("CMD", "true"), timedelta(seconds=1.5), timedelta(seconds=2), 4, timedelta(seconds=3)),
        stop_grace=timedelta(seconds=1.2),
        stop_signal="SIGINT",
    )
    engine.create(wanted)
    body = docker_client.api.inspect_container(wanted.name)
    config, host = body["Config"], body["HostConfig"]
    assert (config["Entrypoint"], config["Cmd"]) == (["sleep"], ["30"])
    assert (config["User"], config["WorkingDir"], config["Hostname"]) == ("1000:1000", "/tmp", "boxed")
    assert (config["StopSignal"], config["StopTimeout"]) == ("SIGINT", 2)
    assert config["Healthcheck"] == {
        "Test": ["CMD", "true"],
        "Interval": 1_500_000_000,
        "Timeout": 2_000_000_000,
        "Retries": 4,
        "StartPeriod": 3_000_000_000,
    }
    assert host["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}
    assert host["ReadonlyRootfs"] is True
    assert host["Tmpfs"] == {"/run": "size=64k", "/scratch": ""}
    assert host["Init"] is True
    assert host["CapDrop"] == ["NET_RAW"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["ExtraHosts"] == ["db:10.0.0.9"]
    assert (host["ShmSize"], host["PidsLimit"], host["MemoryReservation"]) == (128 << 20, 33, 32 << 20)
    assert host["Ulimits"] == [{"Name": "nofile", "Soft": 100, "Hard": 200}]
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "2"}}
    assert host["NetworkMode"] == "none"
    made = engine.container(wanted.name)
    assert (made.memory, made.nano_cpus, made.restart) == (64 << 20, 250_000_000, "on-failure")
    assert set(made.mounts) == {
        Mount("volume", "/data", f"{spec.name}-data", read_only=True),
        Mount("bind", "/host", "/etc"),
        Mount("tmpfs", "/fast"),
    }


def test_a_running_container_is_told_in_full(engine: Engine, start: Callable[..., str], instance: str) -> None:
    before = datetime.now(UTC) - timedelta(seconds=2)
    name = start("")
    found = engine.container(name)
    assert (found.name, found.image, found.state, found.exit_code) == (name, "busybox:latest", "running", 0)
    assert found.image_id == engine.image("busybox:latest").id
    assert found.labels["vpsctl.instance"] == instance
    assert found.pid > 0
    assert found.started is not None
    assert before < found.created <= found.started < datetime.now(UTC) + timedelta(seconds=2)
    assert found.finished is None
    assert (found.health, found.oom_killed, found.restart_count, found.error) == (None, False, 0, "")
    assert engine.container(found.id) == found
    assert engine.find_container(found.id[:12]) == found
    assert engine.inspect(name)["Id"] == found.id


def test_lists_go_by_labels_and_hold_every_state(engine: Engine, spec: ContainerSpec, start: Callable[..., str]) -> None:
    running = start("-a", labels={**spec.labels, "vpsctl.site": "shop"})
    engine.create(replace(spec, name=f"{spec.name}-b"))
    states = {summary.name: summary.state for summary in engine.summaries(spec.labels)}
    assert states == {running: "running", f"{spec.name}-b": "created"}
    assert {container.name for container in engine.containers(spec.labels)} == set(states)
    assert [summary.name for summary in engine.summaries({**spec.labels, "vpsctl.site": "shop"})] == [running]
    assert {summary.name for summary in engine.summaries()} >= set(states)


def test_a_container_that_vanishes_between_list_and_inspect_is_left_out(
    engine: Engine, spec: ContainerSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.create(replace(spec, name=f"{spec.name}-a"))
    engine.create(replace(spec, name=f"{spec.name}-b"))
    listed = engine.summaries

    def listed_then_removed(labels: dict[str, str]) -> object:
        found = listed(labels)
        engine.remove(f"{spec.name}-a")
        return found

    monkeypatch.setattr(engine, "summaries", listed_then_removed)
    assert [container.name for container in engine.containers(spec.labels)] == [f"{spec.name}-b"]


def test_attachments_with_their_aliases_hold_before_the_start(
    engine: Engine, spec: ContainerSpec, start: Callable[..., str], instance: str
) -> None:
    site, ingress = f"{instance}-site", f"{instance}-ingress"
    for network, subnet in zip((site, ingress), SUBNETS, strict=True):
        engine.create_network(network, subnet=subnet, labels=spec.labels)
    name = start("", attachments=(Attachment(site, ("app", "web")), Attachment(ingress)))
    found = engine.container(name)
    assert {key: set(aliases) for key, aliases in found.aliases.items()} == {site: {"app", "web"}, ingress: set()}
    for network, subnet in zip((site, ingress), SUBNETS, strict=True):
        assert ip_address(found.addresses[network]) in ip_network(subnet)
    assert engine.summaries(spec.labels)[0].addresses == found.addresses
    assert engine.exec(name, ["nslookup", "app"]).output.count(found.addresses[site]) >= 1
    engine.disconnect(ingress, name)
    assert set(engine.container(name).addresses) == {site}
    engine.connect(ingress, name, aliases=["late"])
    assert engine.container(name).aliases[ingress] == ("late",)
    with pytest.raises(Conflict, match="already exists"):
        engine.connect(ingress, name)
    with pytest.raises(NotFound, match="no container nobody"):
        engine.connect(site, "nobody")
    with pytest.raises(Conflict, match="active endpoints"):
        engine.remove_network(site)


def test_a_missing_network_leaves_no_container_behind(engine: Engine, spec: ContainerSpec, instance: str) -> None:
    engine.create_network(f"{instance}-site", subnet=SUBNETS[0], labels=spec.labels)
    for networks in (["nowhere"], [f"{instance}-site", "nowhere"]):
        with pytest.raises(NotFound, match="no network nowhere"):
            engine.create(replace(spec, attachments=tuple(Attachment(network) for network in networks)))
    assert engine.summaries(spec.labels) == []


def test_a_container_that_cannot_be_connected_is_removed_again(engine: Engine, spec: ContainerSpec, instance: str) -> None:
    engine.create_network(f"{instance}-a", subnet=SUBNETS[0], labels=spec.labels)
    with pytest.raises(Invalid, match="host network"):
        engine.create(replace(spec, attachments=(Attachment(f"{instance}-a"), Attachment("host"))))
    assert engine.summaries(spec.labels) == []


def test_a_name_that_exists_is_a_conflict(engine: Engine, spec: ContainerSpec) -> None:
    engine.create(spec)
    with pytest.raises(Conflict, match=f"of that name already.*{spec.name}"):
        engine.create(spec)
    engine.create(replace(spec, name=f"{spec.name}-b"))
    with pytest.raises(Conflict, match="of that name already"):
        engine.rename(f"{spec.name}-b", spec.name)
    engine.rename(f"{spec.name}-b", f"{spec.name}-c")
    assert engine.find_container(f"{spec.name}-b") is None
    assert engine.container(f"{spec.name}-c").state == "created"


def test_a_missing_image_is_not_found_and_never_pulled(engine: Engine, spec: ContainerSpec) -> None:
    with pytest.raises(NotFound, match="no image nothing:1"):
        engine.create(replace(spec, image="nothing:1"))


def test_a_bind_that_is_not_there_is_invalid(engine: Engine, spec: ContainerSpec) -> None:
    with pytest.raises(Invalid, match="/not/there"):
        engine.create(replace(spec, mounts=(Mount("bind", "/x", "/not/there"),)))


@pytest.mark.parametrize("ref", ["nobody", "", "..", "../images/json", "./x"])
def test_what_does_not_exist_is_not_found(engine: Engine, ref: str) -> None:
    with pytest.raises(NotFound) as caught:
        engine.container(ref)
    assert "vpsctl container list" in caught.value.hint
    assert engine.find_container(ref) is None


def test_published_ports_are_told_as_they_came_out(
    engine: Engine, spec: ContainerSpec, start: Callable[..., str], instance: str
) -> None:
    engine.create_network(f"{instance}-a", subnet=SUBNETS[0], labels=spec.labels)
    attachments = (Attachment(f"{instance}-a"),)
    name = start("", attachments=attachments, ports=(PortBinding(80, None), PortBinding(53, None, protocol="udp")))
    tcp, udp = sorted(engine.container(name).ports, key=lambda port: port.protocol)
    assert (tcp.container_port, tcp.host_ip, tcp.protocol) == (80, "127.0.0.1", "tcp")
    assert (udp.container_port, udp.protocol) == (53, "udp")
    assert tcp.host_port is not None
    assert set(engine.summaries(spec.labels)[0].ports) == {tcp, udp}
    second = replace(spec, name=f"{spec.name}-b", attachments=attachments, ports=(PortBinding(81, tcp.host_port),))
    engine.create(second)
    with pytest.raises(Conflict, match=f"port {tcp.host_port} is taken"):
        engine.start(second.name)
    assert engine.container(second.name).ports == (PortBinding(81, tcp.host_port),)


def test_nothing_secret_stands_in_what_is_told(engine: Engine, start: Callable[..., str]) -> None:
    name = start("", environment={"PASSWORD": Secret("c4nary-value")})
    assert "c4nary-value" not in repr(engine.container(name)) + repr(engine.summaries())
    assert "c4nary-value" in json.dumps(engine.inspect(name))
