"""What holds for every command: help, an example that works, the common options, hints that can be typed."""

import ast
import re
import shlex
from collections.abc import Iterator

import pytest

from tests.cli.commands import LINES, find, leaves, loaded
from tests.project.sources import ROOT, modules
from vpsctl.cli import output
from vpsctl.cli.catalogue import COMMANDS
from vpsctl.cli.main import run

ALL = dict(leaves())
NAMES = [" ".join(path) for path in ALL]
COMMON = ["--json", "--quiet", "--debug"]


def test_every_command_has_a_line_in_the_tests() -> None:
    assert sorted(LINES) == sorted(NAMES)


def test_every_module_of_commands_is_in_the_catalogue() -> None:
    held = {path.stem for path in (ROOT / "vpsctl" / "cli").glob("*.py") if "typer.Typer(" in path.read_text()}
    assert held - {"main"} == {module.rpartition(".")[2] for module, _ in COMMANDS.values()}


@pytest.mark.parametrize("name", [name for name in COMMANDS if hasattr(loaded(name), "commands")])
def test_a_groups_own_help_begins_with_its_line_in_the_catalogue(name: str) -> None:
    assert loaded(name).help.startswith(COMMANDS[name][1].rstrip("."))


@pytest.mark.parametrize("flag", ["-h", "--help"])
@pytest.mark.parametrize("name", ["", *COMMANDS, *(name for name in NAMES if " " in name)])
def test_help_is_on_stdout(name: str, flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*name.split(), flag]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith(f"Usage: {' '.join(['vpsctl', name]).strip()} [OPTIONS]")


def examples(name: str) -> list[str]:
    text = " ".join((ALL[tuple(name.split())].help or "").split())
    return [part.strip() for part in text.partition("Example: ")[2].split(";")]


@pytest.mark.parametrize("name", NAMES)
def test_the_example_in_its_help_can_be_typed(name: str) -> None:
    shown = examples(name)
    assert shown[0].startswith(f"vpsctl {name}")
    command = shlex.split(shown[0].partition(" After ")[0].partition(" With ")[0])[1:]
    path, parser, rest = find(command)
    assert " ".join(path) == name
    with parser.make_context(name, rest):  # raises for an option that there is not, and for a missing argument
        pass


@pytest.mark.parametrize("name", NAMES)
def test_the_list_of_commands_shows_a_sentence_without_the_example(name: str) -> None:
    first = (ALL[tuple(name.split())].help or "").partition("\n\n")[0]
    assert first
    assert "Example" not in first


@pytest.mark.parametrize("name", NAMES)
def test_the_common_options_may_stand_anywhere(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = name.split()
    for place in range(len(words) + 1):
        assert run([*words[:place], *COMMON, *words[place:], "--help"]) == 0
        assert (output.mode.json, output.mode.quiet, output.mode.debug) == (True, True, True)
    capsys.readouterr()


@pytest.mark.parametrize("name", NAMES)
def test_no_command_has_a_common_option_of_its_own(name: str) -> None:
    declared = {option for parameter in ALL[tuple(name.split())].params for option in parameter.opts}
    assert declared & {*COMMON, "--help", "-h"} == set()


def test_behind_two_hyphens_everything_is_the_commands() -> None:
    assert output.take_common_options(["exec", "--json", "shop", "--", "ls", "--json"]) == [
        "exec",
        "shop",
        "--",
        "ls",
        "--json",
    ]
    assert output.mode.json


# Texts that name a command, as operators read them: what they say must be typeable.

COMMAND = re.compile(r"\bvpsctl ((?:[a-z]+)(?: \S+)*)")
STOP = re.compile(r"[,;:()|`}]|\.(?: |$)")


def commands_named() -> Iterator[tuple[str, str]]:
    """(place, command line) of every `vpsctl …` in a text of the package whose second word is a command."""
    for place, tree in modules().items():
        if place.startswith("vpsctl/"):
            for text in _texts(tree):
                for match in COMMAND.finditer(text):
                    line = STOP.split(match[1])[0]
                    if line.split()[0] in COMMANDS:
                        yield place, line


def _texts(tree: ast.Module) -> Iterator[str]:
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else _stand_in(part) for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside:
            yield node.value


def _stand_in(part: ast.expr) -> str:
    return "--http-port" if isinstance(part, ast.FormattedValue) and ast.unparse(part.value) == "flag" else "X"


def wrong_with(line: str) -> str | None:
    """Why this cannot be typed. What follows in lower case without a hyphen is the sentence going on."""
    words = [word.strip("'\"") for word in line.split()]
    if hasattr(loaded(words[0]), "commands") and (len(words) == 1 or words[1].startswith("-")):
        return None  # the group itself
    try:
        _, parser, rest = find(words)
    except LookupError:
        return "there is no such command"
    options = {option: parameter for parameter in parser.params for option in parameter.opts if option.startswith("-")}
    room = sum(9 if parameter.nargs == -1 else 1 for parameter in parser.params if not parameter.opts[0].startswith("-"))
    while rest:
        word = rest.pop(0)
        if word == "--":
            break
        if word.startswith("-"):
            if word not in {*options, *COMMON, "--help"}:
                return f"it has no option {word}"
            if word in options and not options[word].is_flag and rest:
                rest.pop(0)
        elif word[0].isupper() or not word.isalpha():
            room -= 1
        else:
            break
    return "it takes no such argument" if room < 0 else None


def test_every_command_that_a_text_names_can_be_typed() -> None:
    named = list(commands_named())
    assert len(named) > 100
    assert [(place, line, why) for place, line in named if (why := wrong_with(line))] == []


@pytest.mark.parametrize(
    "line", ["site nosuch X", "run list --site X", "proxy sync X", "deploy --nope", "init X works on", "run show X Y"]
)
def test_the_guard_sees_what_cannot_be_typed(line: str) -> None:
    assert wrong_with(line)
