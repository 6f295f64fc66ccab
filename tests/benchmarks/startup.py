"""How long a command takes to start, against the same interpreter doing nothing."""

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
