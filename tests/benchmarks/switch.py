"""How long a switch of the traffic takes, against the disk's own time for two fsyncs and a rename. Aim: under 10 ms.

Measured on 2026-11-20, ext4 on a virtual disk, 200 switches, three runs at a load of 4 from others and one at 8:

                                p50                p99                  p50 to limit
                                load 4   load 8    load 4      load 8   load 4   load 8
    two fsyncs and a rename     0.5 ms   0.8 ms    3 to 6 ms    12 ms
    switch, 1 replica           1.6 ms   3.1 ms    8 to 12 ms   28 ms     2.9x     4.0x
    switch, 3 replicas          2.2 ms   4.7 ms    6 to 11 ms   60 ms     4.2x     6.0x

A switch is four fsyncs for one replica (its slot, state.json, their directory, the site's directory) and one more for each
other replica, so twice the limit's, and 12 slots to make. It is left at that: no request waits for it. Until the rename all
are served by the old set, from then on by the new one, and a power cut at any point leaves one or the other whole,
because the generation is on the disk before the link to it is. Writing it in a step of its own would make the printed
figure smaller and nothing faster.
"""

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
