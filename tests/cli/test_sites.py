"""Each command that works on sites, when it works: what a person reads, and what a program gets."""

import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.cli.conftest import MakeDirectory, Vpsctl, added
from tests.operations.deploy.conftest import COMPOSE
from vpsctl.app import App

STEPS = [
    "preflight",
    "resolve",
    "prepare",
    "replace",
    "start",
    "probe",
    "switch",
    "confirm",
    "drain",
    "stop",
    "bake",
    "collect",
]


def rows(text: str) -> list[list[str]]:
    return [re.split(r" {2,}", line.strip()) for line in text.splitlines()]


@pytest.fixture
def fresh(foundation: App, make_directory: MakeDirectory) -> Iterator[tuple[str, Path]]:
    with added(foundation, make_directory) as made:
        yield made


def test_new_add_move_and_remove(cli: Vpsctl, make_directory: MakeDirectory, tmp_path: Path) -> None:
    new = cli("site", "new", "fresh", "--template", "business", "--into", str(tmp_path / "fresh"))
    assert new.code == 0
    assert "compose.yaml" in new.out.splitlines()
    assert new.err == f"next: vpsctl site add {tmp_path}/fresh\n"
    name = f"s{secrets.token_hex(3)}"
    first, second = make_directory(name), make_directory(name)
    answer = cli("site", "add", str(first), "--name", name, "--project", "acme")
    assert (answer.code, answer.err) == (0, f"next: vpsctl deploy {name}\n")
    assert answer.out.splitlines() == [
        f"{name} added from {first} (project acme)",
        "  services: app",
        f"  domains:  {name}.test",
    ]
    assert cli("site", "move", name, str(second), "--json").data == {
        "site": name,
        "before": str(first),
        "source": str(second),
    }
    listed = next(site for site in cli("site", "list", "--json").data if site["name"] == name)
    assert (listed["project"], listed["release"], listed["source"]) == ("acme", None, str(second))
    assert [name, "acme", "-", "never", "-", str(second), "-"] in rows(cli("site", "list").out)
    assert cli("site", "remove", name, "--yes", "--json").data["site"] == name
    assert name not in cli("site", "list").out


def test_an_image_is_a_site(cli: Vpsctl, web_image: str) -> None:
    name = f"s{secrets.token_hex(3)}"
    added_ = cli(
        "site", "add", web_image, "--image", "--port", "8000", "--domain", f"{name}.test", "--name", name, "--json"
    ).data
    assert (added_["site"], added_["services"], added_["domains"]) == (name, ["web"], [f"{name}.test"])
    assert "port: 8000" in added_["inferred"]
    assert cli("site", "remove", name, "--yes").code == 0


def test_from_the_plan_to_the_rollback(cli: Vpsctl, fresh: tuple[str, Path], foundation: App) -> None:
    site, _ = fresh
    plan = cli("plan", site)
    assert (plan.code, plan.err) == (0, "")
    assert plan.out.startswith(f"{site} r1, the first release\n")
    assert ["app", "create", "1"] in [row[:3] for row in rows(plan.out)]
    assert cli("deploy", site, "--dry-run", "--json").data == cli("plan", site, "--json").data

    deployed = cli("deploy", site)
    assert deployed.code == 0
    assert deployed.out == f"{site} r1 serves\n  http://{site}.test:{foundation.settings.http_port}\n"
    lines = deployed.err.splitlines()
    assert re.fullmatch(rf"deploy {site}: run \d+", lines[0])
    assert [line.split()[1] for line in lines if line.startswith("  ✓ ")] == STEPS

    assert cli("env", "set", site, "VERSION=2", "--json").data == [
        {"name": "VERSION", "value": "2", "service": None, "deployed": False}
    ]
    assert rows(cli("env", "list", site).out)[1] == ["VERSION", "2", "-", "waits for a deploy"]
    assert f"{site}: needs deploy: variable VERSION: vpsctl deploy {site}" in cli("status").out
    second = cli("deploy", site, "--prove", "--json").data
    assert (second["release"], second["previous"], second["proof"]["failed"]) == (2, 1, 0)
    assert second["proof"]["requests"] > 0

    releases = cli("release", "list", site, "--json").data
    assert [(item["number"], item["current"]) for item in releases] == [(2, True), (1, False)]
    assert [row[:2] for row in rows(cli("release", "list", site).out)[1:]] == [["*", "r2"], ["-", "r1"]]
    back = cli("rollback", site, "--to", "r1")
    assert (back.code, back.out.splitlines()[0]) == (0, f"{site} r3 serves (before: r2)")
    _check_runs(cli, site)


def _check_runs(cli: Vpsctl, site: str) -> None:
    runs = cli("run", "list", site, "--json").data
    assert [(run["kind"], run["state"]) for run in runs] == [("rollback", "succeeded"), *[("deploy", "succeeded")] * 2]
    assert [row[1:4] for row in rows(cli("run", "list", site).out)[1:]] == [
        [run["kind"], site, run["state"]] for run in runs
    ]
    shown = cli("run", "show", str(runs[0]["id"]), "--json").data
    assert [step["name"] for step in shown["steps"]] == STEPS
    assert {step["state"] for step in shown["steps"]} == {"succeeded"}
    text = cli("run", "show", str(runs[0]["id"])).out
    assert text.startswith(f"run {runs[0]['id']}: rollback {site}, succeeded, by ")
    assert "answered 200 through the proxy" in text


def test_looking_at_a_site(cli: Vpsctl, shop: str, foundation: App) -> None:
    shown = cli("site", "show", shop, "--json").data
    assert (shown["name"], shown["release"], shown["domains"], shown["pending"]) == (shop, 1, [f"{shop}.test"], [])
    container = f"{foundation.settings.instance}-{shop}-app-r1-1"
    assert [item["name"] for item in shown["containers"]] == [container]
    assert [container, "app", "r1", "running", "0", "64.0 MiB"] in rows(cli("site", "show", shop).out)
    state = next(site for site in cli("status", "--json").data["sites"] if site["name"] == shop)
    assert (state["state"], state["running"], state["wanted"]) == ("serving", 1, 1)
    assert [shop, "serving", "r1", "1/1", "64.0 MiB"] in [row[:5] for row in rows(cli("status").out)]
    assert ["site", shop, "1", "64.0 MiB"] in [row[:4] for row in rows(cli("budget").out)]
    assert [shop, f"{shop}.test", "off", "r1", f"{container}:8000", "0", "-"] in rows(cli("proxy", "show").out)
    route = next(route for route in cli("proxy", "show", "--json").data if route["site"] == shop)
    assert (route["upstreams"], route["held"]) == ([f"{container}:8000"], False)
    synced = cli("proxy", "sync", "--json").data
    assert (synced["reloaded"], synced["removed"]) == (False, [])
    assert shop in synced["sites"]


def test_logs(cli: Vpsctl, shop: str) -> None:
    answer = cli("logs", shop, "--tail", "50")
    assert (answer.code, answer.err) == (0, "")
    assert "app-r1-1 version 1 listens" in answer.out.splitlines()
    line: dict[str, Any] = cli("logs", shop, "--json").data[0]
    assert (line["service"], line["release"], line["text"]) == ("app", 1, "version 1 listens")
    assert cli("logs", shop, "--release", "r1", "--service", "app").out == cli("logs", shop, "--tail", "0").out
    assert cli("logs", shop, "--since", "1s", "--json").data == [] or cli("logs", shop, "--since", "2000-01-01").out != ""


def test_exec(cli: Vpsctl, shop: str, process: Any) -> None:
    done = process.run("exec", shop, "--", "sh", "-c", "cat; echo oops >&2; exit 7", stdin="from stdin\n")
    assert (done.returncode, done.stdout, done.stderr) == (7, "from stdin\n", "oops\n")
    assert process.run("exec", shop, "--user", "nobody", "--", "id", "-un").stdout == "nobody\n"
    answer = cli("exec", "--json", shop, "--", "sh", "-c", "echo '--json'; exit 7")
    assert (answer.code, answer.err) == (7, "")
    assert answer.out.split() == ["{", '"data":', "{", '"exit_code":', "7,", '"output":', '"--json\\n"', "}", "}"]
    assert process.run("exec", shop, "--", "nosuchprogram").returncode in (126, 127)


def test_maintenance(cli: Vpsctl, shop: str) -> None:
    on = cli("site", "maintenance", "on", shop, "--message", "Back at [nine]")
    assert (on.code, on.out, on.err) == (0, f"{shop}: maintenance on\n", "")
    assert f"{shop}  maintenance" in cli("status").out
    assert cli("site", "show", shop, "--json").data["maintenance"] == "Back at [nine]"
    assert cli("site", "maintenance", "off", shop, "--json").data == {"site": shop, "on": False, "message": None}


def test_scale_restart_stop_and_start(cli: Vpsctl, fresh: tuple[str, Path]) -> None:
    site, _ = fresh
    assert cli("deploy", site, "--quiet").err == ""
    assert cli("scale", site, "app=2").out == f"{site} app: 1 -> 2\n"
    assert cli("restart", site, "--service", "app").out == f"{site}: 2 restarted\n"
    assert len(cli("stop", site, "--json").data["containers"]) == 2
    assert [site, "stopped"] in [row[:2] for row in rows(cli("status").out)]
    refused = cli("exec", site, "--", "true")
    assert (refused.code, refused.hint) == (3, f"vpsctl start {site}")
    assert cli("start", site).out == f"{site}: 2 started\n"
    assert cli("scale", site, "app=1", "--json").data == {"site": site, "service": "app", "before": 2, "after": 1}


def test_a_failed_deploy_says_what_stands_and_what_to_type(cli: Vpsctl, shop: str) -> None:
    cli("env", "set", shop, "CRASH=1")
    answer = cli("deploy", shop)
    cli("env", "unset", shop, "CRASH")
    assert answer.code == 6
    assert "r1 still serves" in answer.sentence
    run = cli("run", "list", shop, "--json").data[0]
    assert answer.hint.endswith(f"vpsctl run show {run['id']}")
    assert (run["state"], run["error"]["code"]) == ("failed", "failed")
    assert "cannot find the configuration" in cli("run", "show", str(run["id"])).out
    assert "  ✗ probe" in answer.err


def test_a_site_whose_directory_is_gone_can_still_be_removed(
    cli: Vpsctl, foundation: App, make_directory: MakeDirectory
) -> None:
    with added(foundation, make_directory) as (site, directory):
        (directory / "compose.yaml").unlink()
        directory.rmdir()
        answer = cli("deploy", site)
        assert answer.code in (2, 3, 5)
        assert str(directory) in answer.sentence
        assert cli("plan", site).code == answer.code
        assert cli("site", "show", site).code == 0
        assert cli("site", "remove", site, "--yes").code == 0


def test_adopting_shows_first_what_it_would_do(cli: Vpsctl, docker_client: docker.DockerClient, web_image: str) -> None:
    name = f"legacy{secrets.token_hex(3)}"
    container = docker_client.containers.run(web_image, name=name, detach=True)
    try:
        answer = cli("site", "adopt", name, "--name", name, "--domain", f"{name}.test", "--port", "8000", "--dry-run")
        assert (answer.code, answer.err) == (0, "")
        assert "nothing was done; would be:" in answer.out
        assert "x-vpsctl:" in answer.out
        assert name not in [site["name"] for site in cli("site", "list", "--json").data]
        assert cli("site", "adopt", "nobody", "--name", "nobody", "--json").error["code"] == "not_found"
    finally:
        container.remove(force=True)


def test_two_at_once_are_told_who_is_first(cli: Vpsctl, foundation: App, shop: str) -> None:
    with foundation.database.lock(f"site:{shop}", holder="deploy run 7 by root"):
        for words in (["deploy", shop], ["restart", shop], ["site", "remove", shop, "--yes"], ["rollback", shop]):
            answer = cli(*words)
            assert answer.code == 4
            assert "deploy run 7 by root" in answer.sentence


def test_a_credential_that_is_missing_is_named(cli: Vpsctl, foundation: App, make_directory: MakeDirectory) -> None:
    wanting = COMPOSE.replace("web:", "secrets: [SHOP_TOKEN]\n  web:").replace(
        'CRASH: "', 'TOKEN: "${{SHOP_TOKEN}}", CRASH: "'
    )
    with added(foundation, make_directory, wanting) as (site, _):
        answer = cli("deploy", site)
        assert answer.code == 3
        assert "there is no credential SHOP_TOKEN" in answer.sentence
        assert answer.hint.startswith("vpsctl cred set SHOP_TOKEN")
