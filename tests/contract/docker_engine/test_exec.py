"""Commands in a running container: their output, their input, their exit codes."""

import threading
from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.waiting import wait_for
from vpsctl.docker_engine.engine import Engine
from vpsctl.errors import Conflict, Failed, Invalid, NotFound
from vpsctl.secret import Secret


def test_output_and_exit_code(engine: Engine, resident: str) -> None:
    done = engine.exec(resident, ["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (done.exit_code, sorted(done.output.split())) == (3, ["err", "out"])
    assert engine.exec(resident, ["true"]).exit_code == 0


@pytest.mark.parametrize("argument", ["a b", "$HOME", "'\"`", "ünï\n☃", ""])
def test_arguments_arrive_unchanged(engine: Engine, resident: str, argument: str) -> None:
    assert engine.exec(resident, ["printf", "%s", argument]).output == argument


def test_environment_user_and_directory(engine: Engine, resident: str) -> None:
    given: dict[str, str | Secret] = {"PLAIN": "p'1", "HIDDEN": Secret("h $2")}
    done = engine.exec(
        resident, ["sh", "-c", 'echo "$PLAIN|$HIDDEN"; id -u; pwd'], environment=given, user="1234", workdir="/tmp"
    )
    assert done.output.splitlines() == ["p'1|h $2", "1234", "/tmp"]


def test_input_larger_than_any_buffer_goes_in_and_comes_out(engine: Engine, resident: str) -> None:
    data = bytes(range(32, 127)) * 20_000
    done = engine.exec(resident, ["cat"], stdin=data)
    assert done.exit_code == 0
    assert done.output.encode() == data


def test_no_input_is_an_end_at_once(engine: Engine, resident: str) -> None:
    assert engine.exec(resident, ["wc", "-c"], stdin=b"").output.strip() == "0"


def test_input_nobody_reads_does_no_harm(engine: Engine, resident: str) -> None:
    assert engine.exec(resident, ["sh", "-c", "exit 5"], stdin=b"x" * 5_000_000).exit_code == 5


def test_bytes_that_are_no_text_are_replaced(engine: Engine, resident: str) -> None:
    assert engine.exec(resident, ["printf", "a\\377b"]).output == "a\ufffdb"


@pytest.mark.parametrize(
    ("argv", "options"),
    [(["no-such-program"], {}), (["true"], {"workdir": "/no/such"}), (["true"], {"user": "nobody-of-that-name"})],
)
def test_what_cannot_be_executed_has_a_code_and_says_why(
    engine: Engine, resident: str, argv: list[str], options: dict[str, str]
) -> None:
    done = engine.exec(resident, argv, **options)  # type: ignore[arg-type]
    assert done.exit_code in (126, 127)
    assert "no" in done.output


def when_a_command_runs(engine: Engine, name: str, act: Callable[[], None]) -> threading.Thread:
    """Do it in a thread, once a command runs beside the container's own two processes."""

    def wait_and_act() -> None:
        wait_for(lambda: len(engine.top(name)[1]) > 2, "command")
        act()

    thread = threading.Thread(target=wait_and_act)
    thread.start()
    return thread


def test_a_container_killed_in_mid_command_shows_in_the_exit_code(engine: Engine, start: Callable[..., str]) -> None:
    name = start("")
    killer = when_a_command_runs(engine, name, lambda: engine.kill(name))
    done = engine.exec(name, ["sh", "-c", "echo begun; sleep 60"])
    killer.join()
    assert (done.exit_code, done.output) == (137, "begun\n")


def test_a_container_removed_in_mid_command_is_a_failure(engine: Engine, start: Callable[..., str]) -> None:
    name = start("")
    killer = when_a_command_runs(engine, name, lambda: engine.remove(name, force=True))
    try:
        done = engine.exec(name, ["sleep", "60"])
    except Failed as error:
        assert "removed" in error.message
    else:
        assert done.exit_code == 137
    killer.join()


def test_a_stopped_container_runs_nothing(engine: Engine, start: Callable[..., str]) -> None:
    name = start("")
    engine.kill(name)
    engine.wait(name, timeout=timedelta(seconds=10))
    with pytest.raises(Conflict, match="not running"):
        engine.exec(name, ["true"])


def test_a_missing_container_is_not_found(engine: Engine) -> None:
    with pytest.raises(NotFound, match="no container nobody"):
        engine.exec("nobody", ["true"])


def test_files_go_in_and_come_out(engine: Engine, start: Callable[..., str]) -> None:
    name = start("")
    data = bytes(range(256)) * 1000
    engine.put_file(name, "/tmp/a file 'ü'", data, mode=0o600)
    assert engine.get_file(name, "/tmp/a file 'ü'") == data
    assert engine.exec(name, ["stat", "-c", "%a %u %s", "/tmp/a file 'ü'"]).output.split() == ["600", "0", str(len(data))]
    engine.exec(name, ["ln", "-s", "/tmp/a file 'ü'", "/link"])
    assert engine.get_file(name, "/link") == data
    engine.kill(name)
    engine.put_file(name, "/later", b"stopped")
    assert engine.get_file(name, "/later") == b"stopped"


def test_files_that_are_not_there_or_not_files(engine: Engine, resident: str) -> None:
    with pytest.raises(NotFound, match="/no/file"):
        engine.get_file(resident, "/no/file")
    with pytest.raises(NotFound, match="/no/directory"):
        engine.put_file(resident, "/no/directory/x", b"")
    with pytest.raises(Invalid, match="not a regular file"):
        engine.get_file(resident, "/bin")
    with pytest.raises(NotFound, match="no container nobody"):
        engine.get_file("nobody", "/bin/sh")


def test_stats_of_those_that_run(engine: Engine, start: Callable[..., str]) -> None:
    idle = start("-idle", memory=64 << 20)
    stopped = start("-stopped", command=("true",))
    busy = start("-busy", command=("sh", "-c", "while :; do :; done"), nano_cpus=300_000_000, memory=32 << 20)
    wait_for(lambda: engine.container(stopped).state == "exited", "end")
    found = engine.stats([busy, "nobody", stopped, idle])
    assert [sample.name for sample in found] == [busy, idle]
    assert 15 < found[0].cpu_percent < 45
    assert found[1].cpu_percent < 10
    assert (found[0].memory_limit, found[1].memory_limit) == (32 << 20, 64 << 20)
    assert 0 < found[1].memory < 16 << 20
    assert found[1].pids == 2
    assert engine.stats([]) == []


def test_stats_leave_out_the_page_cache(engine: Engine, start: Callable[..., str]) -> None:
    name = start("", memory=128 << 20)
    engine.exec(name, ["dd", "if=/dev/zero", "of=/big", "bs=1M", "count=40"])
    assert engine.stats([name])[0].memory < 16 << 20


def test_top_names_the_processes(engine: Engine, resident: str) -> None:
    titles, rows = engine.top(resident)
    commands = [row[titles.index("CMD")] for row in rows]
    assert "sleep 600" in commands
    assert all(len(row) == len(titles) for row in rows)
