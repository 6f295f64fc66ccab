"""The documents against the program: every command and key is there, and what they show is accepted."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from tests.project.sources import ROOT
from vpsctl.cli import output
from vpsctl.cli.catalogue import COMMANDS
from vpsctl.cli.main import _load
from vpsctl.secret import Secret
from vpsctl.settings import ALLOWANCES, Settings
from vpsctl.sites.compose.granted import credentials_named
from vpsctl.sites.compose.intent import KEYS as INTENT_KEYS
from vpsctl.sites.compose.read import read_site
from vpsctl.sites.compose.service import KEYS as SERVICE_KEYS

DOCUMENTS = ("README.md", "ARCHITECTURE.md", "CHANGELOG.md")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(vpsctl [^`]+)`")
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(#[^)\s]*)?\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def text(document: str) -> str:
    return (ROOT / document).read_text()


def blocks(document: str, language: str) -> list[str]:
    return [body for name, body in FENCE.findall(text(document)) if name == language]


def commands() -> Iterator[tuple[str, ...]]:
    """("deploy",), ("site", "add"), …"""
    for name in COMMANDS:
        below = getattr(_load(name), "commands", {})
        yield from ((name, sub) for sub in below)
        if not below:
            yield (name,)


def written(document: str) -> list[list[str]]:
    """Every `vpsctl …` that stands in code, as words after `vpsctl`; `…` and the like are prose, not commands."""
    lines = [line for body in blocks(document, "sh") for line in body.splitlines()]
    lines += [
        line.removeprefix("$ ") for body in blocks(document, "console") for line in body.splitlines() if line[:2] == "$ "
    ]
    lines += INLINE.findall(FENCE.sub("", text(document)))
    words = [shlex.split(line, comments=True) for line in lines if line.startswith("vpsctl ") and "…" not in line]
    return [line[1 : line.index(">") if ">" in line else None] for line in words]


def parse(words: list[str]) -> None:
    """As the program itself would, up to running it. Raises the usage error that the operator would get."""
    words = output.take_common_options(words)
    command: Any = _load(words[0])
    rest = words[1:]
    while hasattr(command, "commands"):
        command, rest = command.commands[rest[0]], rest[1:]
    command.make_context(words[0], rest)


@pytest.mark.parametrize("command", list(commands()), ids=" ".join)
def test_the_readme_has_every_command(command: tuple[str, ...]) -> None:
    assert [line for line in written("README.md") if tuple(line[: len(command)]) == command]


@pytest.mark.parametrize("document", ["README.md", "ARCHITECTURE.md"])
def test_every_command_line_is_one_that_the_program_takes(document: str) -> None:
    wrong = {}
    for line in written(document):
        if line[0].startswith("--") or line[0] == "SITE":
            continue
        try:
            parse(line)
        except Exception as error:
            wrong[" ".join(line)] = repr(error)
    assert wrong == {}


@pytest.mark.parametrize("line", ["deploy shop --no-such-option", "site nosuch", "exec", "scale shop"])
def test_the_check_refuses_what_the_program_refuses(line: str) -> None:
    with pytest.raises(Exception, match=r"."):
        parse(line.split())


@pytest.mark.parametrize("key", [item.name for item in fields(Settings)] + list(ALLOWANCES))
def test_the_readme_has_every_setting(key: str) -> None:
    assert f"`{key}`" in text("README.md").partition("\n## Settings\n")[2]


@pytest.mark.parametrize("key", INTENT_KEYS)
def test_the_readme_has_every_key_of_our_section(key: str) -> None:
    table = text("README.md").partition("| key | meaning | default |")[2].partition("\n\n")[0]
    assert re.search(rf"^\| `{key}[`.]", table, re.MULTILINE)


@pytest.mark.parametrize("key", [key for key in SERVICE_KEYS if key not in ("pid", "ipc", "privileged")])
def test_the_readme_has_every_service_key(key: str) -> None:
    listed = text("README.md").partition("**Supported service keys:**")[2].partition("\n\n")[0]
    assert re.search(rf"`{key}[`.:]", listed)


SITES = [body for document in DOCUMENTS for body in blocks(document, "yaml") if re.search(r"^services:", body, re.MULTILINE)]


@pytest.mark.parametrize("body", SITES)
def test_every_compose_file_shown_is_one_that_we_read(body: str) -> None:
    spec = read_site(body, variables={name: Secret("stand-in") for name in credentials_named(body)})
    assert spec.services


def test_the_compose_file_of_the_readme_has_every_key_of_our_section() -> None:
    assert [body for body in SITES if all(re.search(rf"^  {key}:", body, re.MULTILINE) for key in INTENT_KEYS)]


def anchor(heading: str) -> str:
    """As the usual Markdown viewers make it from a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    missing = []
    for path, fragment in LINK.findall(text(document)):
        target = ROOT / document if not path else Path(ROOT / document).parent / path
        if not target.exists():
            missing.append(path)
        elif fragment and fragment[1:] not in map(anchor, HEADING.findall(target.read_text())):
            missing.append(path + fragment)
    assert missing == []


@pytest.mark.parametrize(
    "part", sorted(path.stem for path in (ROOT / "vpsctl").iterdir() if path.stem.strip("_") == path.stem)
)
def test_the_architecture_has_every_part(part: str) -> None:
    assert re.search(rf"\b{part}(/|\.py|`)", text("ARCHITECTURE.md"))
