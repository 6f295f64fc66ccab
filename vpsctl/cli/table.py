"""How a table stands on a terminal. No word is broken that a line has room for, and no cell is lost. Pure."""

import re
from collections.abc import Callable, Sequence

from rich.cells import cell_len, chop_cells

GAP = "  "
BELOW = "    "
"""Before what stands below its row."""
NARROWEST = 20
"""Columns of a terminal; on a narrower one the terminal breaks the lines."""
ROOM = 24
"""Columns; a text that gets fewer is better read below its row."""
WORD = re.compile(r"\S+\s*")
Cells = Sequence[Sequence[str]]
Paint = Callable[[str, str], str]
"""(what is shown of it, the whole cell) to the same with colours."""


def draw(columns: Sequence[str], rows: Cells, width: int, paint: Paint = lambda shown, _: shown) -> list[str]:
    """The lines of a table, none longer than `width` terminal columns.

    Where it is too wide, columns that are empty in every row are left out; then the widest one is wrapped at words. Where
    that would break words or leave it no ROOM, the last columns go below their row instead, each cell after its heading.
    """
    width, widths = max(width, NARROWEST), _widths(columns, rows)
    if _total(widths) > width:
        kept = [place for place in range(len(columns)) if not rows or any(row[place] not in ("", "-") for row in rows)]
        columns, rows = [columns[place] for place in kept], [[row[place] for place in kept] for row in rows]
        widths = _narrowed(columns, rows, _widths(columns, rows), width)
    beside = len(widths)
    lines = [_line(columns[:beside], widths), "─" * _total(widths)]
    for row in rows:
        lines += _beside(row[:beside], widths, paint)
        lines += _below(columns[beside:], row[beside:], width)
    return lines


def _widths(columns: Sequence[str], rows: Cells) -> list[int]:
    return [max(cell_len(line[place]) for line in (columns, *rows)) for place in range(len(columns))]


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(GAP) * (len(widths) - 1)


def _narrowed(columns: Sequence[str], rows: Cells, widths: list[int], width: int) -> list[int]:
    """The widths of the columns that stand beside each other: all of them, or the first ones that have room."""
    if _total(widths) <= width:
        return widths
    widest = max(range(len(widths)), key=widths.__getitem__)
    room = width - (_total(widths) - widths[widest])
    words = [word for row in rows for word in row[widest].split()]
    longest = max(map(cell_len, [columns[widest], *([] if widest == len(widths) - 1 else words)]))
    if room >= max(ROOM, longest):
        return [*widths[:widest], room, *widths[widest + 1 :]]
    beside = max((count for count in range(1, len(widths)) if _total(widths[:count]) <= width), default=1)
    return [min(widths[0], width), *widths[1:beside]]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return GAP.join(cell + " " * (width - cell_len(cell)) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _beside(row: Sequence[str], widths: Sequence[int], paint: Paint) -> list[str]:
    """One line, and more where a cell is wrapped."""
    wrapped = [_wrapped(cell, width) for cell, width in zip(row, widths, strict=True)]
    lines = []
    for number in range(max(map(len, wrapped))):
        parts = [cell[number] if number < len(cell) else "" for cell in wrapped]
        padded = [part + " " * (width - cell_len(part)) for part, width in zip(parts, widths, strict=True)]
        lines.append(GAP.join(paint(part, cell) for part, cell in zip(padded, row, strict=True)).rstrip())
    return lines


def _below(columns: Sequence[str], row: Sequence[str], width: int) -> list[str]:
    told = "   ".join(f"{column} {cell}" for column, cell in zip(columns, row, strict=True) if cell not in ("", "-"))
    return [BELOW + line for line in _wrapped(told, width - len(BELOW))] if told else []


def _wrapped(text: str, width: int) -> list[str]:
    """At least one line; only a word that is longer than `width` is broken."""
    if cell_len(text) <= width:
        return [text]
    lines, line = [], ""
    for word in WORD.findall(text):
        if line and cell_len(line + word.rstrip()) > width:
            lines.append(line.rstrip())
            line = ""
        *full, rest = chop_cells(word.rstrip(), width)
        lines += full
        line += rest + word[len(word.rstrip()) :]
    return [*lines, line.rstrip()]
