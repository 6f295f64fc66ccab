"""Builds by either builder: the same outcome, the same way to fail."""

import os
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import docker
import pytest

from tests.contract.docker_engine.conftest import IMAGE
from tests.waiting import wait_for
from vpsctl.docker_engine.buildkit import find_client
from vpsctl.docker_engine.engine import Engine
from vpsctl.docker_engine.types import BuildSpec, ContainerSpec, Image
from vpsctl.errors import Failed, Invalid

CAP = 256 << 20
needs_buildkit = pytest.mark.skipif(find_client() is None, reason="no docker program here builds by BuildKit")
builders = pytest.mark.parametrize("memory", [CAP, pytest.param(None, marks=needs_buildkit)], ids=["engine", "buildkit"])
Build = Callable[..., Image]


@pytest.fixture
def log() -> list[str]:
    return []


@pytest.fixture
def build(engine: Engine, spec: ContainerSpec, instance: str, tmp_path: Path, log: list[str]) -> Build:
    """Build a Dockerfile in a directory of its own, the lines of the log in `log`."""

    def built(text: str, /, **options: object) -> Image:
        (tmp_path / "Dockerfile").write_text(text)
        given = {"dockerfile": "Dockerfile", "labels": spec.labels, "tag": f"{instance}:built", **options}
        return engine.build(BuildSpec(str(tmp_path), **given), on_line=log.append)  # type: ignore[arg-type]

    return built


@builders
def test_target_arguments_and_labels(build: Build, log: list[str], instance: str, memory: int | None) -> None:
    awkward = "x 'y' \"z\" $HOME ünï"
    image = build(
        f"FROM {IMAGE} AS one\nARG GIVEN\nENV GIVEN=$GIVEN\nFROM one AS two\nRUN exit 1\n",
        target="one",
        args={"GIVEN": awkward},
        labels={"vpsctl.instance": instance, "vpsctl.site": "it's"},
        memory=memory,
    )
    assert image.environment["GIVEN"] == awkward
    assert dict(image.labels) == {"vpsctl.instance": instance, "vpsctl.site": "it's"}
    assert image.tags == (f"{instance}:built",)
    assert any(IMAGE.removesuffix(":latest") in line for line in log)


@builders
def test_the_context_without_what_is_ignored(
    engine: Engine, build: Build, tmp_path: Path, start: Callable[..., str], memory: int | None
) -> None:
    (tmp_path / ".dockerignore").write_text("# not these\n\nsecret*\n!secret.example\n")
    (tmp_path / "kept ü").write_text("kept")
    (tmp_path / "secret.env").write_text("hush")
    (tmp_path / "secret.example").write_text("shown")
    image = build(f"FROM {IMAGE}\nCOPY . /site\n", memory=memory)
    name = start("", image=image.id)
    listed = engine.exec(name, ["sh", "-c", "cd /site; printf '%s/' *"])
    assert listed.output.split("/")[:-1] == ["Dockerfile", "kept ü", "secret.example"]


@builders
def test_a_dockerfile_outside_the_context(
    build: Build, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, memory: int | None
) -> None:
    elsewhere = tmp_path_factory.mktemp("generated") / "Dockerfile.node"
    elsewhere.write_text(f"FROM {IMAGE}\nENV WHICH=outside\nCOPY here /here\n")
    (tmp_path / "here").write_text("")
    assert build("FROM nothing", dockerfile=str(elsewhere), memory=memory).environment["WHICH"] == "outside"


@builders
def test_a_step_that_fails_is_named_with_its_last_lines(build: Build, log: list[str], memory: int | None) -> None:
    with pytest.raises(Failed) as caught:
        build(f"FROM {IMAGE}\nRUN (seq 1 50; echo at-last) >&2; exit 3\nRUN true\n", memory=memory)
    first, *last = caught.value.message.split("\n")
    assert "failed at `RUN (seq 1 50;" in first
    assert "code: 3" in first
    assert len(last) <= 20
    assert any("at-last" in line for line in last)
    assert "Dockerfile" in caught.value.hint
    assert any(line.endswith("25") for line in log)
    assert not any("\x1b" in line for line in log)


@builders
def test_a_dockerfile_with_an_error(build: Build, memory: int | None) -> None:
    with pytest.raises(Failed, match="unknown instruction: NONSENSE"):
        build(f"FROM {IMAGE}\nNONSENSE\n", memory=memory)


@builders
def test_an_image_to_start_from_that_is_not_to_be_had(build: Build, memory: int | None) -> None:
    with pytest.raises(Failed, match="connection refused"):
        build("FROM 127.0.0.1:1/nothing\n", memory=memory)


@builders
def test_a_build_past_its_deadline_is_ended(build: Build, memory: int | None) -> None:
    with pytest.raises(Failed, match="longer than its deadline"):
        build(f"FROM {IMAGE}\nRUN sleep 61\n", memory=memory, deadline=timedelta(seconds=1))
    wait_for(lambda: not running("sleep 61"), "end of the step")


@builders
def test_an_interrupted_build_is_ended(
    build: Build, engine: Engine, spec: ContainerSpec, tmp_path: Path, memory: int | None
) -> None:
    def interrupt(line: str) -> None:
        if "sleep 62" in line:
            wait_for(lambda: running("sleep 62"), "step")
            raise KeyboardInterrupt

    (tmp_path / "Dockerfile").write_text(f"FROM {IMAGE}\nRUN sleep 62\nRUN true\n")
    with pytest.raises(KeyboardInterrupt):
        engine.build(BuildSpec(str(tmp_path), "Dockerfile", spec.name, labels=spec.labels, memory=memory), on_line=interrupt)
    wait_for(lambda: not running("sleep 62"), "end of the step")


def running(command: str) -> bool:
    """Whether a process of exactly this command line runs on the machine."""
    wanted = command.replace(" ", "\0").encode() + b"\0"
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if process.read_bytes() == wanted:
                return True
        except OSError:
            continue
    return False


@pytest.mark.parametrize("error", [OSError(32, "Broken pipe"), ValueError("mine")])
def test_an_error_of_the_listener_stays_what_it_is(
    engine: Engine, spec: ContainerSpec, tmp_path: Path, error: Exception
) -> None:
    def fail(line: str) -> None:
        raise error

    (tmp_path / "Dockerfile").write_text(f"FROM {IMAGE}\nRUN sleep 63\n")
    with pytest.raises(type(error)) as caught:
        engine.build(BuildSpec(str(tmp_path), "Dockerfile", spec.name, labels=spec.labels, memory=CAP), on_line=fail)
    assert caught.value is error


def test_the_caps_hold_for_each_step(build: Build, log: list[str], docker_client: docker.DockerClient) -> None:
    seen: dict[str, int] = {}

    def look() -> None:
        def limits() -> bool:
            for found in docker_client.api.containers():
                body = docker_client.api.inspect_container(found["Id"])
                if "sleep 0.9" in " ".join(body["Config"]["Cmd"] or ()):
                    seen.update({key: body["HostConfig"][key] for key in ("Memory", "MemorySwap", "CpuQuota", "CpuPeriod")})
            return bool(seen)

        wait_for(limits, "build container", 20)

    watcher = threading.Thread(target=look)
    watcher.start()
    build(f"FROM {IMAGE}\nRUN sleep 0.9\n", memory=CAP, cpus=0.5)
    watcher.join()
    assert seen == {"Memory": CAP, "MemorySwap": CAP, "CpuQuota": 50_000, "CpuPeriod": 100_000}


def test_a_step_that_takes_more_memory_than_its_cap_is_told_so(build: Build) -> None:
    with pytest.raises(Failed) as caught:
        build(f"FROM {IMAGE}\nRUN head -c 200m /dev/zero | tail > /dev/null; exit 137\n", memory=32 << 20)
    assert "builder_memory" in caught.value.hint


@needs_buildkit
def test_what_only_buildkit_can_build_is_built_by_it_and_says_that_no_cap_holds(build: Build, log: list[str]) -> None:
    build(f"FROM {IMAGE}\nRUN --mount=type=tmpfs,target=/x touch /x/y\n", memory=CAP)
    assert "RUN --mount" in log[0]
    assert "no limit holds" in log[0]


def test_without_buildkit_it_is_refused_with_the_way_out(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    find_client.cache_clear()
    try:
        with pytest.raises(Invalid, match="needs BuildKit for `RUN --mount") as caught:
            build(f"FROM {IMAGE}\nRUN --mount=type=tmpfs,target=/x true\n", memory=CAP)
        assert "install" in caught.value.hint
        assert build(f"FROM {IMAGE}\nENV BY=engine\n").environment["BY"] == "engine"
    finally:
        find_client.cache_clear()


PRETENDER = """#!/bin/sh
case $1 in
  --version) echo Docker version 20.1 ;;
  build) env; exit 1 ;;
  *) exit 1 ;;
esac
"""


def test_our_settings_do_not_reach_the_docker_program(
    build: Build, log: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "docker").write_text(PRETENDER)
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("VPSCTL_POSTGRES_URL", "c4nary")
    find_client.cache_clear()
    try:
        with pytest.raises(Failed):
            build(f"FROM {IMAGE}\n")
    finally:
        find_client.cache_clear()
    assert "DOCKER_BUILDKIT=1" in log
    assert not any("c4nary" in line for line in log)


@pytest.mark.parametrize(
    ("directory", "dockerfile", "said"), [(".", "Other", "cannot read Other"), ("gone", "", "no directory")]
)
def test_nothing_to_build_from(engine: Engine, tmp_path: Path, directory: str, dockerfile: str, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        engine.build(BuildSpec(str(tmp_path / directory), dockerfile, "x"), on_line=lambda line: None)
