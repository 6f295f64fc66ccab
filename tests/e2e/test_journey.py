"""The way from a bare machine to sites that serve, by the real command line, as the README walks it."""

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import httpx
import pytest

from tests.e2e.command_line import CommandLine, write_settings
from tests.e2e.sites import PIXEL, copy_example
from tests.machine import bare_machine
from tests.waiting import wait_for

READING = (
    "status", "budget", "site list", "site show shop", "release list shop", "env list shop", "cred list", "run list",
    "run list shop", "container list", "proxy show", "plan shop", "logs shop --tail 3",
)  # fmt: skip


@dataclass(frozen=True)
class Operator:
    """Someone with a shell, a directory of their own and a browser."""

    vpsctl: CommandLine
    directory: Path
    port: int

    def visit(self, site: str, path: str = "/", **options: Any) -> httpx.Response:
        """As a browser on this machine: GET, or POST when there is a form in `options`."""
        method = "POST" if "data" in options else "GET"
        headers = {"Host": f"{site}.localhost", **options.pop("headers", {})}
        url = f"http://127.0.0.1:{self.port}{path}"
        return httpx.request(method, url, headers=headers, timeout=20, trust_env=False, **options)


@pytest.fixture(scope="module")
def operator(docker_client: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """On the shared engine, with an installation of its own on which `init` has run."""
    directory = tmp_path_factory.mktemp("operator")
    with bare_machine(docker_client) as app:
        known = app.settings
        config = write_settings(
            directory / "config.toml",
            home=str(known.home),
            instance=known.instance,
            docker_host=known.docker_host,
            http_port=known.http_port,
            https_port=known.https_port,
        )
        vpsctl = CommandLine(config)
        assert vpsctl.data("init")["changed"]
        assert not vpsctl.data("init")["changed"]
        yield Operator(vpsctl, directory, known.http_port)


def test_from_a_template_to_a_site_and_away_again(operator: Operator) -> None:
    vpsctl, directory = operator.vpsctl, operator.directory / "shop"
    made = vpsctl.data("site", "new", "shop", "--template", "business", "--into", str(directory))
    assert set(made["credentials"]) == {"SHOP_DB_PASSWORD", "SHOP_ADMIN_PASSWORD"}
    compose = directory / "compose.yaml"
    compose.write_text(compose.read_text() + "  update: {bake: 300ms, drain_timeout: 5s}\n")
    assert vpsctl.data("site", "add", str(directory))["missing_credentials"] == made["credentials"]
    vpsctl.done("cred", "set", "SHOP_DB_PASSWORD", "--generate")
    vpsctl.done("cred", "set", "SHOP_ADMIN_PASSWORD", "--from-stdin", stdin="the owner's words\n")
    plan = vpsctl.data("plan", "shop")
    assert {change["service"]: change["action"] for change in plan["changes"]} == {"app": "create", "db": "create"}

    first = vpsctl.data("deploy", "shop")
    assert (first["release"], first["urls"]) == (1, [f"http://shop.localhost:{operator.port}"])
    assert "Shop" in operator.visit("shop").text
    message = {"name": "Ada", "email": "ada@example.com", "text": "two chairs, please"}
    sent = operator.visit("shop", "/contact", data=message, files={"file": ("chairs.png", PIXEL)})
    assert (sent.status_code, sent.headers["location"]) == (303, "/thanks")

    vpsctl.done("env", "set", "shop", "VERSION=2")
    second = vpsctl.data("deploy", "shop", "--prove")
    assert (second["release"], second["previous"]) == (2, 1)
    assert second["proof"]["failed"] == 0
    assert second["proof"]["requests"] > 20
    third = vpsctl.data("rollback", "shop")
    assert (third["release"], third["previous"]) == (3, 2)
    assert vpsctl.data("scale", "shop", "app=2")["after"] == 2
    assert [site["running"] for site in vpsctl.data("status")["sites"] if site["name"] == "shop"] == [3]

    vpsctl.done("site", "maintenance", "on", "shop", "--message", "Back at nine")
    closed = operator.visit("shop")
    assert (closed.status_code, "Back at nine" in closed.text) == (503, True)
    vpsctl.done("site", "maintenance", "off", "shop")
    assert operator.visit("shop").status_code == 200
    assert any("listens on 3000" in line["text"] for line in vpsctl.data("logs", "shop", "--service", "app"))
    query = ["psql", "-U", "postgres", "-d", "site", "-tAc", "SELECT text FROM messages"]
    assert vpsctl.done("exec", "shop", "--service", "db", "--", *query) == "two chairs, please\n"
    owner = {"Authorization": "Basic " + base64.b64encode(b"admin:the owner's words").decode()}
    page = operator.visit("shop", "/messages", headers=owner).text
    assert "two chairs, please" in page
    attached = re.findall(r"/messages/[0-9a-f-]{36}", page)[0]
    assert operator.visit("shop", attached, headers=owner).content == PIXEL

    for command in READING:
        vpsctl.data(*command.split())
    removed = vpsctl.data("site", "remove", "shop", "--yes")
    assert len(removed["kept"]) == 2
    assert operator.visit("shop").status_code == 404
    assert "shop" not in {site["name"] for site in vpsctl.data("site", "list")}


@pytest.mark.parametrize("template", ["base", "portfolio"])
def test_the_templates_without_a_program_serve(operator: Operator, template: str) -> None:
    vpsctl, directory = operator.vpsctl, operator.directory / template
    vpsctl.done("site", "new", template, "--template", template, "--into", str(directory))
    compose = directory / "compose.yaml"
    compose.write_text(compose.read_text() + "  update: {bake: 300ms, drain_timeout: 5s}\n")
    assert vpsctl.data("site", "add", str(directory))["missing_credentials"] == []
    vpsctl.done("deploy", template)
    page = operator.visit(template)
    assert page.status_code == 200
    assert f"<title>{template.title()}" in page.text


def test_the_notes_example_keeps_notes_and_pictures(operator: Operator) -> None:
    vpsctl = operator.vpsctl
    vpsctl.done("cred", "set", "DB_PASSWORD", "--generate")
    vpsctl.done("site", "add", str(copy_example("notes", operator.directory / "notes")))
    vpsctl.done("deploy", "notes")
    note = {"text": "what <b>I</b> wrote"}
    assert operator.visit("notes", "/notes", data=note, files={"picture": ("a.png", PIXEL)}).status_code == 303
    page = operator.visit("notes")
    assert "what &lt;b&gt;I&lt;/b&gt; wrote" in page.text
    picture = operator.visit("notes", re.findall(r'/uploads/[^"]+', page.text)[0])
    assert (picture.headers["content-type"], picture.content) == ("image/png", PIXEL)


def test_the_links_example_follows_and_counts(operator: Operator) -> None:
    vpsctl = operator.vpsctl
    vpsctl.done("site", "add", str(copy_example("links", operator.directory / "links")))
    vpsctl.done("deploy", "links")
    assert operator.visit("links", data={"target": "https://example.com/a-long-way"}).status_code == 303
    code = re.findall(r'href="/([\w-]+)"', operator.visit("links").text)[0]
    for _ in range(3):
        assert operator.visit("links", f"/{code}").headers["location"] == "https://example.com/a-long-way"
    counted = ["redis-cli", "hget", "clicks", code]
    wait_for(lambda: vpsctl.done("exec", "links", "--service", "redis", "--", *counted) == "3\n", "the worker's count")


def test_the_static_example_serves_its_pages(operator: Operator) -> None:
    vpsctl = operator.vpsctl
    vpsctl.done("site", "add", str(copy_example("static", operator.directory / "static")))
    vpsctl.done("deploy", "static")
    for path in ("/", "/about.html", "/style.css"):
        assert operator.visit("static", path).status_code == 200
