"""Node apps without a Dockerfile: a server that listens on $PORT, or pages made by a build script. Pure."""

import json
import re
from dataclasses import dataclass
from typing import Any

from vpsctl.errors import Invalid
from vpsctl.sites.sources.tree import WRITABLE_APP, Detected, Tree

PORT = 3000
_COPY = "COPY --chown=1000:1000 . ."
_ENTRIES = ("server.js", "index.js", "app.js", "main.js", "server.mjs", "index.mjs")
_OUTPUTS = {"vite": "dist", "astro": "dist", "react-scripts": "build", "@11ty/eleventy": "_site", "parcel": "dist"}
"""Where the well-known builders put their pages."""
_DEVELOPMENT = re.compile(
    r"(react-scripts start|vite( dev| serve)?$|vite --|astro dev|ng serve|webpack|parcel|nodemon|eleventy)"
)
"""Start scripts that serve a developer, not visitors."""


@dataclass(frozen=True)
class _Package:
    scripts: dict[str, str]
    main: str
    dependencies: dict[str, Any]
    development: dict[str, Any]


def detect_node(tree: Tree) -> Detected | None:
    if not tree.has("package.json"):
        return None
    package = _read_package(tree.text("package.json"))
    command, why = _command(tree, package)
    if command is not None:
        return _server(tree, package, command, why)
    return _built_pages(tree, package)


def _command(tree: Tree, package: _Package) -> tuple[list[str] | None, str]:
    start = package.scripts.get("start", "")
    if _DEVELOPMENT.match(start):
        return None, ""
    if re.fullmatch(r"node( [\w./@=-]+)+", start):
        return start.split(" "), f"package.json: the start script is {start!r}, run without npm so that signals arrive"
    if start:
        return ["npm", "start"], f"package.json: the start script is {start!r}"
    if package.main and _is_there(tree, package.main):
        return ["node", package.main.removeprefix("./")], f"package.json: main is {package.main}"
    entry = next((name for name in _ENTRIES if tree.has(name)), None)
    return (["node", entry], f"package.json and {entry}") if entry else (None, "")


def _is_there(tree: Tree, path: str) -> bool:
    path = path.removeprefix("./")
    return tree.has(path) or (path.count("/") > 1 and tree.has(path.split("/")[0] + "/"))


def _server(tree: Tree, package: _Package, command: list[str], why: str) -> Detected:
    build = "build" in package.scripts
    install, how = _install(tree, package, development=build)
    lines = ["FROM node:22-alpine", f"ENV NODE_ENV=production PORT={PORT}", *WRITABLE_APP, *install, _COPY]
    reason = [why, how, f"PORT is {PORT} in its environment"]
    if build:
        lines.append("RUN npm run build && npm prune --omit=dev" if install else "RUN npm run build")
        reason.append("package.json: a build script, run when the image is built")
    lines += ["ENV HOME=/tmp", "USER 1000:1000", f"EXPOSE {PORT}", f"CMD {json.dumps(command)}"]
    return Detected("node", tuple(reason), "\n".join(lines) + "\n", PORT)


def _built_pages(tree: Tree, package: _Package) -> Detected | None:
    """A package with a build script only: its pages go to nginx, and neither Node nor the sources stay in the image."""
    builder = next((name for name in _OUTPUTS if name in {**package.dependencies, **package.development}), None)
    if "build" not in package.scripts or builder is None:
        return None
    install, how = _install(tree, package, development=True)
    lines = ["FROM node:22-alpine AS build", "WORKDIR /app", *install, "COPY . .", "RUN npm run build", ""]
    lines += ["FROM nginx:alpine", f"COPY --from=build /app/{_OUTPUTS[builder]}/ /usr/share/nginx/html/", "EXPOSE 80"]
    reason = (
        "package.json: a build script, and no start script that serves visitors",
        how,
        f"{builder} writes its pages to {_OUTPUTS[builder]}/",
    )
    return Detected("static", reason, "\n".join(lines) + "\n", 80)


def _install(tree: Tree, package: _Package, *, development: bool) -> tuple[list[str], str]:
    locked = next((name for name in ("package-lock.json", "npm-shrinkwrap.json") if tree.has(name)), None)
    other = next((name for name in ("pnpm-lock.yaml", "yarn.lock", "bun.lock", "bun.lockb") if tree.has(name)), None)
    if other and not locked:
        hint = "write a Dockerfile, or make an npm lock: npm install --package-lock-only"
        raise Invalid(f"the Node app is locked by {other}, and only npm's lock is recognised", hint=hint)
    if not package.dependencies and not (development and package.development):
        return [], "package.json: nothing to install"
    scope = "--include=dev" if development else "--omit=dev"
    copied = f"COPY package.json {locked or ''}".rstrip() + (" .npmrc ./" if tree.has(".npmrc") else " ./")
    if locked:
        return [copied, f"RUN npm ci {scope}"], f"{locked}: installed as locked"
    return [copied, f"RUN npm install {scope}"], "no package-lock.json: the newest versions that package.json allows"


def _read_package(text: str) -> _Package:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise Invalid(f"package.json is not JSON: {error}", hint="correct it, or write a Dockerfile") from error
    document = document if isinstance(document, dict) else {}

    def section(name: str) -> dict[str, Any]:
        value = document.get(name)
        return value if isinstance(value, dict) else {}

    scripts = {name: value.strip() for name, value in section("scripts").items() if isinstance(value, str) and value.strip()}
    main = document.get("main")
    return _Package(scripts, main if isinstance(main, str) else "", section("dependencies"), section("devDependencies"))
