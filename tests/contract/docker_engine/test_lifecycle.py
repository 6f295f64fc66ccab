"""From start to removal: what a container does when it is told to, and what we are told when it cannot."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import docker
import pytest

from tests.waiting import wait_for
from vpsctl.docker_engine.engine import Engine
from vpsctl.docker_engine.types import ContainerSpec, HealthcheckSpec, Mount
from vpsctl.errors import Conflict, Failed, NotFound

SOON = timedelta(seconds=20)
AT_ONCE = timedelta(0)


def test_it_stops_within_its_grace_and_starts_again(engine: Engine, start: Callable[..., str]) -> None:
    name = start("")
    engine.stop(name)
    stopped = engine.container(name)
    assert (stopped.state, stopped.exit_code, stopped.pid) == ("exited", 143, 0)
    assert stopped.finished is not None
    engine.stop(name)
    engine.start(name)
    engine.start(name)
    assert engine.container(name).state == "running"


def test_the_stop_signal_and_the_grace_are_its_own(engine: Engine, start: Callable[..., str]) -> None:
    script = ("sh", "-c", "trap 'exit 7' INT; trap '' TERM; echo up; while :; do sleep 0.05; done")
    name = start("", command=script, stop_signal="SIGINT", stop_grace=SOON)
    wait_for(lambda: list(engine.logs(name)), "trap")
    engine.stop(name)
    assert engine.container(name).exit_code == 7


def test_a_container_deaf_to_signals_is_killed_after_the_grace(engine: Engine, start: Callable[..., str]) -> None:
    name = start("", command=("sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.05; done"), init=None)
    wait_for(lambda: list(engine.logs(name)), "trap")
    engine.stop(name, grace=timedelta(milliseconds=300))
    assert engine.container(name).exit_code == 137


def test_wait_tells_the_exit_code(engine: Engine, start: Callable[..., str]) -> None:
    assert engine.wait(start("", command=("sh", "-c", "exit 3")), timeout=SOON) == 3


def test_wait_gives_up_at_its_timeout(engine: Engine, start: Callable[..., str]) -> None:
    name = start("")
    with pytest.raises(Failed, match=r"still runs after 0\.3 s"):
        engine.wait(name, timeout=timedelta(seconds=0.3))
    assert engine.container(name).state == "running"


def test_a_container_out_of_memory_says_so(engine: Engine, start: Callable[..., str]) -> None:
    # busybox tail keeps a line without an end in memory. The shell outlives it: where the killed process is the only one,
    # the Engine now and then learns of the exit before the cause (20.10: once in ten or so).
    name = start("", command=("sh", "-c", "head -c 200m /dev/zero | tail; sleep 0.5"), memory=16 << 20, init=None)
    engine.wait(name, timeout=SOON)
    assert engine.container(name).oom_killed


def test_a_program_that_is_not_there_is_a_failure_in_the_engines_words(engine: Engine, spec: ContainerSpec) -> None:
    engine.create(replace(spec, entrypoint=("/no/such-program",), init=None))
    with pytest.raises(Failed, match=r"/no/such-program.*no such file or directory") as caught:
        engine.start(spec.name)
    assert "\n" not in caught.value.message
    assert "/no/such-program" in engine.container(spec.name).error


def test_kill_pause_and_restart(engine: Engine, start: Callable[..., str]) -> None:
    name = start("")
    engine.pause(name)
    assert engine.container(name).state == "paused"
    with pytest.raises(Conflict, match="already paused"):
        engine.pause(name)
    engine.unpause(name)
    with pytest.raises(Conflict, match="not paused"):
        engine.unpause(name)
    before = engine.container(name)
    engine.restart(name, grace=AT_ONCE)
    after = engine.container(name)
    assert after.state == "running"
    assert before.started is not None
    assert after.started is not None
    assert after.started > before.started
    engine.kill(name, "KILL")
    assert engine.wait(name, timeout=SOON) == 137
    with pytest.raises(Conflict, match="not running"):
        engine.kill(name)


def test_a_restart_policy_restarts_and_is_changed_without_a_restart(engine: Engine, start: Callable[..., str]) -> None:
    name = start("", command=("sh", "-c", "exit 1"), restart="on-failure", restart_retries=2)
    wait_for(lambda: engine.container(name).state == "exited", "end of the restarts")
    assert engine.container(name).restart_count == 2
    other = start("-b")
    pid = engine.container(other).pid
    engine.set_restart(other, "unless-stopped")
    found = engine.container(other)
    assert (found.restart, found.pid) == ("unless-stopped", pid)


def test_limits_change_while_it_runs(engine: Engine, start: Callable[..., str]) -> None:
    name = start("", memory=32 << 20)
    pid = engine.container(name).pid
    engine.update_limits(name, memory=256 << 20, nano_cpus=None)
    engine.update_limits(name, memory=None, nano_cpus=500_000_000)
    found = engine.container(name)
    assert (found.memory, found.nano_cpus, found.pid) == (256 << 20, 500_000_000, pid)


def test_health_is_told(engine: Engine, start: Callable[..., str]) -> None:
    tenth = timedelta(seconds=0.1)
    name = start("", healthcheck=HealthcheckSpec(("CMD", "test", "-e", "/well"), tenth, SOON, 1))
    assert engine.container(name).health in ("starting", "unhealthy")
    wait_for(lambda: engine.container(name).health == "unhealthy", "unhealthy")
    engine.put_file(name, "/well", b"")
    wait_for(lambda: engine.container(name).health == "healthy", "healthy")
    assert "(healthy)" in next(item.status for item in engine.summaries() if item.name == name)


def test_a_running_container_is_removed_only_by_force(engine: Engine, start: Callable[..., str]) -> None:
    name = start("")
    with pytest.raises(Conflict, match="running"):
        engine.remove(name)
    engine.remove(name, force=True)
    with pytest.raises(NotFound, match=f"no container {name}"):
        engine.remove(name)


def test_anonymous_volumes_go_with_our_containers_only(
    engine: Engine, spec: ContainerSpec, docker_client: docker.DockerClient, instance: str
) -> None:
    engine.create_volume(f"{instance}-named", labels=spec.labels)
    mounts = (Mount("volume", "/anonymous"), Mount("volume", "/named", f"{instance}-named"))
    kept = []
    for labels in (spec.labels, {"someone": "else"}):
        engine.create(replace(spec, mounts=mounts, labels=labels))
        anonymous = next(mount.source for mount in engine.container(spec.name).mounts if mount.target == "/anonymous")
        assert anonymous is not None
        engine.remove(spec.name)
        if engine.find_volume(anonymous) is not None:
            kept.append(labels)
            docker_client.api.remove_volume(anonymous)
    assert kept == [{"someone": "else"}]
    assert engine.find_volume(f"{instance}-named") is not None


@pytest.mark.parametrize("verb", ["start", "stop", "restart", "kill", "pause", "unpause", "remove", "top", "logs"])
def test_every_verb_says_that_there_is_no_such_container(engine: Engine, verb: str) -> None:
    with pytest.raises(NotFound, match="no container nobody"):
        getattr(engine, verb)("nobody")
