"""How long a switch of the traffic takes, against the disk's own time for two fsyncs and a rename."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

from tests.benchmarks.figures import milliseconds, percentile, print_table, timed, times
from vpsctl.proxy.proxy import Proxy
from vpsctl.proxy.types import Upstreams
from vpsctl.settings import Settings

SWITCHES = 200


def main() -> None:
    home = Path(tempfile.mkdtemp(prefix="vb-"))
    try:
        measure(home)
    finally:
        shutil.rmtree(home)


def measure(home: Path) -> None:
    proxy, peer = Proxy(Settings(home=home)), home / "peer"
    peer.write_bytes(b"shop-app-r1-1:3000")
    acts: dict[str, Callable[[int], object]] = {
        "two fsyncs and a rename": lambda number: replace_file(peer, f"shop-app-r{number}-1:3000"),
        "switch, 1 replica": lambda number: proxy.switch("one", upstreams(number, 1)),
        "switch, 3 replicas": lambda number: proxy.switch("three", upstreams(number, 3)),
    }
    taken: dict[str, list[float]] = {name: [] for name in acts}
    for number in range(SWITCHES):
        for name, act in acts.items():
            taken[name].append(timed(lambda act=act, number=number: act(number)))  # type: ignore[misc]
    limit = median(taken["two fsyncs and a rename"])
    rows = [
        (name, milliseconds(median(found)), milliseconds(percentile(found, 0.99)), times(median(found), limit))
        for name, found in taken.items()
    ]
    print_table(f"{SWITCHES} switches", ("", "p50", "p99", "p50 to limit"), rows)


def replace_file(path: Path, text: str) -> None:
    """The least that replaces one file for good: write beside it, fsync, rename, fsync of the directory."""
    following = path.with_suffix(".next")
    with following.open("wb") as file:
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())
    following.rename(path)
    handle = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(handle)
    os.close(handle)


def upstreams(release: int, replicas: int) -> Upstreams:
    return Upstreams(str(release), tuple(f"shop-app-r{release}-{number}:3000" for number in range(1, replicas + 1)))


if __name__ == "__main__":
    main()
