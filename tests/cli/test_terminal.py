"""What is only so on a terminal: questions, colours, the step that runs, shells, Ctrl-C."""

import re
import signal
from collections.abc import Callable, Iterator

import pytest

from tests.cli.conftest import MakeDirectory, added
from tests.e2e.command_line import VPSCTL, CommandLine
from tests.screen import Screen
from tests.waiting import wait_for
from vpsctl.app import App
from vpsctl.run_events import Event, LogLine, StepStarted
from vpsctl.run_history import list_runs
from vpsctl.sites.deploy import deploy
from vpsctl.sites.list import list_sites
from vpsctl.sites.naming import Names
from vpsctl.sites.observe import observe
from vpsctl.sites.settle import abort

OpenScreen = Callable[..., Screen]
STYLE = re.compile(r"\x1b\[[\d;]*[mK]")
COLOUR = re.compile(r"\x1b\[[\d;]*3\d")


@pytest.fixture
def screen(process: CommandLine) -> Iterator[OpenScreen]:
    """`screen("status")` is vpsctl on a pseudo-terminal of its own."""
    opened: list[Screen] = []

    def on_screen(*words: str, **environ: str) -> Screen:
        environment = {**process.environment(), "TERM": "xterm-256color", "COLUMNS": "100", **environ}
        opened.append(Screen([VPSCTL, *words], environment))
        return opened[-1]

    yield on_screen
    for item in opened:
        item.close()


def test_a_table_is_drawn_in_colour_and_not_under_no_color(screen: OpenScreen, shop: str) -> None:
    code, seen = screen("status").end()
    assert code == 0
    assert re.search(rf"{shop}\s", seen)
    assert COLOUR.search(seen)
    assert not COLOUR.search(screen("status", NO_COLOR="1").end()[1])
    assert "\x1b[31merror: \x1b[0m" in screen("nosuch").end()[1]
    assert "\x1b" not in screen("nosuch", NO_COLOR="1").end()[1]


def test_help_is_drawn_without_taking_brackets_for_markup(screen: OpenScreen) -> None:
    code, seen = screen("deploy", "--help", NO_COLOR="1").end()
    assert code == 0
    assert "[resume|abort] SITE" in seen
    assert "Example: vpsctl deploy shop --prove" in STYLE.sub("", seen)
    code, seen = screen("site", NO_COLOR="1").end()
    assert code == 2
    assert STYLE.sub("", seen).count("Usage:") == 1
    assert "error" not in seen


def test_a_site_is_removed_only_after_a_yes(screen: OpenScreen, foundation: App, make_directory: MakeDirectory) -> None:
    with added(foundation, make_directory) as (name, _):
        for typed in ("n\n", "\n", "\x04", "y\n"):
            assert name in [site.name for site in list_sites(foundation)]
            asked = screen("site", "remove", name)
            asked.expect("Go ahead? [y/N] ")
            asked.type(typed)
            code, seen = asked.end()
            assert code == (0 if typed == "y\n" else 2)
            assert ("nothing was changed" in seen) is (typed != "y\n")
        assert name not in [site.name for site in list_sites(foundation)]


def test_data_is_removed_only_after_the_name(screen: OpenScreen, bare: str) -> None:
    asked = screen("site", "remove", bare, "--with-data", "--yes")
    asked.expect(f"Type {bare} to go ahead: ")
    asked.type("yes\n")
    code, seen = asked.end()
    assert code == 2
    assert "nothing was changed" in seen


def test_a_credential_is_typed_unseen(screen: OpenScreen, process: CommandLine) -> None:
    asked = screen("cred", "set", "TYPED")
    asked.expect("Value of TYPED (not shown): ")
    asked.type("hunter22\n")
    code, seen = asked.end()
    assert code == 0
    assert "TYPED is at version 1" in seen
    assert "hunter22" not in seen
    process.done("cred", "remove", "TYPED", "--yes")


@pytest.mark.parametrize(("typed", "code", "said"), [("\x03", 130, "interrupted"), ("\x04", 2, "no value for TYPED")])
def test_a_credential_that_is_not_typed(screen: OpenScreen, typed: str, code: int, said: str) -> None:
    asked = screen("cred", "set", "TYPED")
    asked.expect("(not shown): ")
    asked.type(typed)
    ended, seen = asked.end()
    assert ended == code
    assert f"error: \x1b[0m{said}" in seen
    assert "Traceback" not in seen


def test_a_shell_in_a_container(screen: OpenScreen, shop: str) -> None:
    shell = screen("exec", shop, "--", "sh")
    shell.expect("# ")
    shell.type("test -t 0 && echo is-a-$((20 + 22))-tty\n")
    shell.expect("is-a-42-tty")
    shell.type("exit 9\n")
    code, seen = shell.end()
    assert code == 9
    assert "error" not in seen


def test_ctrl_c_ends_followed_logs_without_a_word(screen: OpenScreen, shop: str, foundation: App) -> None:
    for words in (["logs", shop, "-f"], ["container", "logs", f"{foundation.settings.instance}-{shop}-app-r1-1", "-f"]):
        following = screen(*words)
        following.expect("listens")
        following.type("\x03")
        code, seen = following.end()
        assert code == 130
        assert seen.splitlines()[-1].endswith(("listens", "^C"))
        assert "Traceback" not in seen


def test_the_step_that_runs_is_shown_until_it_ends(screen: OpenScreen, shop: str) -> None:
    code, seen = screen("restart", shop).end()
    assert code == 0
    assert "  … restart\r" in seen
    assert re.search(r"\x1b\[2K\r  \x1b\[32m✓\x1b\[0m restart +\d", seen)
    assert seen.splitlines()[-1] == f"{shop}: 1 restarted"


@pytest.fixture
def slow(foundation: App, make_directory: MakeDirectory) -> Iterator[str]:
    """A site with a release that serves, whose next deploy lasts until it is interrupted."""
    with added(foundation, make_directory) as (name, directory):
        deploy(foundation, name)
        (directory / "compose.yaml").write_text((directory / "compose.yaml").read_text().replace("bake: 1s", "bake: 60s"))
        yield name


def test_ctrl_c_in_a_deploy_takes_it_back_and_says_what_stands(
    screen: OpenScreen, process: CommandLine, foundation: App, slow: str
) -> None:
    deploying = screen("deploy", slow)
    deploying.expect("… bake", 60)
    deploying.type("\x03")
    code, seen = deploying.end()
    assert code == 130
    run = process.data("run", "list", slow)[0]
    tail = STYLE.sub("", seen).replace("\r", "\n")
    assert "error: interrupted; r1 still serves\n" in tail.replace("\n\n", "\n")
    assert f"hint:  vpsctl run show {run['id']}" in tail
    assert (run["state"], run["error"]["message"]) == ("failed", "it was interrupted from the keyboard")
    observed = observe(foundation, Names(foundation.settings.instance, slow))
    assert observed.serving == 1
    assert [item.labels["vpsctl.release"] for item in observed.containers if item.state == "running"] == ["1"]


def test_ctrl_c_twice_leaves_the_rest_to_the_next_deploy(foundation: App, slow: str) -> None:
    def impatient(event: Event) -> None:
        if isinstance(event, StepStarted) and event.name == "bake":
            raise KeyboardInterrupt
        if isinstance(event, LogLine) and event.text.startswith("going back"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        deploy(foundation, slow, report=impatient)
    assert caught.value.__notes__ == [f"r2 of {slow} is half taken back: vpsctl deploy abort {slow}"]
    run = list_runs(foundation, slow, "deploy")[0]
    assert run.state == "interrupted"
    assert abort(foundation, slow).serving == 1
    assert list_runs(foundation, slow, "deploy")[0].state == "undone"


def test_ctrl_c_under_json_is_an_object(process: CommandLine, slow: str) -> None:
    deploying = process.start("deploy", slow, "--json")
    wait_for(lambda: _baking(process, slow), "bake", 60)
    deploying.send_signal(signal.SIGINT)
    out, err = deploying.communicate(timeout=60)
    assert deploying.returncode == 130
    assert '"message": "interrupted; r1 still serves"' in out
    assert err.startswith("error: interrupted; r1 still serves\nhint:  vpsctl run show ")


def _baking(process: CommandLine, site: str) -> bool:
    run = process.data("run", "list", site, "--kind", "deploy")[0]
    return bool(run["state"] == "running" and process.data("run", "show", str(run["id"]))["steps"][-1]["name"] == "bake")
