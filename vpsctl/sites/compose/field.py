"""A place in the compose file while it is read: its path and line for messages, and its value as the type asked for."""

import difflib
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from vpsctl.errors import Invalid
from vpsctl.secret import Secret
from vpsctl.sites.compose.spec import Allowances
from vpsctl.sites.compose.units import parse_integer
from vpsctl.sites.compose.yaml_lines import Array, Node, Scalar, Table
from vpsctl.variables.interpolate import Filled, fill, parse_template

T = TypeVar("T")
BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_PLAIN_KEY = re.compile(r"[\w.@/$-]{1,60}")


@dataclass(frozen=True)
class Scope:
    """What the whole file is read with."""

    name: str
    """The file's name, for messages."""
    variables: Mapping[str, str | Secret] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    """env_file contents by path."""
    allow: Allowances = field(default_factory=Allowances)
    site: str = ""
    credentials: frozenset[str] = frozenset()
    """Names under `x-vpsctl.secrets`: a missing one is to be set in the vault."""

    def missing(self, name: str) -> str:
        """The command that gives the variable a value."""
        setting = f"vpsctl env set {self.site or 'SITE'} {name}=VALUE"
        return f"vpsctl cred set {name}" if name in self.credentials else f"{setting}, or: vpsctl cred set {name}"


@dataclass(frozen=True)
class Field:
    node: Node
    path: str
    line: int
    scope: Scope

    @property
    def where(self) -> str:
        return f"{self.scope.name}: {self.path}, line {self.line}" if self.path else f"{self.scope.name}, line {self.line}"

    def invalid(self, problem: str, hint: str = "") -> Invalid:
        return Invalid(f"{self.where}: {problem}", hint=hint or f"correct line {self.line} of {self.scope.name}")

    @property
    def null(self) -> bool:
        return isinstance(self.node, Scalar) and self.node.null

    @property
    def scalar(self) -> bool:
        return isinstance(self.node, Scalar)

    @property
    def listed(self) -> bool:
        return isinstance(self.node, Array)

    def written(self) -> str:
        """The scalar before interpolation. Raises Invalid for anything else, null included."""
        if self.null:
            raise self.invalid("has no value", f"give it one, or remove line {self.line} of {self.scope.name}")
        if not isinstance(self.node, Scalar):
            raise self.invalid(f"must be a single value, not {_kind(self.node)}")
        return self.node.text

    def literal(self) -> str:
        """The scalar, which may hold no variable: it is read before the variables are known."""
        text = self.written()
        if "$" in text:
            raise self.invalid("must be written out: no ${…} can stand here", "write the value itself")
        return text

    def filled(self) -> Filled:
        """The interpolated scalar, and which credentials took part in it."""

        def missing(name: str, said: str) -> Invalid:
            return self.invalid(f"{name} has no value{f': {said}' if said else ''}", self.scope.missing(name))

        return fill(parse_template(self.written(), self.where), self.scope.variables, missing)

    def text(self) -> str:
        """The interpolated scalar. Raises Invalid when a credential took part in it."""
        filled = self.filled()
        if filled.credentials:
            raise self.invalid(
                f"{filled.credentials[0]} is a credential: it may stand only in environment",
                "hand it over in the service's environment, and read it there",
            )
        if "\0" in filled.text:
            raise self.invalid("a variable put a NUL into it", "remove that character from the variable")
        return filled.text

    def parsed(self, parser: Callable[[str], T]) -> T:
        """What `parser` makes of the text; its ValueError becomes Invalid."""
        text = self.text()
        try:
            return parser(text)
        except ValueError as error:
            raise self.invalid(f"{shown(text)} {error}") from None

    def boolean(self) -> bool:
        text = self.text()
        if text not in BOOLEANS:
            raise self.invalid(f"{shown(text)} is not true or false", "write true or false")
        return BOOLEANS[text]

    def integer(self, low: int, high: int) -> int:
        number = self.parsed(parse_integer)
        if not low <= number <= high:
            raise self.invalid(f"{number} is not from {low} to {high}")
        return number

    def matching(self, pattern: re.Pattern[str], kind: str) -> str:
        """The text, which must be what `kind` says ("an absolute path")."""
        text = self.text()
        if not pattern.fullmatch(text):
            raise self.invalid(f"{shown(text)} is not {kind}")
        return text

    def choice(self, options: Collection[str]) -> str:
        text = self.text()
        if text not in options:
            near = difflib.get_close_matches(text, options, 1)
            raise self.invalid(
                f"{shown(text)} is not one of {', '.join(options)}", f"did you mean {near[0]}?" if near else ""
            )
        return text

    def items(self) -> list["Field"]:
        if not isinstance(self.node, Array):
            raise self.invalid(f"must be a list, not {_kind(self.node)}")
        return [Field(item, f"{self.path}[{index}]", item.line, self.scope) for index, item in enumerate(self.node.items)]

    def texts(self) -> tuple[str, ...]:
        return tuple(item.text() for item in self.items())

    def entries(self) -> dict[str, "Field"]:
        """Every key of a mapping, `x-*` as well."""
        if not isinstance(self.node, Table):
            raise self.invalid(f"must be a mapping of keys, not {_kind(self.node)}")
        prefix = f"{self.path}." if self.path else ""
        return {
            key: Field(entry.node, prefix + _shown_key(key), entry.line, self.scope)
            for key, entry in self.node.entries.items()
        }

    def keys(self, known: Collection[str], advice: Mapping[str, str] | None = None) -> dict[str, "Field"]:
        """The mapping's entries without `x-*`; raises Invalid for a key not in `known`, with `advice` on it if there is."""
        entries = {key: item for key, item in self.entries().items() if not key.startswith("x-")}
        for key, item in entries.items():
            if key not in known:
                near = difflib.get_close_matches(key, known, 1)
                guess = f"did you mean {near[0]}? Otherwise " if near else ""
                hint = (advice or {}).get(key) or f"{guess}remove it or prefix it with x-"
                raise item.invalid(f"vpsctl does not support {_shown_key(key)!r} here", hint)
        return entries

    def pairs(self) -> dict[str, "Field"]:
        """A mapping, or a list of `KEY=value`, as fields by key; a listed key without a value is null.

        The key is what stands before the first `=` as written, so no variable can move the border between the two.
        """
        if not self.listed:
            return self.entries()
        pairs: dict[str, Field] = {}
        for item in self.items():
            if not isinstance(item.node, Scalar) or item.null:
                raise item.invalid("must be written KEY=value", "write the list's items as - KEY=value")
            key, equals, rest = item.node.text.partition("=")
            if key in pairs:
                raise item.invalid(f"{_shown_key(key)} is set twice", "keep one of the two")
            node = Scalar(rest, null=not equals, line=item.line)
            pairs[key] = replace(item, node=node, path=f"{self.path}.{_shown_key(key)}")
        return pairs

    def require(self, allowed: bool, flag: str, problem: str) -> None:
        """Raises Invalid, naming the `flag` of the settings, unless the operator has allowed it."""
        if not allowed:
            raise self.invalid(
                f"{problem} hands out more than this site",
                f'remove it, or put allow = ["{flag}"] into /etc/vpsctl/config.toml',
            )


def shown(text: str) -> str:
    """A value for a message: quoted, escaped, at most 60 characters."""
    return repr(text if len(text) <= 60 else text[:57] + "…")


def _shown_key(key: str) -> str:
    return key if _PLAIN_KEY.fullmatch(key) else shown(key)


def _kind(node: Node) -> str:
    if isinstance(node, Scalar):
        return "nothing" if node.null else "a single value"
    return "a list" if isinstance(node, Array) else "a mapping"
