"""How long a deploy of an image that is here and healthy at once takes, against `docker run` and the same probe.

Drain and bake are not counted; the old container's stop is, on both sides. Aim: under 1.3 times. Measured on 2026-11-20,
two cores that others were using (load 3 to 8), about 36 containers of others on the engine; medians of 9 rounds. All four
runs, in order; in the first two the peer of the second line did not yet remove an old container, which a deploy does:

                      docker, by its command       deploy()                      ratio
    first deploy      616   662   650   372 ms     1006   874   854    562 ms    1.63   1.32   1.31   1.51
    deploy again      528   585   671   772 ms      718   962   970   1298 ms    1.36   1.64   1.45   1.68

So the aim is missed on a machine this busy, at the next deploys more than at the first; whether an idle one meets it was
not measured. In a run of ten deploys at a load of 4 the median was 655 ms without the drain, 459 of them in the steps
`start` and `stop`, which are the Engine's. A deploy takes about 115 ms of vpsctl's own processor time, which a busy machine
stretches: by cProfile, about 30 go to inspecting the strangers (one request each, since the Engine's list does not tell
their caps), 32 to about 40 transactions, 25 to 35 other requests of the Engine. `vpsctl deploy` as a command, drain
included, took 3.4 to 4.0 times the peer: its imports, mostly SQLAlchemy and the Docker SDK, and 0.3 s of drain.

What profiling changed: the probe asks by http.client (each httpx client costs 20 ms for certificates, its import 100); the
Docker SDK opened 51 connections for 78 requests, one for each URL, and now keeps one; the caps of our own containers are
read from labels instead of 100 inspects on a machine of 100 sites; `docker info` is asked once instead of four times;
garbage is found by lists instead of a request for each container and each release there ever was; the rows of a step
do not wait for the disk (7 ms each while the disk is busy, 26 of them).
"""

import http.client
import secrets
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import docker

from tests.benchmarks.figures import milliseconds, print_table, timed, times
from tests.benchmarks.ground import engine_client, machine, site
from tests.benchmarks.startup import VPSCTL, environment
from vpsctl.app import App
from vpsctl.run_events import Event, StepFinished
from vpsctl.sites.deploy import deploy
from vpsctl.sites.naming import INSTANCE

ROUNDS = 9
IMAGE, PORT, PATH = "busybox:latest", 8000, "/hostname"
COMMAND = ["httpd", "-f", "-p", str(PORT), "-h", "/etc"]
MEMORY, CPUS, RETAIN = 64, 0.5, 1
COMPOSE = """
services:
  app:
    image: {image}
    command: {command}
    stop_signal: KILL
    deploy: {{resources: {{limits: {{memory: {memory}M, cpus: "{cpus}"}}}}}}
x-vpsctl:
  web: {{service: app, port: {port}, domains: ["{name}.test"], tls: "off"}}
  healthcheck: {{path: {path}, success_threshold: 1}}
  update: {{bake: 0s, retain: {retain}}}
"""
APART = ("drain", "bake")
"""Steps that wait on purpose, and do not count."""


@dataclass
class Peer:
    """The containers that plain Docker runs instead, and what they stand on."""

    client: docker.DockerClient
    name: str
    labels: dict[str, str]
    networks: tuple[str, ...]
    running: list[str] = field(default_factory=list)

    def run(self) -> None:
        """`docker run` and the probe."""
        new = f"{self.name}-{secrets.token_hex(3)}"
        self.running.append(new)
        options = ["--memory", f"{MEMORY}m", "--cpus", str(CPUS), "--stop-signal", "KILL", "--network", self.networks[0]]
        label = "=".join(*self.labels.items())
        call("docker", "run", "-d", "--name", new, "--label", label, *options, IMAGE, *COMMAND)
        self.probe(new)

    def run_by_api(self) -> None:
        """The same without the time of the docker command, on two networks as a site's container is."""
        api, new = self.client.api, f"{self.name}-{secrets.token_hex(3)}"
        self.running.append(new)
        host = api.create_host_config(
            mem_limit=f"{MEMORY}m",
            nano_cpus=int(CPUS * 1e9),
            network_mode=self.networks[0],
        )
        api.create_container(IMAGE, COMMAND, name=new, labels=self.labels, host_config=host, stop_signal="KILL")
        api.connect_container_to_network(new, self.networks[1])
        api.start(new)
        self.probe(new)

    def probe(self, name: str) -> None:
        found = self.client.api.inspect_container(name)["NetworkSettings"]["Networks"][self.networks[0]]
        while True:
            connection = http.client.HTTPConnection(found["IPAddress"], PORT, timeout=5)
            try:
                connection.request("GET", PATH)
                if connection.getresponse().status == 200:
                    return
            except ConnectionRefusedError:
                time.sleep(0.02)
            finally:
                connection.close()

    def replace(self) -> None:
        """The old one stops and stays; the one before it goes, as a release past `retain` does."""
        self.run()
        call("docker", "stop", self.running[-2])
        call("docker", "rm", self.running.pop(0))

    def replace_by_api(self) -> None:
        self.run_by_api()
        self.client.api.stop(self.running[-2])
        self.client.api.remove_container(self.running.pop(0))

    def clear(self) -> None:
        for name in self.running:
            self.client.api.remove_container(name, force=True)
        self.running.clear()


def main() -> None:
    with engine_client() as client, machine(client) as app, ExitStack() as stack:
        cache = stack.enter_context(tempfile.TemporaryDirectory())
        shell = environment(app, cache)
        with peer(client, app) as plain:
            first(app, plain)
            again(app, plain, shell)


@contextmanager
def peer(client: docker.DockerClient, app: App) -> Iterator[Peer]:
    name = f"{app.settings.instance}-peer"
    found = Peer(client, name, {INSTANCE: app.settings.instance}, (f"{name}-one", f"{name}-two"))
    made = []
    try:
        for network in found.networks:
            made.append(client.networks.create(network, labels=found.labels))
        yield found
    finally:
        found.clear()
        for each in made:
            each.remove()


def first(app: App, plain: Peer) -> None:
    """The first deploy of a site makes its network and its route too."""
    taken: dict[str, list[float]] = {"docker network create, docker run, probe": [], "deploy(), first": []}
    steps: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        extra = f"{plain.name}-extra"
        begin = timed(lambda extra=extra: call("docker", "network", "create", extra))  # type: ignore[misc]
        taken["docker network create, docker run, probe"].append(begin + timed(plain.run))
        call("docker", "network", "rm", extra)
        name = f"b{secrets.token_hex(3)}"
        with site(app, name, compose(name)):
            taken["deploy(), first"].append(deployed(app, name, steps))
    show(f"first deploy, median of {ROUNDS}", taken, steps)
    plain.clear()


def again(app: App, plain: Peer, shell: dict[str, str]) -> None:
    """A new release beside the old one, which stops afterwards."""
    name = "again"
    taken: dict[str, list[float]] = {}
    steps: dict[str, list[float]] = {}
    with site(app, name, compose(name)):
        for _ in range(RETAIN + 1):
            deploy(app, name)
        plain.run()
        plain.run()
        plain.client.api.stop(plain.running[0])
        acts: dict[str, Callable[[], object]] = {
            "docker run, probe, docker stop, docker rm": plain.replace,
            "the same by the API, two networks": plain.replace_by_api,
        }
        command = "vpsctl deploy (drain included)"
        for _ in range(ROUNDS):
            for title, act in acts.items():
                taken.setdefault(title, []).append(timed(act))
            taken.setdefault("deploy(), again", []).append(deployed(app, name, steps))
            argv = (VPSCTL, "deploy", name, "--quiet")
            taken.setdefault(command, []).append(timed(lambda argv=argv: call(*argv, env=shell)))  # type: ignore[misc]
    show(f"deploy again, median of {ROUNDS}", taken, steps)


def compose(name: str) -> str:
    return COMPOSE.format(
        image=IMAGE, command=COMMAND, memory=MEMORY, cpus=CPUS, port=PORT, path=PATH, name=name, retain=RETAIN
    )


def deployed(app: App, name: str, steps: dict[str, list[float]]) -> float:
    """Seconds of one deploy apart from the steps that wait on purpose."""
    events: list[Event] = []
    taken = timed(lambda: deploy(app, name, report=events.append))
    for event in events:
        if isinstance(event, StepFinished):
            steps.setdefault(event.name, []).append(event.seconds)
            taken -= event.seconds if event.name in APART else 0.0
    return taken


def show(title: str, taken: dict[str, list[float]], steps: dict[str, list[float]]) -> None:
    peer = median(next(iter(taken.values())))
    rows: list[tuple[Any, ...]] = [
        (name, milliseconds(median(found)), milliseconds(min(found)), times(median(found), peer))
        for name, found in taken.items()
    ]
    print_table(title, ("", "median", "fastest", "medians"), rows)
    told = [f"{name} {median(found) * 1000:.0f}" for name, found in steps.items()]
    print(f"  steps, ms (not counted: {', '.join(APART)}): {', '.join(told)}")


def call(*argv: str, env: dict[str, str] | None = None) -> None:
    subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)


if __name__ == "__main__":
    main()
