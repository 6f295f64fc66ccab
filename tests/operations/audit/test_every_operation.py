"""Every command of the catalogue, run for real: what changes something leaves exactly one audit row, the rest none."""

import fnmatch
import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest
from docker.models.containers import Container
from sqlalchemy import func, select

from tests.cli.commands import leaves
from tests.cli.conftest import Answer, MakeDirectory, Vpsctl, as_document
from tests.e2e.command_line import VPSCTL, CommandLine, write_settings
from tests.machine import bare_machine
from tests.operations.audit.walk import CANARY, READS, WRITES, Step, World, walk
from tests.waiting import wait_for
from vpsctl.app import App
from vpsctl.audit.verify import verify_audit
from vpsctl.db.models import Audit, Run
from vpsctl.runs import start_run

PERSON = {"SUDO_USER": "anna", "SSH_CONNECTION": "203.0.113.7 51234 198.51.100.1 22"}
REFUSED = (
    "site add {directory} --name shop",
    "site move nosuch {directory}",
    "site remove nosuch --yes",
    "site maintenance on nosuch",
    "site adopt nobody --name other",
    "project add acme",
    "project remove acme --yes",
    "project update nosuch --tag a",
    "deploy nosuch",
    "deploy resume shop",
    "deploy abort shop",
    "deploy shop --image nosuch:never",
    "rollback shop --to r99",
    "start nosuch",
    "stop shop --service nosuch",
    "restart shop --service nosuch",
    "scale shop app=99",
    "scale shop nosuch=1",
    "env unset shop NOSUCH",
    "env set shop 1=1",
    "exec shop --service nosuch -- true",
    "cred set canary --generate",
    "cred rollback MADE --to 99",
    "cred remove NOSUCH --yes",
    "key remove 0123456789abcdef --yes",
    "container stop nosuch",
    "container start nosuch",
    "user add anna",
    "user role nosuch viewer",
    "token revoke AB12CD34",
)
"""Command lines that are refused before anything changes."""


def test_for_every_command_it_is_decided_whether_it_leaves_a_row() -> None:
    assert READS.keys() & WRITES == set()
    assert {" ".join(path) for path, _ in leaves()} == READS.keys() | WRITES


@dataclass
class Installation:
    """One machine, its trail, and the commands given to it."""

    app: App
    config: Path
    cli: Vpsctl
    seen: int = 0

    def run(self, words: list[str], stdin: str = "") -> Answer:
        return self.cli(*words, stdin=stdin.encode(), **PERSON)

    def run_alone(self, words: list[str]) -> Answer:
        environment = {**CommandLine(self.config).environment(), **PERSON}
        done = subprocess.run([VPSCTL, *words], env=environment, capture_output=True, text=True, check=False)
        return Answer(done.returncode, done.stdout, done.stderr)

    def new_rows(self) -> list[Audit]:
        """Those since the last call."""
        with self.app.database.transaction() as session:
            rows = session.scalars(select(Audit).where(Audit.id > self.seen).order_by(Audit.id)).all()
        self.seen = max((row.id for row in rows), default=self.seen)
        return list(rows)

    def newest_run(self) -> int | None:
        with self.app.database.transaction() as session:
            return session.scalar(select(func.max(Run.id)))


@pytest.fixture
def config(machine: App, tmp_path: Path) -> Path:
    return write_settings(tmp_path / "config.toml", **as_document(machine.settings))


@pytest.fixture
def machine(docker_client: docker.DockerClient) -> Iterator[App]:
    with bare_machine(docker_client) as app:
        yield app


@pytest.fixture
def installation(machine: App, config: Path, cli: Vpsctl) -> Installation:
    """Set up by its own first command, which is the first that must leave a row."""
    made = Installation(machine, config, cli)
    answer = made.run(["init"])
    assert answer.code == 0, answer
    check_rows(made, Step("init", "", "host.init", "host:*"))
    assert made.run(["init"]).code == 0
    assert made.new_rows() == []
    return made


@pytest.fixture
def run_container(docker_client: docker.DockerClient, machine: App, web_image: str) -> Iterator[Callable[[str], Container]]:
    made: list[Container] = []

    def run(what: str) -> Container:
        name, given = f"{machine.settings.instance}-{what}", {"VERSION": what}
        made.append(docker_client.containers.run(web_image, name=name, detach=True, mem_limit="64m", environment=given))
        return made[-1]

    yield run
    for container in made:
        container.remove(force=True)


@pytest.fixture
def world(
    installation: Installation,
    make_directory: MakeDirectory,
    run_container: Callable[[str], Container],
    tmp_path: Path,
) -> World:
    directory = make_directory("shop")
    stranger, legacy = run_container("stranger"), run_container("legacy")
    return World(installation.app, tmp_path, directory, stranger, legacy, {})


def check_rows(installation: Installation, step: Step) -> None:
    """None or exactly one, and it says who, from where, what, on what, and in which run; never a secret."""
    rows = installation.new_rows()
    told = f"vpsctl {step.command} {step.rest}: {[(row.action, row.target, row.fields) for row in rows]}"
    assert len(rows) == bool(step.action), told
    for row in rows:
        assert (row.actor, row.door, row.origin) == ("anna", "cli", "203.0.113.7"), told
        assert row.action == step.action, told
        assert fnmatch.fnmatchcase(row.target, step.target), told
        assert row.run_id == (installation.newest_run() if step.run else None), told
        assert CANARY not in json.dumps(row.fields), told
        assert "outcome" not in row.fields, told


def take(installation: Installation, world: World, step: Step) -> None:
    step.before()
    words = [*step.command.split(), *world.fill(step.rest).split()]
    answer = installation.run_alone(words) if step.alone else installation.run(words, world.fill(step.stdin))
    assert answer.code == 0, (words, answer)
    if step.keep:
        world.said[step.keep] = answer.out
    check_rows(installation, step)


def test_every_command_leaves_exactly_one_row_or_none(installation: Installation, world: World) -> None:
    taken = {"init"}
    for step in walk(world):
        take(installation, world, step)
        taken.add(step.command)
        if step.command == "site adopt":
            settle_and_fail(installation)
        if step.command == "login-link":
            refuse(installation, world)
    assert taken == READS.keys() | WRITES
    stop_the_ledger(installation)
    assert verify_audit(installation.app).problems == ()
    told = everything_told(installation.app)
    seed = json.loads(world.said["enrolment"])["data"]["seed"]
    assert [secret for secret in (CANARY, world.said["token"], seed, "panel.example.com/login") if secret in told] == []


def everything_told(app: App) -> str:
    with app.database.transaction() as session:
        return "\n".join(json.dumps([row.target, row.fields]) for row in session.scalars(select(Audit)))


def refuse(installation: Installation, world: World) -> None:
    for line in REFUSED:
        answer = installation.run(world.fill(line).split())
        assert answer.code not in (0, 1), (line, answer)
        assert [(row.action, row.fields) for row in installation.new_rows()] == [], line


def settle_and_fail(installation: Installation) -> None:
    """One row for each run: for the one that a kill left, by whom settles it, and for the one that failed."""
    number = leave_half_way(installation.app, "restart")
    assert installation.run(["stop", "shop"]).code == 0
    killed, stopped = installation.new_rows()
    assert (killed.action, killed.run_id, killed.fields["kind"]) == ("site.settle", number, "restart")
    assert (killed.fields["outcome"], killed.fields["begun_by"]) == ("failed", "test")
    assert (stopped.action, stopped.run_id) == ("site.stop", number + 1)
    number = leave_half_way(installation.app)
    assert installation.run(["deploy", "resume", "shop"]).code == 0
    (row,) = installation.new_rows()
    assert (row.action, row.run_id, row.fields["outcome"]) == ("site.resume", number, "undone")
    assert row.fields["begun_by"] == "test"
    number = leave_half_way(installation.app)
    assert installation.run(["deploy", "shop"]).code == 0
    settled, deployed = installation.new_rows()
    assert (settled.action, settled.fields["outcome"], deployed.action) == ("site.settle", "undone", "site.deploy")
    assert (settled.run_id, deployed.run_id) == (number, number + 1)
    installation.run(["env", "set", "shop", "CRASH=1"])
    installation.new_rows()
    assert installation.run(["deploy", "shop"]).code == 6
    (failed,) = installation.new_rows()
    assert (failed.action, failed.fields["outcome"], failed.run_id) == ("site.deploy", "undone", installation.newest_run())
    installation.run(["env", "unset", "shop", "CRASH"])
    installation.new_rows()


def stop_the_ledger(installation: Installation) -> None:
    """What stops and starts the trail's own Postgres is in it too, once there is somewhere to write."""
    postgres = f"{installation.app.settings.instance}-postgres"
    for verb, options in (("stop", ["--yes"]), ("start", [])):
        assert installation.run(["container", verb, postgres, *options]).code == 0
    wait_for(lambda: installation.run(["project", "add", "later"]).code == 0, "Postgres", 60)
    told = [(row.action, row.target, row.actor, row.origin) for row in installation.new_rows()]
    assert told == [
        (action, target, "anna", "203.0.113.7")
        for action, target in (
            ("container.stop", f"container:{postgres}"),
            ("container.start", f"container:{postgres}"),
            ("project.add", "project:later"),
        )
    ]


def leave_half_way(app: App, kind: str = "deploy") -> int:
    """A run of which nobody has written the end, as after kill -9."""
    with start_run(app, kind, "shop") as run:
        run.leave()
    return run.id
