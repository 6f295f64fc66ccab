"""YAML text to a tree whose nodes know their lines and whose scalars stay as they were written."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NoReturn

import yaml

from vpsctl.errors import Invalid

MAX_TEXT = 256 * 1024
MAX_NODES = 20_000
MAX_CHARACTERS = 1024 * 1024
MAX_DEPTH = 32

_ODD_BREAK = re.compile("[\x85\u2028\u2029]")
_TAG = "tag:yaml.org,2002:"
_SCALARS = {_TAG + kind for kind in ("str", "null", "bool", "int", "float", "timestamp", "value", "merge")}


@dataclass(frozen=True)
class Scalar:
    text: str
    """As written: `1.0`, `012` and `yes` are these characters, whatever YAML 1.1 or 1.2 would make of them."""
    null: bool
    """An unquoted `~`, `null` or nothing at all."""
    line: int


@dataclass(frozen=True)
class Array:
    items: tuple["Node", ...]
    line: int


@dataclass(frozen=True)
class Entry:
    """A value, and the line its key stands on."""

    line: int
    node: "Node"


@dataclass(frozen=True)
class Table:
    entries: Mapping[str, Entry]
    line: int


Node = Scalar | Array | Table


def parse_yaml(text: str, name: str) -> Table:
    """The one document in `text`, a mapping, with anchors and merge keys (`<<`) resolved.

    Raises Invalid naming `name` and the line: for what is not YAML, duplicate keys, tags other than `!!str`,
    characters no container can take, and what is too large, too deep or grows too much through its aliases.
    """
    if len(text) > MAX_TEXT:
        raise Invalid(f"{name} is larger than {MAX_TEXT // 1024} KiB", hint="move long values into files")
    odd = _ODD_BREAK.search(text)
    if odd:
        line = text.count("\n", 0, odd.start()) + 1
        code = f"{ord(odd.group()):04X}"
        raise Invalid(
            f"{name}, line {line}: U+{code} ends a line in YAML 1.1 and does not in 1.2",
            hint=f'write it "\\u{code.lower()}" in double quotes, or remove it',
        )
    try:
        root = _Loader(text).get_single_node()
    except yaml.YAMLError as error:
        raise _syntax(error, text, name) from error
    except (ValueError, OverflowError) as error:
        # PyYAML lets `"\U99999999"` and a huge %YAML version escape as what chr() and int() raise.
        raise Invalid(f"{name} is not valid YAML: {error}", hint=f"correct {name}") from error
    if root is None:
        raise Invalid(f"{name} is empty", hint="write one with: vpsctl site new NAME --template base")
    tree = _Expansion(name).node(root, 0)
    if not isinstance(tree, Table):
        raise Invalid(f"{name}, line {tree.line}: a compose file is a mapping of keys", hint="begin with: services:")
    return tree


class _Loader(yaml.SafeLoader):
    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, f"nested deeper than {MAX_DEPTH} levels", mark)
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node


def _syntax(error: yaml.YAMLError, text: str, name: str) -> Invalid:
    line, problem = 1, str(error).splitlines()[0]
    if isinstance(error, yaml.reader.ReaderError):
        line, problem = text.count("\n", 0, error.position) + 1, f"character U+{int(error.character):04X} is not allowed"
    elif isinstance(error, yaml.MarkedYAMLError):
        # What is never closed is found at the end of the file, and to be mended where it was opened.
        unclosed = error.context_mark and ("end of stream" in str(error.problem) or "stream end" in str(error.problem))
        mark = error.context_mark if unclosed else error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        problem = ", ".join(part for part in (error.context, error.problem) if part)
    return Invalid(f"{name}, line {line}: not valid YAML: {problem}", hint=f"correct line {line} of {name}")


class _Expansion:
    """Copies PyYAML's graph into a tree, so that an alias counts as often as it is used."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.nodes = 0
        self.characters = 0

    def node(self, node: yaml.Node, depth: int) -> Node:
        line = node.start_mark.line + 1
        self.nodes += 1
        if depth > MAX_DEPTH or self.nodes > MAX_NODES:
            self.refuse(line, "aliases make this document endless or too large", "write it without that alias")
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node, line)
        if isinstance(node, yaml.SequenceNode):
            self.check_tag(node, {_TAG + "seq"}, line)
            return Array(tuple(self.node(item, depth + 1) for item in node.value), line)
        self.check_tag(node, {_TAG + "map"}, line)
        return self.table(node, line, depth)

    def scalar(self, node: yaml.ScalarNode, line: int) -> Scalar:
        self.check_tag(node, _SCALARS, line)
        self.characters += len(node.value)
        if self.characters > MAX_CHARACTERS:
            self.refuse(line, "aliases make this document too large", "write it without that alias")
        if any(character == "\0" or "\ud800" <= character <= "\udfff" for character in node.value):
            self.refuse(line, "this text holds a NUL or half of a surrogate pair", "remove that character")
        return Scalar(node.value, node.tag == _TAG + "null", line)

    def table(self, node: yaml.Node, line: int, depth: int) -> Table:
        own: dict[str, Entry] = {}
        merged: dict[str, Entry] = {}
        merges = False
        for key, value in node.value:
            where = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                self.refuse(where, "a key must be a plain word", "write it as a word and a colon")
            if key.tag == _TAG + "merge":
                if merges:
                    self.refuse(where, "duplicate key '<<'", "write one << with a list: <<: [*a, *b]")
                merges = True
                merged = self.merge(value, where, depth)
                continue
            text = self.scalar(key, where).text
            if text in own:
                self.refuse(where, f"duplicate key {text[:60]!r}, first on line {own[text].line}", "keep one of the two")
            own[text] = Entry(where, self.node(value, depth + 1))
        return Table({**merged, **own}, line)

    def merge(self, node: yaml.Node, line: int, depth: int) -> dict[str, Entry]:
        """Entries of the mappings under `<<`; of two that have the same key the first counts."""
        entries: dict[str, Entry] = {}
        for part in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            tree = self.node(part, depth + 1)
            if not isinstance(tree, Table):
                self.refuse(line, "<< takes mappings only", "point << at an anchored mapping: <<: *name")
            entries = {**tree.entries, **entries}
        return entries

    def check_tag(self, node: yaml.Node, allowed: set[str], line: int) -> None:
        if node.tag not in allowed:
            shown = str(node.tag).replace(_TAG, "!!")[:60]
            self.refuse(line, f"the tag {shown!r} is not supported", "remove the tag")

    def refuse(self, line: int, problem: str, hint: str) -> NoReturn:
        raise Invalid(f"{self.name}, line {line}: {problem}", hint=hint)


def scalars(node: Node) -> Iterator[Scalar]:
    """Every scalar under `node` that is not null, in the order written."""
    if isinstance(node, Scalar):
        if not node.null:
            yield node
        return
    children = node.items if isinstance(node, Array) else tuple(entry.node for entry in node.entries.values())
    for child in children:
        yield from scalars(child)
