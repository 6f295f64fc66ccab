"""`${VAR}` interpolation in one scalar, in every form of the Compose Specification."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from vpsctl.errors import Invalid
from vpsctl.secret import Secret

MAX_NESTING = 20

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATOR = re.compile(r":?[-?+]")
_ESCAPE_HINT = "write $$ for a dollar sign that is meant as such"


@dataclass(frozen=True)
class Reference:
    """`${name operator operand}`; the operator is empty for a plain `$NAME`."""

    name: str
    operator: str = ""
    operand: tuple["str | Reference", ...] = ()
    written: str = ""
    """The operand before interpolation: what an error message may show, since its values may be secret."""


Template = tuple[str | Reference, ...]
Missing = Callable[[str, str], Invalid]
"""Makes the error for a variable: its name, and what the file itself says about it (`:?`) or an empty text."""


@dataclass(frozen=True)
class Filled:
    text: str
    credentials: tuple[str, ...] = ()
    """Names of the credentials whose values stand in the text."""

    def value(self) -> str | Secret:
        """Never read as YAML or as a template again."""
        return Secret(self.text) if self.credentials else self.text


def parse_template(text: str, where: str) -> Template:
    """Raises Invalid, beginning with `where`. A `$` before anything but a name, `{` or `$` stands for itself."""
    return _Parser(text, where).template()


def fill(template: Template, variables: Mapping[str, str | Secret], missing: Missing) -> Filled:
    """Raises what `missing` makes. A default is looked at only when it is needed, as a shell does."""
    filled = [Filled(part) if isinstance(part, str) else _resolve(part, variables, missing) for part in template]
    names = dict.fromkeys(name for part in filled for name in part.credentials)
    return Filled("".join(part.text for part in filled), tuple(names))


def _resolve(reference: Reference, variables: Mapping[str, str | Secret], missing: Missing) -> Filled:
    value = variables.get(reference.name)
    text = value.reveal() if isinstance(value, Secret) else value
    present = text is not None and (text != "" or not reference.operator.startswith(":"))
    if reference.operator.endswith("+"):
        return fill(reference.operand, variables, missing) if present else Filled("")
    if present and text is not None:
        return Filled(text, (reference.name,) if isinstance(value, Secret) else ())
    if reference.operator.endswith("-"):
        return fill(reference.operand, variables, missing)
    raise missing(reference.name, reference.written)


def wanted(template: Template, *, optional: bool = False) -> Iterator[tuple[str, bool]]:
    """Every variable named, and whether it may be missing; one inside a default may always be."""
    for part in template:
        if isinstance(part, Reference):
            yield part.name, optional or part.operator.endswith(("-", "+"))
            if not part.operator.endswith("?"):
                yield from wanted(part.operand, optional=True)


class _Parser:
    def __init__(self, text: str, where: str) -> None:
        self.text = text
        self.where = where
        self.at = 0

    def template(self) -> Template:
        parts: list[str | Reference] = []
        while self.at < len(self.text):
            parts.append(self.dollar(0) if self.text[self.at] == "$" else self.plain())
        return tuple(parts)

    def plain(self) -> str:
        """The run of text up to the next `$`."""
        end = self.text.find("$", self.at)
        start, self.at = self.at, len(self.text) if end < 0 else end
        return self.text[start : self.at]

    def operand(self, nesting: int) -> Template:
        """Up to the brace that closes the reference; braces within it balance, as Compose has it since v2."""
        if nesting > MAX_NESTING:
            raise Invalid(f"{self.where}: ${{…}} is nested deeper than {MAX_NESTING} levels", hint="write it simpler")
        parts: list[str | Reference] = []
        braces = 0
        while self.at < len(self.text):
            character = self.text[self.at]
            if character == "}" and braces == 0:
                break
            if character == "$":
                parts.append(self.dollar(nesting))
                continue
            braces += (character == "{") - (character == "}")
            parts.append(character)
            self.at += 1
        return tuple(parts)

    def dollar(self, nesting: int) -> str | Reference:
        self.at += 1
        following = self.text[self.at : self.at + 1]
        if following == "$":
            self.at += 1
            return "$"
        if following == "{":
            self.at += 1
            return self.braced(nesting)
        name = _NAME.match(self.text, self.at)
        if name is None:
            return "$"
        self.at = name.end()
        return Reference(name.group())

    def braced(self, nesting: int) -> Reference:
        name = _NAME.match(self.text, self.at)
        if name is None:
            raise Invalid(f"{self.where}: after ${{ must come a variable's name", hint=_ESCAPE_HINT)
        self.at = name.end()
        operator = _OPERATOR.match(self.text, self.at)
        start = self.at = operator.end() if operator else self.at
        operand = self.operand(nesting + 1) if operator else ()
        if self.text[self.at : self.at + 1] != "}":
            raise Invalid(
                f"{self.where}: ${{{name.group()} must be closed with }} after its name, or after one of :- - :? ? :+ +",
                hint=_ESCAPE_HINT,
            )
        self.at += 1
        return Reference(name.group(), operator.group() if operator else "", operand, self.text[start : self.at - 1])
