"""Builds on the real Engine: the app that is recognised, tag and labels, what may be built from, whose turn it is."""

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.waiting import wait_for
from vpsctl.docker_engine.engine import Engine
from vpsctl.docker_engine.types import ContainerSpec, ExecResult, Image
from vpsctl.errors import Conflict, Failed, Invalid, NotFound
from vpsctl.sites.compose.spec import Build
from vpsctl.sites.sources import build as build_module
from vpsctl.sites.sources.build import BuildLimits, BuildOrder, build_image, image_name, plan_build
from vpsctl.sites.sources.lock import hold_lock

EXAMPLES = Path(__file__).parents[3] / "examples"
LIMITS = BuildLimits(memory=512 << 20, cpus=1.0)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "site").mkdir()
    return tmp_path / "site"


@pytest.fixture
def built(engine: Engine, instance: str, site: Path, tmp_path: Path) -> Callable[..., tuple[Image, list[str]]]:
    """Builds the site's directory and returns the image with the log."""

    def run(build: Build | None = None, log: list[str] | None = None) -> tuple[Image, list[str]]:
        log = [] if log is None else log
        order = BuildOrder(instance, "shop", "web", 7, build or Build("."), site)
        return build_image(engine, order, tmp_path / "home", limits=LIMITS, on_line=log.append), log

    return run


@pytest.fixture
def ask(engine: Engine, instance: str) -> Callable[[Image, int], ExecResult]:
    """Starts the image without any network, and asks it for / from inside as soon as it answers."""

    def asked(image: Image, port: int) -> ExecResult:
        name = f"{instance}-app"
        engine.create(ContainerSpec(name, image.id, labels={"vpsctl.instance": instance}))
        engine.start(name)
        argv = ["wget", "-q", "-O-", f"http://127.0.0.1:{port}/"]
        wait_for(lambda: engine.exec(name, argv).exit_code == 0, "the app answers")
        return engine.exec(name, argv)

    return asked


def write(site: Path, **texts: str) -> None:
    for name, text in texts.items():
        (site / name.replace("_", ".")).write_text(text)


def test_pages_are_recognised_and_nothing_else_is_served(
    engine: Engine, instance: str, site: Path, built: Callable[..., tuple[Image, list[str]]], ask: Callable[..., ExecResult]
) -> None:
    write(site, index_html="hello", compose_yaml="secret", _env="canary", notes_txt="n", _dockerignore="notes.txt\n")
    (site / ".git").mkdir()
    (site / ".git" / "config").write_text("canary")
    (site / "img").mkdir()
    (site / "img" / ".env").write_text("canary")
    (site / ".well-known").mkdir()
    (site / ".well-known" / "security.txt").write_text("s")
    image, log = built()
    assert log[0] == "no Dockerfile: built as static (index.html: pages without a program)"
    assert ask(image, 80).output == "hello"
    root = "/usr/share/nginx/html"
    listed = engine.exec(f"{instance}-app", ["find", root, "-type", "f"]).output.split()
    base = {f"{root}/50x.html"}  # the official image has it, the stand-in not
    assert set(listed) - base == {f"{root}/index.html", f"{root}/.well-known/security.txt"}
    assert sorted(path.name for path in site.iterdir() if path.name.startswith("Dockerfile")) == []


def test_a_node_app_is_recognised_and_installs_what_is_locked(
    engine: Engine, instance: str, site: Path, built: Callable[..., tuple[Image, list[str]]], ask: Callable[..., ExecResult]
) -> None:
    for name in ("package.json", "package-lock.json"):
        (site / name).write_bytes((EXAMPLES / "notes" / name).read_bytes())
    program = (
        "import { createServer } from 'node:http'; import pg from 'pg';"
        "createServer((_, r) => r.end(`${typeof pg.Pool} ${process.getuid()}`)).listen(process.env.PORT)"
    )
    write(site, server_js=program)
    (site / "node_modules" / "pg").mkdir(parents=True)
    (site / "node_modules" / "pg" / "index.js").write_text("the laptop's own, which must not come along")
    image, log = built()
    assert "package-lock.json: installed as locked" in log[0]
    assert ask(image, 3000).output == "function 1000"
    assert engine.exec(f"{instance}-app", ["touch", "/app/mine"]).exit_code == 0


def test_a_python_app_is_recognised_and_gets_a_server(
    site: Path, built: Callable[..., tuple[Image, list[str]]], ask: Callable[..., ExecResult]
) -> None:
    program = "import os\n\nfrom flask import Flask\n\nsite = Flask(__name__)\n\n\n@site.get('/')\ndef index():\n"
    write(site, app_py=f"{program}    return f'flask {{os.getuid()}}'\n", requirements_txt="flask==3.1.3\n")
    image, log = built()
    assert "gunicorn>=23 is added" in log[0]
    assert ask(image, 8000).output == "flask 1000"


def test_a_dockerfile_is_built_as_written_tagged_and_labelled(
    instance: str, site: Path, built: Callable[..., tuple[Image, list[str]]]
) -> None:
    (site / "app").mkdir()
    (site / "app" / "web.Dockerfile").write_text(
        "FROM busybox AS first\nARG WORD\nRUN echo built $WORD\nFROM first AS second\nRUN false\n"
    )
    image, log = built(Build("app", "web.Dockerfile", "first", {"WORD": "well"}))
    assert image.tags == (f"{instance}/shop/web:r7",)
    assert {key: image.labels[f"vpsctl.image.{key}"] for key in ("instance", "site", "service", "release")} == {
        "instance": instance,
        "site": "shop",
        "service": "web",
        "release": "7",
    }
    assert any("built well" in line for line in log)


def test_a_dockerfile_beside_the_context_is_used(site: Path, built: Callable[..., tuple[Image, list[str]]]) -> None:
    (site / "app").mkdir()
    (site / "app" / "word").write_text("inner\n")
    (site / "Dockerfile").write_text("FROM busybox\nCOPY word /word\nRUN cat /word\n")
    _, log = built(Build("app", "../Dockerfile"))
    assert "inner" in log


def test_a_build_that_fails_says_why_and_gives_its_turn_back(
    site: Path, built: Callable[..., tuple[Image, list[str]]], tmp_path: Path
) -> None:
    write(site, Dockerfile="FROM busybox\nRUN echo the reason && exit 3\n")
    with pytest.raises(Failed, match="the reason"):
        built()
    with hold_lock(tmp_path / "home" / "build.lock", "free", timeout=timedelta(0), on_wait=pytest.fail):
        pass


@pytest.mark.parametrize(
    ("build", "kind", "words"),
    [
        (Build(".."), Invalid, "the build context .. leads outside"),
        (Build("/etc"), Invalid, "the build context /etc leads outside"),
        (Build("link"), Invalid, "the build context link leads outside"),
        (Build(".", "../outside/Dockerfile"), Invalid, "the Dockerfile .* leads outside"),
        (Build(".", "link/Dockerfile"), Invalid, "the Dockerfile .* leads outside"),
        (Build("gone"), NotFound, "no build context gone"),
        (Build(".", "web.Dockerfile"), NotFound, r"no Dockerfile web\.Dockerfile"),
        (Build(".", target="app"), Invalid, "has no Dockerfile for the target app"),
        (Build("."), Invalid, "is no app we know"),
    ],
)
def test_what_cannot_be_built_is_said_before(build: Build, kind: type[Exception], words: str, site: Path) -> None:
    outside = site.parent / "outside"
    outside.mkdir()
    (outside / "Dockerfile").write_text("FROM busybox\n")
    (site / "link").symlink_to(outside)
    with pytest.raises(kind, match=words):
        plan_build(site, build)


def test_one_build_at_a_time(
    site: Path, built: Callable[..., tuple[Image, list[str]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(site, Dockerfile="FROM busybox\n")
    lock = tmp_path / "home" / "build.lock"
    log: list[str] = []
    with hold_lock(lock, "the build of blog/web", timeout=timedelta(0), on_wait=pytest.fail):
        monkeypatch.setattr(build_module, "TURN", timedelta(seconds=0.1))
        with pytest.raises(Conflict, match=r"the build of blog/web \(process \d+\) still holds it up"):
            built()
        monkeypatch.setattr(build_module, "TURN", timedelta(seconds=30))
        waiting = threading.Thread(target=built, kwargs={"log": log})
        waiting.start()
        wait_for(lambda: log, "line of the second build")
        assert log[0].startswith("waiting for the build of blog/web (process ")
    waiting.join()
    assert any("Successfully built" in line for line in log)


def test_names_of_services_become_names_of_images() -> None:
    assert image_name("vpsctl", "shop", "web") == "vpsctl/shop/web"
    odd = [image_name("vpsctl", "shop", name) for name in ("my_web", "my-web", "my__web")]
    assert len(set(odd)) == 3
    assert odd[1] == "vpsctl/shop/my-web"
