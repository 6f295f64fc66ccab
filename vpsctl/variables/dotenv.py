"""An env_file's text to variables, by the rules Docker Compose has for it."""

import re
from collections.abc import Mapping

from vpsctl.errors import Invalid
from vpsctl.secret import Secret
from vpsctl.variables.interpolate import Template, fill, parse_template

_NAME = re.compile(r"[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.-]*)[ \t]*(?:([=:])([ \t]*)|(?=\r?(?:\n|\Z)))")
_BLANK = re.compile(r"[ \t\r]*(?:#[^\n]*)?(?:\n|\Z)")
_SINGLE = re.compile(r"'((?:\\.|[^'\\])*)'", re.DOTALL)
_DOUBLE = re.compile(r'"((?:\\.|[^"\\])*)"', re.DOTALL)
_LINE = re.compile(r"[^\n]*")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "$": "$$", '"': '"', "\\": "\\"}


def parse_dotenv(text: str, name: str, variables: Mapping[str, str | Secret]) -> dict[str, Secret]:
    """Every variable of the file, in order, as a Secret; of a name given twice the last counts.

    Values may be bare, 'literal' or "with escapes", the last two over several lines; `export`, comments and `NAME: value`
    are understood. Bare and double-quoted values are interpolated from `variables`, then from the lines before; a name
    alone takes the variable of that name. Raises Invalid naming the file and the line, and nothing of what stands there.
    """
    values: dict[str, Secret] = {}
    text = text.removeprefix("\ufeff")
    at = 0
    while at < len(text):
        blank = _BLANK.match(text, at)
        if blank:
            at = blank.end()
            continue
        where = f"{name}, line {_line(text, at)}"
        match = _NAME.match(text, at)
        if match is None:
            raise Invalid(f"{where}: this is not NAME=value", hint=f"correct that line of {name}")
        if match[2]:
            template, at = _value(text, match, where)
            values[match[1]] = _fill(template, {**values, **variables}, where)
        else:
            at = match.end()
            values[match[1]] = _inherited(match[1], variables, where)
    return values


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def _inherited(name: str, variables: Mapping[str, str | Secret], where: str) -> Secret:
    value = variables.get(name)
    if value is None:
        raise Invalid(f"{where}: the variable that stands there alone has no value", hint="write NAME=value")
    return value if isinstance(value, Secret) else Secret(value)


def _value(text: str, name: re.Match[str], where: str) -> tuple[Template, int]:
    """The value after `name`, and where the next line begins."""
    at = name.end()
    quote = text[at : at + 1]
    if quote not in ("'", '"'):
        return _bare(text, at, where, spaced=bool(name[3]))
    match = (_SINGLE if quote == "'" else _DOUBLE).match(text, at)
    if match is None:
        raise Invalid(f"{where}: a quote is not closed", hint="close it, or put the value in the other kind of quotes")
    rest = _BLANK.match(text, match.end())
    if rest is None:
        raise Invalid(f"{where}: something follows the closing quote", hint="escape a quote within the value with \\")
    if quote == "'":
        return (match[1].replace("\\'", "'"),), rest.end()
    return _template(_ESCAPE.sub(lambda found: _ESCAPES.get(found[1], found[0]), match[1]), where), rest.end()


def _bare(text: str, at: int, where: str, *, spaced: bool) -> tuple[Template, int]:
    """A value without quotes: to the end of the line, or to a # after a space."""
    line = _LINE.match(text, at)
    assert line is not None  # it matches the empty text too
    if spaced and line.group().startswith("#"):
        raise Invalid(f"{where}: is this # a comment or the value", hint='write NAME="" or NAME="# …"')
    return _template(line.group().partition(" #")[0].strip(), where), line.end()


def _template(text: str, where: str) -> Template:
    try:
        return parse_template(text, where)
    except Invalid:
        raise _dollar(where) from None


def _fill(template: Template, variables: Mapping[str, str | Secret], where: str) -> Secret:
    return Secret(fill(template, variables, lambda _name, _said: _dollar(where)).text)


def _dollar(where: str) -> Invalid:
    # A name after the $ may be the second half of a password, so no message shows it.
    return Invalid(
        f"{where}: a $ in the value names a variable that has no value, or begins a ${{…}} that is none",
        hint="put the value in single quotes to keep every character as it is",
    )
