"""Runs the benchmarks that are named, or all of them: `python -m tests.benchmarks switch`."""

import importlib
import os
import sys

NAMES = ("switch", "compose", "startup", "status", "deploy", "load", "vault")


def main(names: list[str]) -> None:
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        sys.exit(f"there is no benchmark {unknown[0]!r}; there are {', '.join(NAMES)}")
    for name in names or NAMES:
        load = ", ".join(f"{part:.1f}" for part in os.getloadavg())
        print(f"\n== {name} (load of this machine before: {load})", flush=True)
        importlib.import_module(f"tests.benchmarks.{name}").main()


if __name__ == "__main__":
    main(sys.argv[1:])
