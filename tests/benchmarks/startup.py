"""How long a command takes to start, against the same interpreter doing nothing.

Measured on 2026-11-20 on two cores that others were using (load 8), 21 rounds, byte code kept:

                               median   fastest   medians   fastest   aim
    python -c pass            11.9 ms    9.7 ms     1.00x     1.00x
    vpsctl --version          21.2 ms   17.7 ms     1.79x     1.83x   under 3x
    vpsctl --help             73.3 ms   55.0 ms     6.17x     5.68x   under 7x
    vpsctl site list --json    754 ms    410 ms                       under 400 ms
    vpsctl status --json       866 ms    530 ms

`site list` misses its aim on a machine this busy; in other runs the fastest took 383 ms, of at least 342 ms processor
time, so an idle machine has little to spare. By -X importtime 300 of them are imports (SQLAlchemy 140, psycopg 40, our own
20, PyYAML 13, typer 10); connecting and the query take 10. What profiling changed: `--version` no longer asks
importlib.metadata (5.9 times the interpreter before), the garbage collector does not search what imports make (10 to 30 ms
of processor time), `deploy` imports no httpx (100 ms), nor x509 with the proxy (10 ms). With PYTHONDONTWRITEBYTECODE, or
an installer that compiles nothing, the imports take nearly four times as long.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from tests.benchmarks.figures import milliseconds, print_table, timed, times
from tests.benchmarks.ground import engine_client, machine, site
from vpsctl.app import App

ROUNDS = 21
VPSCTL = str(Path(sys.executable).with_name("vpsctl"))
PEER = "python -c pass"
COMMANDS: Mapping[str, tuple[Sequence[str], str]] = {
    PEER: ((sys.executable, "-c", "pass"), ""),
    "vpsctl --version": ((VPSCTL, "--version"), "under 3x"),
    "vpsctl --help": ((VPSCTL, "--help"), "under 7x"),
    "vpsctl deploy --help": ((VPSCTL, "deploy", "--help"), ""),
    "vpsctl site list --json": ((VPSCTL, "site", "list", "--json"), "under 400 ms"),
    "vpsctl status --json": ((VPSCTL, "status", "--json"), ""),
}
COMPOSE = """
services: {app: {image: "busybox:latest"}}
x-vpsctl: {web: {service: app, port: 8000, domains: [shop.test]}}
"""


def main() -> None:
    with engine_client() as client, machine(client) as app, site(app, "shop", COMPOSE):
        with tempfile.TemporaryDirectory() as cache:
            measure(environment(app, cache))


def environment(app: App, cache: str) -> dict[str, str]:
    """That of a shell on the machine; byte code is kept as on any installation, and away from the checkout."""
    settings = app.settings
    values = {
        "VPSCTL_HOME": str(settings.home),
        "VPSCTL_INSTANCE": settings.instance,
        "VPSCTL_DOCKER_HOST": settings.docker_host,
        "VPSCTL_HTTP_PORT": str(settings.http_port),
        "VPSCTL_HTTPS_PORT": str(settings.https_port),
        "PYTHONPYCACHEPREFIX": cache,
    }
    return {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"} | values


def measure(shell: dict[str, str]) -> None:
    wall: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for number in range(ROUNDS + 1):
        for name, (argv, _) in COMMANDS.items():
            taken = timed(lambda argv=argv: run(argv, shell))  # type: ignore[misc]
            if number:  # the first round wrote the byte code
                wall[name].append(taken)
    limit = wall[PEER]
    rows = [
        (
            name,
            milliseconds(median(wall[name])),
            milliseconds(min(wall[name])),
            times(median(wall[name]), median(limit)),
            times(min(wall[name]), min(limit)),
            aim,
        )
        for name, (_, aim) in COMMANDS.items()
    ]
    print_table(f"start-up, {ROUNDS} rounds", ("", "median", "fastest", "medians", "fastest", "aim"), rows)


def run(argv: Sequence[str], shell: dict[str, str]) -> None:
    subprocess.run(argv, env=shell, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)


if __name__ == "__main__":
    main()
