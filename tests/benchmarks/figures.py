"""Measured times as figures, and figures as a table."""

import math
import time
from collections.abc import Callable, Sequence
from statistics import median


def timed(act: Callable[[], object]) -> float:
    """Seconds of the wall clock."""
    begin = time.perf_counter()
    act()
    return time.perf_counter() - begin


def percentile(values: Sequence[float], part: float) -> float:
    """The smallest value that at least `part` (0 to 1) of `values` do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(part * len(ordered)) - 1)]


def interleaved(acts: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The median seconds of each; round by round, so that load from elsewhere meets all of them alike."""
    taken: dict[str, list[float]] = {name: [] for name in acts}
    for _ in range(rounds):
        for name, act in acts.items():
            taken[name].append(timed(act))
    return {name: median(values) for name, values in taken.items()}


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 0.1 else f"{seconds * 1000:.0f} ms"


def times(value: float, peer: float) -> str:
    return f"{value / peer:.2f}x"


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Aligned columns: the first to the left, figures to the right."""
    lines = [tuple(columns), *(tuple(str(cell) for cell in row) for row in rows)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    print(f"\n{title}")
    for line in lines:
        cells = [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        print("  " + "   ".join([line[0].ljust(widths[0]), *cells]), flush=True)
