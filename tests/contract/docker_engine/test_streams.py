"""Logs line by line, and events: whole, in order, with their times, and ending when they are told to."""

import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise

import pytest

from tests.conftest import docker_host
from tests.waiting import wait_for
from vpsctl.docker_engine.engine import Engine
from vpsctl.docker_engine.types import ContainerSpec, LogLine
from vpsctl.errors import Failed, NotFound

SOON = timedelta(seconds=20)


def texts(lines: list[LogLine], stream: str = "stdout") -> list[str]:
    return [line.text for line in lines if line.stream == stream]


@pytest.fixture
def talker(engine: Engine, start: Callable[..., str]) -> str:
    """It says a few lines, a long one and an unfinished one, and ends."""
    name = start(
        "",
        command=(
            "sh",
            "-c",
            "echo one; echo bad >&2; echo; printf 'tab\\there ünï\\n'; "
            "head -c 40000 /dev/zero | tr '\\0' x; echo; printf rest",
        ),
    )
    engine.wait(name, timeout=SOON)
    return name


def test_lines_come_apart_by_stream_and_whole(engine: Engine, talker: str) -> None:
    lines = list(engine.logs(talker))
    assert texts(lines) == ["one", "", "tab\there ünï", "x" * 40_000, "rest"]
    assert texts(lines, "stderr") == ["bad"]


def test_lines_carry_their_time(engine: Engine, talker: str) -> None:
    begun = engine.container(talker).created
    times = [line.at for line in engine.logs(talker)]
    assert len(times) == 6
    assert all(at is not None and begun < at < begun + SOON for at in times)


def test_tail_takes_the_last_lines(engine: Engine, talker: str) -> None:
    assert texts(list(engine.logs(talker, tail=1))) == ["rest"]
    assert list(engine.logs(talker, tail=0)) == []


def test_since_leaves_out_what_was_before(engine: Engine, start: Callable[..., str]) -> None:
    name = start("", command=("sh", "-c", "echo early; sleep 0.3; echo late"))
    engine.wait(name, timeout=SOON)
    early, late = engine.logs(name)
    assert early.at is not None
    assert texts(list(engine.logs(name, since=early.at + timedelta(milliseconds=100)))) == [late.text]
    assert list(engine.logs(name, since=datetime.now(UTC) + timedelta(seconds=5))) == []


def test_follow_hears_each_line_as_it_is_said_and_ends_with_the_container(engine: Engine, start: Callable[..., str]) -> None:
    script = ("sh", "-c", "echo ready; while [ ! -e /go ]; do sleep 0.02; done; echo gone")
    name = start("", command=script)
    lines = engine.logs(name, follow=True)
    assert next(lines).text == "ready"
    engine.put_file(name, "/go", b"")
    assert [line.text for line in lines] == ["gone"]


def test_follow_is_closed_while_the_container_goes_on(engine: Engine, start: Callable[..., str]) -> None:
    name = start("", command=("sh", "-c", "echo ready; sleep 100"))
    with closing(engine.logs(name, follow=True)) as lines:  # type: ignore[type-var]
        assert next(lines).text == "ready"
    assert engine.container(name).state == "running"


def test_a_terminals_output_is_read_too(engine: Engine, start: Callable[..., str]) -> None:
    name = start("", command=("sh", "-c", "echo one; echo two >&2; printf rest"), tty=True)
    engine.wait(name, timeout=SOON)
    assert [(line.stream, line.text) for line in engine.logs(name)] == [("stdout", text) for text in ("one", "two", "rest")]
    assert all(line.at is not None for line in engine.logs(name))


def test_logs_that_a_driver_does_not_keep_are_an_error_of_ours(engine: Engine, start: Callable[..., str]) -> None:
    name = start("", log_driver="none")
    with pytest.raises(Failed, match="does not support reading"):
        list(engine.logs(name))


def test_a_missing_container_is_told_before_the_first_line(engine: Engine) -> None:
    with pytest.raises(NotFound, match="no container nobody"):
        engine.logs("nobody")


def test_events_tell_the_life_of_our_containers_only(engine: Engine, spec: ContainerSpec, start: Callable[..., str]) -> None:
    since = datetime.now(UTC) - timedelta(seconds=1)
    start("-other", labels={"vpsctl.instance": "someone-else"})
    try:
        name = start("", command=("sh", "-c", "exit 4"))
        engine.wait(name, timeout=SOON)
        with closing(engine.events(labels=spec.labels, since=since)) as events:  # type: ignore[type-var]
            found = list(islice(events, 3))
    finally:
        engine.remove(f"{spec.name}-other", force=True)
    assert [event["Action"] for event in found] == ["create", "start", "die"]
    assert found[2]["Actor"]["Attributes"]["exitCode"] == "4"
    assert all(before["timeNano"] < after["timeNano"] for before, after in pairwise(found))


def test_closing_the_engine_ends_a_listener_in_another_thread(spec: ContainerSpec) -> None:
    other = Engine(docker_host())
    heard: list[object] = []
    ended = threading.Event()
    began = threading.Event()

    def listen() -> None:
        began.set()
        heard.extend(other.events(labels=spec.labels))
        ended.set()

    thread = threading.Thread(target=listen)
    thread.start()
    began.wait(10)
    wait_for(lambda: other._streams, "open stream")
    other.close()
    thread.join(10)
    assert ended.is_set()
    assert heard == []
