"""Values go everywhere they are used, and are to be read nowhere but in containers' environments and where one asks."""

import base64
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import docker
import pyrage  # type: ignore[import-untyped]
import pytest
from sqlalchemy import text

from tests.cli.canaries import Canary, Search, make_canaries, watched_processes
from tests.cli.conftest import Answer, MakeDirectory, Vpsctl, added
from tests.e2e.command_line import CommandLine
from vpsctl.app import App

SAY = (
    "import base64, os, sys, urllib.parse as u; "
    "[print(k, 'is', v, base64.b64encode(v.encode()).decode(), u.quote(v, safe='')) "
    "for k, v in sorted(os.environ.items()) if k.startswith(('SECRET', 'CANARY'))]; "
)
COMPOSE = """
services:
  app:
    image: {image}
    command: [python3, -c, "{say} sys.exit(7) if os.environ.get('CRASH') else exec(open('/app.py').read())"]
    environment: {{SECRET: "${{CANARY_PASSWORD}}", CRASH: "${{CRASH:-}}", VERSION: "${{VERSION:-1}}"}}
x-vpsctl:
  web: {{service: app, port: 8000, domains: ["{site}.test"], tls: "off"}}
  healthcheck: {{path: /healthz, interval: 200ms, timeout: 1s}}
  secrets: [NAMES]
  update: {{deploy_timeout: 10s, drain_timeout: 5s, bake: 1s, retain: 2}}
  pre_deploy: {{command: [python3, -c, "{say}"], timeout: 20s}}
""".replace("{say}", SAY)
OWN = "import os, time; time.sleep(0.4); raise SystemExit(sum(n.startswith('CANARY') for n in os.environ) < 9)"
"""A command that is meant to have them in its environment."""


@pytest.fixture(scope="module")
def canaries() -> list[Canary]:
    return make_canaries()


@pytest.fixture(scope="module")
def search(canaries: list[Canary]) -> Search:
    return Search(canaries)


def test_the_search_finds_what_it_looks_for(canaries: list[Canary], search: Search) -> None:
    for canary in canaries:
        for shift in ("", "a", "ab"):
            plain = shift + canary.text
            assert search(plain)
            assert search(base64.b64encode(plain.encode()))
            assert search(base64.urlsafe_b64encode(plain.encode()))
            assert search(f"https://u:{quote(plain, safe='')}@host")
            assert search(repr(plain))
            assert search(plain.encode().hex())
    assert not search("c4nary")
    assert not search(make_canaries()[0].text)


def test_the_watch_sees_what_it_looks_for(canaries: list[Canary], search: Search) -> None:
    text_, wait = canaries[0].text, "import time; time.sleep(0.2)"
    with watched_processes(search, "MEANT") as seen:
        subprocess.run([sys.executable, "-c", wait], env={"HARMLESS": "1"}, check=True)
        subprocess.run([sys.executable, "-c", wait, "MEANT"], env={"HERE": text_}, check=True)
        assert seen == []
        subprocess.run([sys.executable, "-c", wait, "leaky"], env={"HERE": text_}, check=True)
        assert seen
        assert all("leaky" in one for one in seen)
        seen.clear()
        subprocess.run([sys.executable, "-c", wait, "MEANT", text_], env={}, check=True)
        assert seen


class Told:
    """`told("cred", "list", code=0, stdin=…)`: what every command printed, by its command line."""

    def __init__(self, cli: Vpsctl) -> None:
        self._cli = cli
        self.said: dict[str, str] = {}

    def __call__(self, *words: str, code: int = 0, stdin: str = "", **environ: str) -> Answer:
        answer = self._cli(*words, stdin=stdin.encode(), **environ)
        assert answer.code == code, answer
        self.said[f"{len(self.said)} {' '.join(words)}"] = answer.out + answer.err
        return answer


@contextmanager
def altered(app: App, name: str) -> Iterator[None]:
    """Somebody has changed the stored value of one."""
    change = text(
        "UPDATE credential_versions SET ciphertext = set_byte(ciphertext, 0, get_byte(ciphertext, 0) # 1)"
        " WHERE credential_id = (SELECT id FROM credentials WHERE name = :name AND project_id IS NULL)"
    )
    for undo in (False, True):
        with app.owner_database.transaction() as session:
            session.execute(change, {"name": name})
        if not undo:
            yield


def store(told: Told, canaries: list[Canary], gone: str, tmp_path: Path) -> None:
    """Each kind in and looked at, well and badly."""
    for canary in canaries:
        words = ["--kind", canary.kind, *canary.details]
        told("cred", "add", canary.name, *words, "--from-stdin", "--debug", stdin=canary.text)
        told("cred", "add", canary.name, *words, "--from-stdin", "--debug", stdin=canary.text, code=4)
        told("cred", "set", canary.name, "--from-stdin", "--debug", stdin=f"{canary.text}\0", code=2)
        told("cred", "set", canary.name, "--from-stdin", "--debug", stdin=canary.text, VPSCTL_POSTGRES_URL=gone, code=5)
        told("cred", "show", canary.name, "--json")
        file = tmp_path / canary.name
        file.write_text(canary.text)
        told("cred", "set", canary.name, "--from-file", str(file), "--json")
        for kind in ("s3", "url", "totp", "service-account", "ssh-key", "basic"):
            if kind != canary.kind:  # as a kind that it is not
                told("cred", "add", "WRONG", "--kind", kind, "--from-stdin", "--debug", stdin=f"{canary.text}\n\1", code=2)
    for words in (["list"], ["versions", canaries[0].name], ["usage", canaries[0].name], ["expiring"]):
        told("cred", *words, "--json")


def open_(told: Told, canaries: list[Canary], process: CommandLine, foundation: App) -> None:
    """Tried, handed to a command, refused, and shown where nobody may see it."""
    for canary in canaries:
        code = ["--code", "000000"] if canary.kind == "totp" else []
        ended = {"keyvalue": 0, "totp": 6}.get(canary.kind, 5)  # nobody listens where the others are tried
        told("cred", "test", canary.name, *code, "--debug", code=ended)
    names = [canary.name for canary in canaries]
    assert process.run("cred", "use", *names, "--", sys.executable, "-c", OWN).returncode == 0
    told("cred", "use", *names, "--debug", "--", "no-such-program", code=2)
    told("cred", "reveal", names[0], "--reason", "looking", "--debug", code=2)
    with altered(foundation, names[0]):
        told("cred", "use", *names, "--debug", "--", "true", code=6)
        told("cred", "reveal", names[0], "--reason", "looking", "--stdout", "--debug", code=6)
    shown = process.run("cred", "reveal", names[0], "--reason", "looking", "--stdout")
    assert shown.stdout == f"{canaries[0].text}\n"
    assert shown.stderr == ""


def move(told: Told, canaries: list[Canary], tmp_path: Path) -> None:
    """Other versions of them, out and in again."""
    by_kind = {canary.kind: canary for canary in canaries}
    for kind in ("token", "basic", "totp", "ssh-key"):
        told("cred", "rotate", by_kind[kind].name, "--json")
        told("cred", "rollback", by_kind[kind].name, "--to", "2", "--debug")
    told("cred", "rotate", by_kind["url"].name, "--debug", code=6)
    told("cred", "rotate", by_kind["s3"].name, "--debug", code=2)
    told("cred", "destroy", by_kind["token"].name, "--version", "1", "--confirm", by_kind["token"].name, "--json")
    key, to = pyrage.x25519.Identity.generate(), tmp_path / "out.age"
    identity = tmp_path / "key.txt"
    identity.write_text(str(key))
    told("cred", "export", "--to", str(to), "--recipient", str(key.to_public()), "--reason", "moving", "--json")
    told("cred", "import", str(to), "--identity", str(identity), "--dry-run", "--json")
    told("recovery-kit", "create", "--to", str(tmp_path / "kit.age"), "--recipient", str(key.to_public()), "--json")
    told("key", "status", "--json")
    bare = tmp_path / "bare.env"
    bare.write_text(f"A={by_kind['token'].text}\n{by_kind['password'].text}\n")
    told("cred", "import", str(bare), "--debug", code=2)
    bare.write_text(f"{by_kind['token'].name}='{by_kind['basic'].text}'\n")
    told("cred", "import", str(bare), "--debug", code=4)
    told("cred", "import", str(bare), "--dry-run", "--format", "json", "--debug", code=2)


def serve(told: Told, cli: Vpsctl, foundation: App, site: str) -> None:
    """A site that has them all in its environment, and prints them when it can."""
    told("plan", site, "--debug")
    told("plan", site, "--json")
    told("deploy", site)
    told("env", "set", site, "CRASH=1")
    told("deploy", site, "--debug", code=6)
    told("env", "unset", site, "CRASH")
    told("deploy", site, "--json")
    told("rollback", site)
    runs = [str(run["id"]) for run in cli("run", "list", site, "--json").data]
    for words in (
        *(["run", "show", run, *more] for run in runs for more in ([], ["--json"])),
        *([*words, "--json"] for words in (["status"], ["site", "show", site], ["site", "list"], ["env", "list", site])),
        *([*words, "--json"] for words in (["cred", "list"], ["release", "list", site], ["run", "list"], ["doctor"])),
        *(["container", verb, f"{foundation.settings.instance}-{site}-app-r4-1", "--json"] for verb in ("show", "top")),
        ["audit", "list", "--limit", "1000", "--json"],
        ["audit", "export"],
    ):
        told(*words)


@pytest.fixture
def outputs(
    cli: Vpsctl,
    process: CommandLine,
    foundation: App,
    make_directory: MakeDirectory,
    canaries: list[Canary],
    search: Search,
    tmp_path: Path,
) -> Iterator[dict[str, str]]:
    """What every command printed while the credentials were set, used, moved, printed by the app, and given again."""
    told = Told(cli)
    compose = COMPOSE.replace("NAMES", ", ".join(canary.name for canary in canaries))
    with watched_processes(search, OWN) as processes:
        store(told, canaries, f"postgresql://u@/d?host={tmp_path}", tmp_path)
        open_(told, canaries, process, foundation)
        move(told, canaries, tmp_path)
        with added(foundation, make_directory, compose) as (site, _):
            serve(told, cli, foundation, site)
            told.said["processes"] = "\n".join(processes)
            yield told.said
    for canary in canaries:
        told("cred", "remove", canary.name, "--yes")


def ledger(client: docker.DockerClient, app: App) -> bytes:
    """A dump of everything in our Postgres."""
    dump = ["pg_dump", "--inserts", "-U", "vpsctl", "vpsctl"]
    result = client.containers.get(f"{app.settings.instance}-postgres").exec_run(dump)
    assert result.exit_code == 0
    assert isinstance(result.output, bytes)
    return result.output


def written(app: App) -> Iterator[tuple[str, bytes]]:
    """Every file in the state directory."""
    for path in app.settings.home.rglob("*"):
        if path.is_file() and not path.is_symlink():
            yield str(path), path.read_bytes()


def test_the_values_stand_nowhere(
    outputs: dict[str, str], docker_client: docker.DockerClient, foundation: App, search: Search, canaries: list[Canary]
) -> None:
    told = "".join(outputs.values())
    for canary in canaries:  # the failing app's own lines came through, without it
        first = "{" if canary.kind == "service-account" else "[redacted]"  # a line too short to tell anything
        assert f"{canary.name} is {first}" in told, canary.kind
    assert [name for name, said in outputs.items() if search(said)] == []
    dump = ledger(docker_client, foundation)
    assert b"CANARY_BASIC is [redacted]" in dump
    assert b"credential.reveal" in dump
    assert search(dump) == []
    assert [path for path, data in written(foundation) if search(data)] == []
    made: dict[str, str | list[str] | bool] = {"label": f"vpsctl.instance={foundation.settings.instance}"}
    in_environment = 0
    for container in docker_client.containers.list(all=True, filters=made):
        attributes = container.attrs
        in_environment += bool(search("\n".join(attributes["Config"].pop("Env") or [])))
        assert search(repr(attributes)) == [], container.name
        if "vpsctl.site" not in container.labels:
            assert search(container.logs()) == [], container.name
    assert in_environment >= 2
    for image in docker_client.images.list(filters=made):
        assert search(repr(image.attrs) + repr(image.history())) == []
    for network in docker_client.networks.list(filters=made):
        assert search(repr(network.attrs)) == []
