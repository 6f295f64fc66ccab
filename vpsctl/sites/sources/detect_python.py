"""Python apps without a Dockerfile: Django, ASGI, Flask, a Procfile, or a program that listens on $PORT. Pure."""

import json
import re
import tomllib
from dataclasses import dataclass

from vpsctl.errors import Invalid
from vpsctl.sites.sources.tree import WRITABLE_APP, Detected, Tree

PORT = 8000
_MODULES = ("app.py", "main.py", "wsgi.py", "asgi.py", "server.py")
_GUNICORN = "gunicorn>=23"
_UVICORN = "uvicorn>=0.34"
_NEEDS_SOURCES = re.compile(r"-e\b|--editable|-c\b|--constraint|\.|.*@ *file:|(-r|--requirement)\b.*/")
"""Lines of requirements.txt that name other files of the project."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class _Command:
    line: str
    """What follows CMD."""
    why: str
    server: str | None = None
    """The requirement that runs it, where the app does not bring one."""


def detect_python(tree: Tree) -> Detected | None:
    requirements = _requirements(tree)
    if requirements is None and not tree.has("manage.py", "app.py", "main.py", "wsgi.py"):
        return None
    names = {_normal(match.group()) for line in requirements or () if (match := _NAME.match(line))}
    command = _procfile(tree) or _django(tree) or _asgi(tree) or _flask(tree) or _program(tree)
    if command is None:
        if not tree.has("requirements.txt"):
            return None  # a pyproject.toml of tools alone, as many projects of other languages have
        hint = "add a Procfile with a web: line, or write a Dockerfile"
        raise Invalid("the Python app does not say how it starts: no Procfile, manage.py, app.py or main.py", hint=hint)
    install, reason = _install(tree, requirements)
    if command.server and _normal(command.server.split(">=")[0]) not in names:
        install.append(f"RUN {json.dumps(['pip', 'install', '--no-cache-dir', command.server])}")
        reason.append(f"its requirements have no server, so {command.server} is added")
    lines = ["FROM python:3.11-slim", f"ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PORT={PORT}", *WRITABLE_APP]
    lines += [
        *install,
        "COPY --chown=1000:1000 . .",
        "ENV HOME=/tmp",
        "USER 1000:1000",
        f"EXPOSE {PORT}",
        f"CMD {command.line}",
    ]
    return Detected("python", (command.why, *reason, f"PORT is {PORT} in its environment"), "\n".join(lines) + "\n", PORT)


def _requirements(tree: Tree) -> list[str] | None:
    """The lines that say what to install; None when nothing of Python says so."""
    if tree.has("requirements.txt"):
        return [line.strip() for line in tree.text("requirements.txt").splitlines() if line.strip()]
    if not tree.has("pyproject.toml"):
        return None
    try:
        document = tomllib.loads(tree.text("pyproject.toml"))
    except tomllib.TOMLDecodeError as error:
        raise Invalid(f"pyproject.toml is not TOML: {error}", hint="correct it, or write a Dockerfile") from error
    dependencies = document.get("project", {}).get("dependencies")
    if dependencies is None and "poetry" in document.get("tool", {}):
        hint = "poetry export -o requirements.txt, or write a Dockerfile"
        raise Invalid("pyproject.toml lists its dependencies for Poetry only, which is not recognised", hint=hint)
    return None if dependencies is None else [str(item) for item in dependencies]


def _install(tree: Tree, requirements: list[str] | None) -> tuple[list[str], list[str]]:
    if not requirements:
        return [], ["nothing to install"]
    if not tree.has("requirements.txt"):
        install = json.dumps(["pip", "install", "--no-cache-dir", *requirements])
        return [f"RUN {install}"], ["pyproject.toml: its dependencies are installed, the project itself is run in place"]
    needs_sources = any(_NEEDS_SOURCES.match(line) for line in requirements)
    copied = "COPY . ." if needs_sources else "COPY requirements*.txt ./"
    return [copied, "RUN pip install --no-cache-dir -r requirements.txt"], ["requirements.txt: installed with pip"]


def _procfile(tree: Tree) -> _Command | None:
    match = re.search(r"^web:[ \t]*(\S.*?)[ \t\r]*$", tree.text("Procfile"), re.MULTILINE)
    if match is None:
        return None
    line = match.group(1)
    simple = not re.search(r"[;&|]|^\w+=", line)
    return _Command(f"exec {line}" if simple else line, f"Procfile: web is {line!r}")


def _django(tree: Tree) -> _Command | None:
    if not tree.has("manage.py"):
        return None
    modules = sorted(path for path in tree.paths if path.endswith("/wsgi.py"))
    if len(modules) != 1:
        hint = "add a Procfile with a web: line, or write a Dockerfile"
        raise Invalid(f"manage.py says Django, and there are {len(modules)} wsgi.py instead of one below it", hint=hint)
    package = modules[0].split("/")[0]
    return _gunicorn(f"{package}.wsgi:application", f"manage.py and {modules[0]}: Django")


def _asgi(tree: Tree) -> _Command | None:
    for module, variable, framework in _instances(tree, "FastAPI|Starlette|Quart|Litestar"):
        argv = ["uvicorn", "--host", "0.0.0.0", "--port", str(PORT), f"{module}:{variable}"]  # noqa: S104  inside its container
        return _Command(json.dumps(argv), f"{module}.py: {variable} is a {framework} app", _UVICORN)
    return None


def _flask(tree: Tree) -> _Command | None:
    for module, variable, framework in _instances(tree, "Flask|Bottle"):
        return _gunicorn(f"{module}:{variable}", f"{module}.py: {variable} is a {framework} app")
    for name in _MODULES:
        if re.search(r"^def create_app\(\s*\)", tree.text(name), re.MULTILINE):
            module = name.removesuffix(".py")
            return _gunicorn(f"{module}:create_app()", f"{name}: create_app() makes the app")
    return None


def _instances(tree: Tree, classes: str) -> list[tuple[str, str, str]]:
    pattern = re.compile(rf"^(\w+)(?::[^=\n]+)?\s*=\s*(?:\w+\.)*({classes})\(", re.MULTILINE)
    found = ((name, pattern.search(tree.text(name))) for name in _MODULES)
    return [(name.removesuffix(".py"), match.group(1), match.group(2)) for name, match in found if match]


def _program(tree: Tree) -> _Command | None:
    name = next((name for name in ("app.py", "main.py", "server.py") if tree.has(name)), None)
    return _Command(json.dumps(["python", name]), f"{name}: run as it is") if name else None


def _gunicorn(target: str, why: str) -> _Command:
    argv = ["gunicorn", "--bind", f"0.0.0.0:{PORT}", "--workers", "2", "--access-logfile", "-", target]
    return _Command(json.dumps(argv), why, _GUNICORN)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
