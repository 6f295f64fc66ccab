"""`exec_terminal` in a process of its own, on a real pseudo-terminal or on plain pipes."""

import signal
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator

import pytest

from tests.conftest import docker_host
from tests.screen import Screen
from vpsctl.docker_engine.engine import Engine

PROGRAM = """
import sys
from contextlib import closing
from vpsctl.docker_engine.engine import Engine
from vpsctl.errors import VpsctlError
url, tty, container, *argv = sys.argv[1:]
with closing(Engine(url)) as engine:
    try:
        sys.exit(engine.exec_terminal(container, argv, tty=tty == "tty"))
    except VpsctlError as error:
        sys.exit(f"{error.code}: {error.message}")
"""


def command(mode: str, container: str, *argv: str) -> list[str]:
    return [sys.executable, "-W", "error", "-c", PROGRAM, docker_host(), mode, container, *argv]


@pytest.fixture
def screen(resident: str) -> Iterator[Callable[..., Screen]]:
    opened: list[Screen] = []

    def on_screen(*argv: str) -> Screen:
        opened.append(Screen(command("tty", resident, *argv)))
        return opened[-1]

    yield on_screen
    for item in opened:
        item.close()


def test_a_shell_on_a_terminal(screen: Callable[..., Screen]) -> None:
    shown = screen("sh")
    shown.expect("# ")
    shown.type("test -t 0 && echo is-a-$((20 + 22))-tty\n")
    shown.expect("is-a-42-tty")
    shown.type("exit 9\n")
    assert shown.process.wait(15) == 9
    assert termios.tcgetattr(shown.follower) == shown.before


def test_an_interrupt_goes_to_the_command_and_not_to_us(screen: Callable[..., Screen]) -> None:
    shown = screen("sh", "-c", "trap 'echo caught; exit 6' INT; echo ready; while :; do sleep 0.05; done")
    shown.expect("ready")
    shown.type("\x03")
    shown.expect("caught")
    assert shown.process.wait(15) == 6


def test_the_size_of_the_window_follows(screen: Callable[..., Screen]) -> None:
    shown = screen("sh", "-c", "while :; do stty size; sleep 0.05; done")
    shown.expect("30 90")
    shown.resize(44, 120)
    shown.process.send_signal(signal.SIGWINCH)
    shown.expect("44 120")
    shown.type("\x03")
    assert shown.process.wait(15) == 130


def test_the_terminal_is_restored_when_we_are_interrupted(screen: Callable[..., Screen]) -> None:
    shown = screen("sh", "-c", "echo ready; sleep 60")
    shown.expect("ready")
    assert termios.tcgetattr(shown.follower) != shown.before
    shown.process.send_signal(signal.SIGINT)
    shown.process.wait(15)
    assert termios.tcgetattr(shown.follower) == shown.before


def test_pipes_carry_input_output_and_errors_apart(resident: str) -> None:
    argv = command("pipes", resident, "sh", "-c", "cat; echo oops >&2; exit 4")
    done = subprocess.run(argv, input=b"a\x00b\xff" * 30_000, capture_output=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (4, b"a\x00b\xff" * 30_000, b"oops\n")


@pytest.mark.parametrize("mode", ["pipes", "tty"])
def test_without_any_input_it_still_works(resident: str, mode: str) -> None:
    done = subprocess.run(
        command(mode, resident, "echo", "hello"), stdin=subprocess.DEVNULL, capture_output=True, timeout=30
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, b"hello", b"")


def test_a_command_that_ends_before_its_input_does(resident: str) -> None:
    with subprocess.Popen(
        command("pipes", resident, "echo", "brief"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.read() == b"brief\n"
        assert process.wait(15) == 0


def test_a_missing_container_leaves_the_terminal_alone(engine: Engine) -> None:
    done = subprocess.run(
        command("tty", "nobody", "sh"), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stderr.strip()) == (1, "not_found: no container nobody on this engine")
