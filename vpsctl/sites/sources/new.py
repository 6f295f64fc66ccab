"""A new site's directory from a template: the files that an operator then makes their own."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from vpsctl.errors import Conflict, Failed, Invalid
from vpsctl.sites.compose.names import SITE

TEMPLATES = {
    "base": "pages behind nginx",
    "business": "pages with a contact form: Node, Postgres, uploads",
    "portfolio": "a gallery made from pictures/ and works.json, behind nginx",
}


@dataclass(frozen=True)
class NewSite:
    name: str
    template: str
    directory: Path
    files: tuple[str, ...]
    """Relative to the directory, in order."""
    credentials: tuple[str, ...]
    """What must be set before the first deployment: `vpsctl cred set NAME --generate`."""


def new_site(name: str, template: str, into: Path) -> NewSite:
    """Writes the site `name` into the directory `into`, which may exist if it is empty. Raises Invalid, Conflict, Failed.

    Its domain is <name>.localhost without TLS, so that it can be deployed before there is any DNS.
    """
    written = render_template(name, template)
    try:
        into.mkdir(parents=True, exist_ok=True)
        if any(into.iterdir()):
            raise Conflict(f"{into} is not empty", hint="name another directory with --into, or empty it")
        for path, text in written.items():
            target = into / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
    except FileExistsError as error:
        raise Conflict(f"{into} is a file", hint="name another directory with --into") from error
    except OSError as error:
        raise Failed(f"cannot write {into}: {error.strerror}", hint="choose another directory with --into") from error
    return NewSite(name, template, into.absolute(), tuple(sorted(written)), _credentials(name, written["compose.yaml"]))


def render_template(name: str, template: str) -> dict[str, str]:
    """Path to text of every file of the template, for the site `name`. Raises Invalid."""
    if not SITE.fullmatch(name) or name.endswith("-"):
        hint = "small letters, digits and -, beginning with a letter, at most 30: my-shop"
        raise Invalid(f"{name!r} cannot be the name of a site", hint=hint)
    if template not in TEMPLATES:
        raise Invalid(f"there is no template {template!r}", hint=f"one of: {', '.join(TEMPLATES)}")
    root = files("vpsctl.sites") / "templates" / template
    return {path: _fill(text, name) for path, text in _texts(root, "")}


def _texts(directory: Traversable, prefix: str) -> Iterator[tuple[str, str]]:
    for entry in directory.iterdir():
        if entry.is_dir():
            yield from _texts(entry, f"{prefix}{entry.name}/")
        else:
            yield f"{prefix}{entry.name}", entry.read_text(encoding="utf-8")


def _fill(text: str, name: str) -> str:
    title = name.replace("-", " ").strip().capitalize()
    return text.replace("__NAME__", name).replace("__TITLE__", title).replace("__SECRET__", secret_prefix(name))


def secret_prefix(name: str) -> str:
    """Credentials are shared by all sites of a project, so a site's own carry its name."""
    return name.replace("-", "_").upper()


def _credentials(name: str, compose: str) -> tuple[str, ...]:
    names = (f"{secret_prefix(name)}_{what}" for what in ("DB_PASSWORD", "ADMIN_PASSWORD"))
    return tuple(credential for credential in names if credential in compose)
