"""`build:` of a service."""

import posixpath

from vpsctl.sites.compose.field import Field, shown
from vpsctl.sites.compose.names import VARIABLE
from vpsctl.sites.compose.spec import Build

_ADVICE = {
    "dockerfile_inline": "write it into a file and name that under dockerfile:",
    "secrets": "fetch what the build needs before it, or in the container at its start",
    "ssh": "fetch what the build needs before it, or in the container at its start",
    "cache_from": "remove it: the engine keeps its own cache",
    "tags": "remove it: vpsctl names what it builds",
}


def read_build(field: Field) -> Build:
    """A directory, or {context, dockerfile, target, args}; everything inside the site's directory, nothing secret."""
    if field.scalar:
        return Build(_inside(field, field.text()))
    keys = field.keys(("context", "dockerfile", "target", "args"), _ADVICE)
    context = _inside(keys["context"], keys["context"].text()) if "context" in keys else "."
    dockerfile = keys.get("dockerfile")
    if dockerfile:
        _inside(dockerfile, posixpath.join(context, dockerfile.text()))
    return Build(
        context,
        posixpath.normpath(dockerfile.text()) if dockerfile else None,
        keys["target"].text() if "target" in keys else None,
        _arguments(keys["args"]) if "args" in keys else {},
    )


def _inside(field: Field, text: str) -> str:
    normal = posixpath.normpath(text)
    if "://" in text or text.startswith(("git@", "~", "-")) or not text or not text.isprintable():
        raise field.invalid(f"{shown(text)} is not a directory", "add the site from that repository: vpsctl site add URL")
    if normal.startswith(("/", "../")) or normal == "..":
        raise field.invalid(
            f"{shown(text)} is outside the site's directory", "move compose.yaml up to the directory that holds it"
        )
    return normal


def _arguments(field: Field) -> dict[str, str]:
    arguments = {}
    for key, item in field.pairs().items():
        if not VARIABLE.fullmatch(key):
            raise item.invalid(f"{shown(key)} is not a build argument's name", "write NAME: value")
        arguments[key] = _variable(item, key) if item.null else item.text()
    return arguments


def _variable(field: Field, name: str) -> str:
    value = field.scope.variables.get(name)
    if value is None:
        raise field.invalid(f"{name} has no value", field.scope.missing(name))
    if not isinstance(value, str):
        raise field.invalid(
            f"{name} is a credential: it may stand only in environment", "a build argument stays readable in the image"
        )
    return value
