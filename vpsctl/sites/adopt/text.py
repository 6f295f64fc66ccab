"""The compose file of what was taken over, with a comment for each thing that was inferred. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

_BREAK = re.compile("[\n\r\x85\u2028\u2029]")
HEAD = (
    "Written by `vpsctl site adopt` from containers that run: what the next deploy makes. Change it as you like.",
    "Beyond what stands here: no-new-privileges, at most 512 processes, logs of 3 x 10 MB.",
)


class Reference(str):
    """`${NAME}`, to be written as it is; every other text is escaped, so that its dollar signs stay dollar signs."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_line(self, data: str) -> yaml.ScalarNode:
        """A text with line breaks of whatever kind stays on one line, escaped."""
        style = '"' if _BREAK.search(data) else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Dumper.add_representer(str, _Dumper.represent_line)


def compose_text(
    name: str,
    services: Mapping[str, tuple[Mapping[str, Any], Sequence[str]]],
    volumes: Mapping[str, str],
    intent: Sequence[tuple[str, Any, Sequence[str]]],
) -> str:
    """`services`: entries and notes of each; `volumes`: key to the Engine's name; `intent`: key, value, notes."""
    lines = [*comments(HEAD, ""), f"name: {name}", "services:"]
    for service, (entries, notes) in services.items():
        lines += [*comments(notes, "  "), *_block({service: entries}, "  ")]
    if volumes:
        lines.append("volumes:")
        lines += _block({key: {"external": True, "name": volume} for key, volume in volumes.items()}, "  ")
    lines.append("x-vpsctl:")
    for key, value, notes in intent:
        lines += [*comments(notes, "  "), *_block({key: value}, "  ")]
    return "\n".join(lines) + "\n"


def comments(notes: Iterable[str], indent: str) -> list[str]:
    """Each note on one line: whatever a container's names and labels hold, it cannot leave its comment."""
    return [f"{indent}# {one_line(note)}" for note in notes]


def one_line(text: str) -> str:
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


def _block(value: Any, indent: str) -> list[str]:
    text: str = yaml.dump(
        _escaped(value), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10**6, default_flow_style=False
    )
    return [indent + line if line else line for line in text.removesuffix("\n").split("\n")]


def _escaped(value: Any) -> Any:
    if isinstance(value, Reference):
        return str(value)
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, Mapping):
        return {str(key): _escaped(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_escaped(item) for item in value]
    return value
