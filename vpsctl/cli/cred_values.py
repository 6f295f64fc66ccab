"""Where the value of a credential comes from: made here, stdin, a file, or somebody at the terminal; never an argument."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vpsctl.cli import output
from vpsctl.errors import Invalid
from vpsctl.secret import Secret

if TYPE_CHECKING:
    from vpsctl.credentials.kinds.kind import Kind

HOW = "give one of --generate, --from-stdin, --from-file PATH"
Generate = Annotated[bool, typer.Option("--generate", help="A new random value, which nobody needs to see.")]
FromStdin = Annotated[bool, typer.Option("--from-stdin", help="The value is what comes in on stdin.")]
FromFile = Annotated[Path | None, typer.Option(help="The value is what this file holds.")]
Fields = Annotated[
    list[str] | None,
    typer.Option("--field", metavar="KEY=VALUE", help="A field that is no secret, such as username=shop; may be repeated."),
]


@dataclass(frozen=True)
class Source:
    """What the command line said of where a value comes from."""

    generate: bool = False
    from_stdin: bool = False
    from_file: Path | None = None
    fields: Mapping[str, str] | None = None
    """Those that are no secret."""


def chosen(generate: bool, from_stdin: bool, from_file: Path | None, fields: Sequence[str] | None = None) -> Source:
    """Raises Invalid for more than one of them, and for a field that is not KEY=VALUE."""
    if [generate, from_stdin, from_file is not None].count(True) > 1:
        raise Invalid("the value can come from one place only", hint=HOW)
    parted = [field.partition("=") for field in fields or ()]
    if any(not (key and equals) for key, equals, _ in parted):
        raise Invalid("--field is not KEY=VALUE", hint="write it like --field username=shop")
    return Source(generate, from_stdin, from_file, {key: value for key, _, value in parted})


def read_value(name: str, kind: Kind, source: Source) -> Secret:
    """The value for credential `name`; where the source names no place, each part of it is asked for.

    Raises Invalid when nobody can be asked, and for fields that are none of the kind's or are secret.
    """
    plain = _checked_fields(kind, source.fields or {})
    if source.generate:
        return _generated(kind, plain)
    text = read_source(name, source)
    if text is not None:
        return _completed(kind, plain, text)
    if not sys.stdin.isatty():
        raise Invalid(f"no value for {name}, and nobody can be asked here", hint=HOW)
    return _asked(name, kind, plain)


def read_source(name: str, source: Source) -> Secret | None:
    """What stdin or the file holds, without a single line's newline; None when neither was named. Raises Invalid."""
    if source.from_file is not None:
        return _decoded(name, _content(source.from_file))
    return _decoded(name, sys.stdin.buffer.read()) if source.from_stdin else None


def _decoded(name: str, data: bytes) -> Secret:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise Invalid(f"the value of {name} is not UTF-8 text", hint="encode it first, in base64 for one") from None
    return Secret(text[:-1].removesuffix("\r") if text.find("\n") == len(text) - 1 else text)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Invalid(f"cannot read {path}: {error.strerror}", hint=f"ls -l {path}") from error


def _checked_fields(kind: Kind, plain: Mapping[str, str]) -> Mapping[str, str]:
    open_ = [field.name for field in kind.fields if not field.secret]
    hint = f"--field is for {', '.join(open_)}" if open_ else "give the whole value by --from-stdin or --from-file PATH"
    for key in plain:
        if kind.any_fields or key in {field.name for field in kind.fields if field.secret}:
            raise Invalid(f"{key} is secret, and no secret stands on a command line", hint=hint)
        if key not in open_:
            raise Invalid(f"kind {kind.name} has no field {key}", hint=hint)
    return plain


def _generated(kind: Kind, plain: Mapping[str, str]) -> Secret:
    from vpsctl.credentials.kinds.fields import from_fields
    from vpsctl.credentials.kinds.generate import generate

    if not plain or kind.make is None:
        return generate(kind.name, None)
    return from_fields(kind.name, {**plain, _open_field(kind): generate("password", None)})


def _completed(kind: Kind, plain: Mapping[str, str], text: Secret) -> Secret:
    """With fields on the command line, what came in is the one that is secret."""
    from vpsctl.credentials.kinds.fields import from_fields

    return from_fields(kind.name, {**plain, _open_field(kind): text}) if plain else text


def _open_field(kind: Kind) -> str:
    return next(field.name for field in kind.fields if field.secret and not field.optional)


def _asked(name: str, kind: Kind, plain: Mapping[str, str]) -> Secret:
    from vpsctl.credentials.kinds.fields import from_fields
    from vpsctl.credentials.use import FILES

    if kind.name in FILES:  # no terminal takes several lines unseen
        return _decoded(name, _content(Path(_typed(name, f"File that holds {name}: ")).expanduser()))
    if kind.any_fields:
        return from_fields(kind.name, _asked_pairs(name))
    if not kind.fields:
        return _unseen(name, f"Value of {name} (not shown): ")
    given: dict[str, str | Secret] = dict(plain)
    for field in kind.fields:
        if field.name not in given:
            what, empty = f"{field.name} of {name}", "may be empty" if field.optional else ""
            if field.secret:
                given[field.name] = _unseen(name, f"{what} ({', '.join(filter(None, ('not shown', empty)))}): ")
            else:
                given[field.name] = _typed(name, f"{what} ({empty}): " if empty else f"{what}: ")
    return from_fields(kind.name, given)


def _asked_pairs(name: str) -> dict[str, str | Secret]:
    pairs: dict[str, str | Secret] = {}
    while key := _typed(name, f"Key in {name} (empty to end): "):
        pairs[key] = _unseen(name, f"Value of {key} (not shown): ")
    return pairs


def _unseen(name: str, prompt: str) -> Secret:
    try:
        return Secret(getpass.getpass(prompt))
    except EOFError as error:
        raise Invalid(f"no value for {name}", hint=HOW) from error


def _typed(name: str, prompt: str) -> str:
    output.say(prompt, end="")
    line = sys.stdin.readline()
    if not line:
        raise Invalid(f"no value for {name}", hint=HOW)
    return line.strip()
