"""Traffic through 20 deployments, and the same traffic through two other ways to replace a container.

Measured on 2026-11-20 on two cores that others were using (load 7 to 9), Caddy 2.11.7, Engine 20.10:

                                requests  failed   p99      slowest  3 s requests whole  WebSockets lost
    vpsctl deploy                 72,458       0   263 ms    446 ms            20 of 20                0
    admin API: PATCH the dial     57,839     105   144 ms    386 ms            20 of 20               20
    compose: stop, remove, create 58,592   2,696   1.6 s     1.8 s              0 of 20                0

The run before: 0 failed of 73,532 (p99 1.0 s), 189 of 59,725 (1.5 s) and 2,442 of 57,977 (4.6 s); its WebSockets do not
count, since `web.js` closed them on the client's pings, which are off now. The order of the first two by p99 changed
between the runs: on a machine this busy it says nothing about them.

PATCH replaces Caddy's servers, so requests on connections that it closes under them are lost, half of them POSTs, which
a client may not repeat, and the other site's WebSocket each time. It is shown at its kindest: the new container answers
before, the old one drains after. The switch by files took 2 to 63 ms inside the deploys, 8 ms at the median, against 3 ms
alone (see `switch`); probably it waits for the disk that starting containers write to. In a shorter run the kernel had
throttled Caddy's container, at half a core, in 1 of 260 periods: its cap is not what makes the p99.
"""

import http.client
import json
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import docker

from tests.benchmarks.figures import milliseconds, print_table
from tests.benchmarks.generator import Summary
from tests.benchmarks.ground import engine_client, machine, site, web_image
from tests.machine import free_ports
from vpsctl.app import App
from vpsctl.run_events import Event, StepStarted
from vpsctl.sites import naming
from vpsctl.sites.deploy import deploy
from vpsctl.sites.environment import set_variables

ROUNDS = 20
CONNECTIONS = 40
RATE = 700
"""Requests a second: two cores, and the half one that Caddy may use, have room left; so what is slow or fails is the
switch's doing."""
ROUND_SECONDS = 4.0
"""Each round takes this long at least: 20 of them are 56,000 requests."""
PORT, MEMORY, CPUS = 8000, 128, 0.5
PROXY_MEMORY, PROXY_CPUS = 128, 0.5
"""Of the foundation's Caddy (compose/foundation.yaml)."""
COMPOSE = """
services:
  app:
    image: {image}
    environment: {{VERSION: "${{VERSION:-0}}"}}
    deploy: {{resources: {{limits: {{memory: {memory}M, cpus: "{cpus}"}}}}}}
x-vpsctl:
  web: {{service: app, port: {port}, domains: ["{name}.test"], tls: "off"}}
  healthcheck: {{path: /, interval: 200ms, timeout: 5s}}
  update: {{drain_timeout: 15s, bake: 0s, retain: 1}}
"""
SHOP, CHAT = "shop", "chat"


@dataclass
class Slow:
    """A request of 3 seconds for each switch, sent just before it: whether the container it was sent to answered."""

    port: int
    whole: int = 0
    threads: list[threading.Thread] = field(default_factory=list)

    def send(self, version: str) -> None:
        """Returns when the request is on its way."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET", "/slow", headers={"Host": f"{SHOP}.test"})
        self.threads.append(threading.Thread(target=self._read, args=(connection, version)))
        self.threads[-1].start()

    def _read(self, connection: http.client.HTTPConnection, version: str) -> None:
        try:
            response = connection.getresponse()
            self.whole += (response.status, response.read().decode()) == (200, version)
        except (OSError, http.client.HTTPException):
            return  # not whole
        finally:
            connection.close()

    def wait(self) -> None:
        for thread in self.threads:
            thread.join()


@dataclass(frozen=True)
class Outcome:
    traffic: Summary
    whole: int
    seconds: float
    switch_times: list[float]


def main() -> None:
    with engine_client() as client, machine(client) as app, web_image(client) as image:
        rows = {"vpsctl deploy": through_deploys(app, image)}
        with peer(client, app, image) as other:
            rows["admin API: PATCH the dial"] = under_load(other.port, other.patch)
            rows["compose: stop, remove, create"] = under_load(other.port, other.recreate)
    show(rows)


def show(rows: dict[str, Outcome]) -> None:
    columns = ("requests", "failed", "of them POST", "p50", "p99", "slowest", "3 s requests whole", "WebSockets lost")
    told = [
        (
            name,
            found.traffic.requests,
            found.traffic.failed,
            found.traffic.failed_posts,
            *(milliseconds(value) for value in (found.traffic.p50, found.traffic.p99, found.traffic.slowest)),
            f"{found.whole} of {ROUNDS}",
            found.traffic.sockets_lost,
        )
        for name, found in rows.items()
    ]
    print_table(f"{ROUNDS} switches under {RATE} requests a second, GET and POST, keep-alive", ("", *columns), told)
    for name, found in rows.items():
        print(
            f"  {name}: {found.seconds:.0f} s; {found.traffic.gets} GETs; {found.traffic.echoes} echoes by WebSocket;"
            f" {found.traffic.reopened} idle connections closed; {found.traffic.reasons or 'nothing failed'}"
        )
        if found.switch_times:
            print(f"  the switch itself: {', '.join(milliseconds(value) for value in sorted(found.switch_times))}")


def under_load(port: int, replace: Callable[[int, Slow], float | None]) -> Outcome:
    """`replace` is called with 1 to 20 while the traffic runs, and sends its slow request when it is about to switch."""
    slow, switch_times = Slow(port), []
    argv = [sys.executable, "-m", "tests.benchmarks.generator", str(port), f"{SHOP}.test", f"{CHAT}.test"]
    begin = time.monotonic()
    with subprocess.Popen(
        [*argv, str(CONNECTIONS), str(RATE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as generator:
        time.sleep(1)
        for number in range(1, ROUNDS + 1):
            until = time.monotonic() + ROUND_SECONDS
            took = replace(number, slow)
            if took is not None:
                switch_times.append(took)
            slow.wait()
            time.sleep(max(0.0, until - time.monotonic()))
        time.sleep(1)
        out, _ = generator.communicate()
    if generator.returncode:
        raise RuntimeError("the generator broke off")
    return Outcome(Summary(**json.loads(out)), slow.whole, time.monotonic() - begin, switch_times)


def through_deploys(app: App, image: str) -> Outcome:
    with site(app, CHAT, compose(image, CHAT)), site(app, SHOP, compose(image, SHOP)):
        deploy(app, CHAT)
        deploy(app, SHOP)

        def replace(number: int, slow: Slow) -> float | None:
            def begin(event: Event) -> None:
                if isinstance(event, StepStarted) and event.name == "switch":
                    slow.send(str(number - 1))
                    time.sleep(0.05)  # on its way, and in the old container

            set_variables(app, SHOP, {"VERSION": str(number)})
            return deploy(app, SHOP, report=begin).switch_time

        return under_load(app.settings.http_port, replace)


def compose(image: str, name: str) -> str:
    return COMPOSE.format(image=image, name=name, memory=MEMORY, cpus=CPUS, port=PORT)


@dataclass
class Peer:
    """A Caddy of the same image and caps with fixed dials, and the containers behind it, by the Engine's API alone."""

    client: docker.DockerClient
    image: str
    network: str
    instance: str
    port: int
    admin: int
    serving: str = ""

    def start(self, version: str, name: str = "") -> str:
        """One container that serves; its name."""
        name = name or f"{self.instance}-peer-{secrets.token_hex(3)}"
        self.client.containers.run(
            self.image, name=name, environment={"VERSION": version}, network=self.network, detach=True,
            mem_limit=f"{MEMORY}m", nano_cpus=int(CPUS * 1e9), labels={naming.INSTANCE: self.instance},
        )  # fmt: skip
        address = self.client.api.inspect_container(name)["NetworkSettings"]["Networks"][self.network]["IPAddress"]
        while not answers(address):
            time.sleep(0.02)
        return name

    def stop(self, name: str) -> None:
        self.client.api.stop(name)
        self.client.api.remove_container(name, force=True)

    def patch(self, number: int, slow: Slow) -> None:
        """As kindly as it can be done: the new one answers, the dial changes, the old one ends its requests, then stops."""
        old, self.serving = self.serving, self.start(str(number))
        slow.send(str(number - 1))
        time.sleep(0.05)
        body = json.dumps([{"dial": f"{self.serving}:{PORT}"}])
        connection = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=30)
        connection.request("PATCH", f"/id/{SHOP}/upstreams", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        if answer.status != 200:
            raise RuntimeError(answer.read().decode())
        connection.close()
        slow.wait()
        self.stop(old)

    def recreate(self, number: int, slow: Slow) -> None:
        """What `docker compose up --force-recreate` does to a changed service."""
        slow.send(str(number - 1))
        time.sleep(0.05)
        self.stop(self.serving)
        self.start(str(number), self.serving)


def answers(address: str) -> bool:
    connection = http.client.HTTPConnection(address, PORT, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


@contextmanager
def peer(client: docker.DockerClient, app: App, image: str) -> Iterator[Peer]:
    """What it starts carries the machine's label, and goes with it."""
    instance = app.settings.instance
    port, admin = free_ports(2)
    found = Peer(client, image, naming.ingress(instance), instance, port, admin)
    chat, found.serving = found.start("0"), found.start("0")
    with tempfile.TemporaryDirectory() as directory:
        routes = [route(SHOP, found.serving), route(CHAT, chat)]
        servers = {"peer": {"listen": [":80"], "automatic_https": {"disable": True}, "routes": routes}}
        config = {"admin": {"listen": ":2019"}, "apps": {"http": {"servers": servers}}}
        Path(directory, "caddy.json").write_text(json.dumps(config))
        caddy = client.containers.run(
            "caddy:2-alpine", ["caddy", "run", "--config", "/peer/caddy.json"], name=f"{instance}-peer-caddy", detach=True,
            network=found.network, ports={"80/tcp": ("127.0.0.1", port), "2019/tcp": ("127.0.0.1", admin)},
            volumes=[f"{directory}:/peer:ro"], mem_limit=f"{PROXY_MEMORY}m", nano_cpus=int(PROXY_CPUS * 1e9),
            labels={naming.INSTANCE: instance},
        )  # fmt: skip
        while not serves(port):
            time.sleep(0.05)
        yield found
        caddy.remove(force=True)


def route(name: str, container: str) -> dict[str, object]:
    proxy = {"@id": name, "handler": "reverse_proxy", "upstreams": [{"dial": f"{container}:{PORT}"}]}
    return {"match": [{"host": [f"{name}.test"]}], "handle": [proxy]}


def serves(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/", headers={"Host": f"{SHOP}.test"})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    main()
