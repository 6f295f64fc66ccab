"""A credential's value goes everywhere it is used, and is to be read nowhere but in the environment of its containers."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote, quote_plus

import docker
import pytest

from tests.cli.conftest import MakeDirectory, Vpsctl, added
from vpsctl.app import App

VALUE = "c4nary/+sec ret&?\"'$x%é"
SAY = (
    "import base64, os, sys, urllib.parse as u; v = os.environ.get('SECRET', ''); "
    "print('v:', v, base64.b64encode(v.encode()).decode(), u.quote(v, safe='')); "
)
COMPOSE = """
services:
  app:
    image: {image}
    command: [python3, -c, "{say} sys.exit(7) if os.environ.get('CRASH') else exec(open('/app.py').read())"]
    environment: {{SECRET: "${{CANARY}}", CRASH: "${{CRASH:-}}", VERSION: "${{VERSION:-1}}"}}
x-vpsctl:
  web: {{service: app, port: 8000, domains: ["{site}.test"], tls: "off"}}
  healthcheck: {{path: /healthz, interval: 200ms, timeout: 1s}}
  secrets: [CANARY]
  update: {{deploy_timeout: 10s, drain_timeout: 5s, bake: 1s, retain: 2}}
  pre_deploy: {{command: [python3, -c, "{say}"], timeout: 20s}}
""".replace("{say}", SAY)


def forms(value: str) -> set[bytes]:
    """How it would look where somebody wrote it down: as it is, escaped, in URLs, in base64 at each of three offsets."""
    escaped = value.encode("unicode_escape").decode()
    plain = {
        value,
        escaped,
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        value.replace('"', '\\"'),
        quote(value),
        quote(value, safe=""),
        quote_plus(value),
        repr(value)[1:-1],
    }
    found = {text.encode() for text in plain}
    for offset in range(3):
        # without the characters that its neighbours have a part in
        encoded = base64.b64encode(b"x" * offset + value.encode())
        found |= {encoded[4:-4], base64.urlsafe_b64encode(b"x" * offset + value.encode())[4:-4]}
    return found


def leaks(text: str | bytes) -> list[bytes]:
    data = text.encode() if isinstance(text, str) else text
    return [form for form in forms(VALUE) if form in data]


def test_the_search_finds_what_it_looks_for() -> None:
    assert leaks(f"Basic {base64.b64encode(f'user:{VALUE}'.encode()).decode()}")
    assert leaks(f"https://u:{quote(VALUE, safe='')}@host")
    assert leaks(f"password={VALUE!r}")
    assert not leaks("c4nary")


@contextmanager
def watched_processes() -> Iterator[list[str]]:
    """Command lines in which the value stood while the block ran."""
    seen: list[str] = []
    end = threading.Event()

    def watch() -> None:
        while not end.wait(0.1):
            for place in Path("/proc").glob("[0-9]*"):
                with suppress(OSError):
                    text = (place / "cmdline").read_bytes()
                    if leaks(text):
                        seen.append(text.decode(errors="replace"))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        end.set()
        thread.join()


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


@pytest.fixture
def outputs(cli: Vpsctl, foundation: App, make_directory: MakeDirectory) -> Iterator[dict[str, str]]:
    """What every command printed while the credential was set, given, printed by the app, and given again."""
    said: dict[str, str] = {}

    def type_(*words: str, code: int = 0, stdin: bytes = b"") -> None:
        answer = cli(*words, stdin=stdin)
        assert answer.code == code, answer
        said[f"{len(said)} {' '.join(words)}"] = answer.out + answer.err

    type_("cred", "set", "CANARY", "--from-stdin", "--debug", stdin=VALUE.encode())
    with added(foundation, make_directory, COMPOSE) as (site, _), watched_processes() as processes:
        type_("plan", site, "--debug")
        type_("plan", site, "--json")
        type_("deploy", site)
        type_("env", "set", site, "CRASH=1")
        type_("deploy", site, "--debug", code=6)
        type_("env", "unset", site, "CRASH")
        type_("deploy", site, "--json")
        type_("rollback", site)
        runs = [str(run["id"]) for run in cli("run", "list", site, "--json").data]
        for words in (
            *(["run", "show", run, *more] for run in runs for more in ([], ["--json"])),
            *([*words, "--json"] for words in (["status"], ["site", "show", site], ["site", "list"], ["env", "list", site])),
            *([*words, "--json"] for words in (["cred", "list"], ["release", "list", site], ["run", "list"], ["doctor"])),
            *(["container", verb, f"{foundation.settings.instance}-{site}-app-r4-1", "--json"] for verb in ("show", "top")),
        ):
            type_(*words)
        said["processes"] = "\n".join(processes)
        yield said
    type_("cred", "remove", "CANARY", "--yes")


def test_the_value_stands_nowhere(outputs: dict[str, str], docker_client: docker.DockerClient, foundation: App) -> None:
    told = "".join(outputs.values())
    assert "v: [redacted]" in told  # the failing app's own lines came through, without it
    assert [name for name, text in outputs.items() if leaks(text)] == []
    dump = ledger(docker_client, foundation)
    assert b"v: [redacted]" in dump
    assert leaks(dump) == []
    assert [path for path, data in written(foundation) if leaks(data)] == []
    made: dict[str, str | list[str] | bool] = {"label": f"vpsctl.instance={foundation.settings.instance}"}
    in_environment = 0
    for container in docker_client.containers.list(all=True, filters=made):
        attributes = container.attrs
        in_environment += bool(leaks("\n".join(attributes["Config"].pop("Env") or [])))
        assert leaks(repr(attributes)) == [], container.name
    assert in_environment >= 2
    for image in docker_client.images.list(filters=made):
        assert leaks(repr(image.attrs) + repr(image.history())) == []
    for network in docker_client.networks.list(filters=made):
        assert leaks(repr(network.attrs)) == []
