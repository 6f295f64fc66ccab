"""Which app a build context without a Dockerfile is. Pure, but for the reading of the directory."""

from pathlib import Path

from vpsctl.errors import Invalid
from vpsctl.sites.sources.detect_node import detect_node
from vpsctl.sites.sources.detect_pages import detect_php, detect_static
from vpsctl.sites.sources.detect_python import detect_python
from vpsctl.sites.sources.tree import Detected, Tree, read_tree

_LOOKED_FOR = (
    "package.json with a start script, main or server.js (Node); "
    "requirements.txt, pyproject.toml, manage.py or app.py (Python); index.php or composer.json (PHP); "
    "index.html, public/index.html or dist/index.html (static)"
)
_WRITE = "write a Dockerfile beside it, or name an image in compose.yaml"


def detect_app(directory: Path) -> Detected:
    """The app in a build context that has no Dockerfile. Raises Invalid when there is none, or more than one."""
    return detect(read_tree(directory), str(directory))


def detect(tree: Tree, name: str = "the directory") -> Detected:
    """The one app that `tree` is. A page (index.html) beside a program belongs to the program."""
    detected = (detect_node(tree), detect_python(tree), detect_php(tree))
    found = [app for app in detected if app is not None]
    if len(found) > 1:
        both = " and ".join(f"{app.kind} ({app.reason[0]})" for app in found)
        raise Invalid(f"{name} has no Dockerfile and could be {both}", hint=_WRITE)
    app = found[0] if found else detect_static(tree)
    if app is None:
        raise Invalid(f"{name} has no Dockerfile and is no app we know; looked for {_LOOKED_FOR}", hint=_WRITE)
    return app
