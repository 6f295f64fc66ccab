"""`vpsctl status` with 50 sites, against `docker ps` on the same machine.

Measured on 2026-11-20 on two cores that others were using (load 7), medians of 15, sites really deployed:

                            no site   50 sites   to docker ps
    docker ps --all         15.6 ms    30.1 ms
    vpsctl status            749 ms    1135 ms          37.7x
    the operation in it     22.8 ms    47.5 ms           1.6x

The command is its imports (see `startup`); the operation asks the Engine for one list, whatever the number of sites. To add
and deploy a site took 935 ms among the first ten and 853 ms among the last: the number of sites costs nothing here.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from tests.benchmarks import deploy as one
from tests.benchmarks.figures import interleaved, milliseconds, print_table, timed, times
from tests.benchmarks.ground import engine_client, machine
from tests.benchmarks.startup import VPSCTL, environment
from vpsctl.app import App
from vpsctl.hosts.status import status
from vpsctl.sites.add import add_site
from vpsctl.sites.deploy import deploy
from vpsctl.sites.sources.source import Source

SITES, ROUNDS = 50, 15


def main() -> None:
    with engine_client() as client, machine(client) as app, tempfile.TemporaryDirectory() as cache:
        shell = environment(app, cache)
        before = measure(app, shell)
        with many_sites(app) as deploys:
            after = measure(app, shell)
    peer = "docker ps --all"
    rows = [
        (name, milliseconds(before[name]), milliseconds(seconds), times(seconds, after[peer]))
        for name, seconds in after.items()
    ]
    print_table(f"status, median of {ROUNDS}", ("", "no site", f"{SITES} sites", "to docker ps"), rows)
    early, late = median(deploys[:10]), median(deploys[-10:])
    print(f"  add and deploy: {milliseconds(early)} for sites 1-10, {milliseconds(late)} for 41-50 ({times(late, early)})")


def measure(app: App, shell: dict[str, str]) -> dict[str, float]:
    acts: dict[str, Callable[[], object]] = {
        "docker ps --all": lambda: one.call("docker", "ps", "--all"),
        "vpsctl status": lambda: one.call(VPSCTL, "status", env=shell),
        "the operation in it": lambda: status(app),
    }
    for act in acts.values():
        act()  # byte code is written, connections are open
    return interleaved(acts, ROUNDS)


@contextmanager
def many_sites(app: App) -> Iterator[list[float]]:
    """Really deployed, each a container that serves; how long each deploy took. The machine takes them along."""
    root = Path(tempfile.mkdtemp(prefix="vb-"))
    try:
        yield [timed(lambda number=number: _add(app, root, f"site{number}")) for number in range(SITES)]  # type: ignore[misc]
    finally:
        shutil.rmtree(root)


def _add(app: App, root: Path, name: str) -> None:
    (root / name).mkdir()
    (root / name / "compose.yaml").write_text(one.compose(name))
    add_site(app, Source("directory", str(root / name)), name=name)
    deploy(app, name)


if __name__ == "__main__":
    main()
