"""`environment:` and `env_file:` of a service: the one place where credentials may stand."""

import posixpath
from dataclasses import dataclass

from vpsctl.secret import Secret
from vpsctl.sites.compose.field import Field, shown
from vpsctl.sites.compose.names import ENVIRONMENT, VARIABLE
from vpsctl.sites.compose.spec import Value
from vpsctl.variables.dotenv import parse_dotenv

MAX_VALUE = 131_000
"""Bytes; Linux takes 128 KiB for one variable with its name."""


@dataclass(frozen=True)
class EnvFile:
    path: str
    """Relative to the site's directory."""
    required: bool
    field: Field


def read_environment(environment: Field | None, env_file: Field | None) -> dict[str, Value]:
    """What the container gets: the env files in their order, and `environment:` over them."""
    values: dict[str, Value] = {}
    for item in read_env_files(env_file) if env_file else ():
        values |= _file_values(item)
    if environment is None or environment.null:
        return values
    for key, field in environment.pairs().items():
        if not ENVIRONMENT.fullmatch(key):
            raise field.invalid(f"{shown(key)} is not a variable's name", "write NAME: value, or - NAME=value")
        values[key] = _inherited(field, key) if field.null else _checked(field, field.filled().value())
    return values


def _inherited(field: Field, name: str) -> Value:
    """A name without a value takes the variable of that name."""
    value = field.scope.variables.get(name)
    if value is None:
        raise field.invalid(f"{name} has no value", field.scope.missing(name))
    return _checked(field, value)


def _checked(field: Field, value: Value) -> Value:
    text = value.reveal() if isinstance(value, Secret) else value
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise field.invalid("holds a NUL or half of a surrogate pair", "no container can take that: change the value")
    if len(text.encode()) > MAX_VALUE:
        raise field.invalid(f"is longer than {MAX_VALUE} bytes", "no program can be started with that: put it into a file")
    return value


def read_env_files(field: Field) -> tuple[EnvFile, ...]:
    """A path, a list of paths, or a list of {path, required}; paths are written out and lie beside the compose file."""
    files = []
    for item in field.items() if field.listed else [field]:
        if item.scalar:
            files.append(EnvFile(_path(item), True, item))
            continue
        keys = item.keys(("path", "required"))
        if "path" not in keys:
            raise item.invalid("has no path", "add path:")
        required = keys["required"].literal() if "required" in keys else "true"
        if required not in ("true", "false"):
            raise keys["required"].invalid(f"{shown(required)} is not true or false", "write true or false")
        files.append(EnvFile(_path(keys["path"]), required == "true", item))
    return tuple(files)


def _path(field: Field) -> str:
    text = field.literal()
    normal = posixpath.normpath(text)
    if not text.isprintable() or not text or normal.startswith(("/", "../", "~")) or normal in ("..", "."):
        raise field.invalid(f"{shown(text)} is not a file in the site's directory", "put it beside compose.yaml")
    return normal


def _file_values(item: EnvFile) -> dict[str, Value]:
    scope = item.field.scope
    text = scope.files.get(item.path)
    if text is None:
        if item.required:
            raise item.field.invalid(
                f"there is no file {shown(item.path)}", "write it, or make it optional: {path: …, required: false}"
            )
        return {}
    return {key: _checked(item.field, value) for key, value in parse_dotenv(text, item.path, scope.variables).items()}


def unvalued(environment: Field) -> tuple[str, ...]:
    """Names in `environment:` (or `args:`) that take the variable of the same name."""
    if environment.null:
        return ()
    return tuple(key for key, field in environment.pairs().items() if VARIABLE.fullmatch(key) and field.null)
