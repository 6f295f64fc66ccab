"""The only two printers: text for people and JSON for programs; results on stdout, everything else on stderr."""

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from vpsctl.encoding import to_json
from vpsctl.errors import Conflict, Failed, Invalid, NotFound, Unavailable, VpsctlError

EXIT = {Invalid: 2, NotFound: 3, Conflict: 4, Unavailable: 5, Failed: 6}
COMMON = {"--json": "json", "--quiet": "quiet", "--debug": "debug"}
T = TypeVar("T")


@dataclass
class Mode:
    """What the command line asked of the printers."""

    json: bool = False
    quiet: bool = False
    debug: bool = False


mode = Mode()


def take_common_options(words: list[str]) -> list[str]:
    """The words without `--json`, `--quiet` and `--debug`, which may stand anywhere before a `--`."""
    global mode  # noqa: PLW0603  one process, one command line
    end = words.index("--") if "--" in words else len(words)
    mode = Mode(**{name: word in words[:end] for word, name in COMMON.items()})
    return [word for word in words[:end] if word not in COMMON] + words[end:]


def show(result: T, render: Callable[[T], None]) -> None:
    """The result of a command: JSON under `--json`, else as `render` prints it."""
    if mode.json:
        write(to_json({"data": result}, indent=2))
    else:
        render(result)


def write(text: str = "") -> None:
    """One line on stdout."""
    sys.stdout.write(text + "\n")


def say(text: str) -> None:
    """One message on stderr."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def note(text: str) -> None:
    """One message on stderr that `--quiet` and `--json` leave out."""
    if not (mode.quiet or mode.json):
        say(text)


def colour(text: str, code: str, stream: Any = None) -> str:
    """`text` in an ANSI colour where the stream is a terminal and NO_COLOR is not set."""
    stream = stream or sys.stdout
    if not stream.isatty() or os.environ.get("NO_COLOR"):
        return text
    return f"\x1b[{code}m{text}\x1b[0m"


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table on stdout: rich's on a terminal, else aligned columns that `awk` and `cut` can read."""
    cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        from rich import box
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        grid = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False)
        for row in cells:
            grid.add_row(*(Text(cell) for cell in row))
        Console().print(grid)
        return
    lines = [list(columns), *cells]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    for line in lines:
        write("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def size(count: float | None) -> str:
    """Bytes as people read them, in powers of 1024."""
    if count is None:
        return "-"
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(count) < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def flush() -> None:
    """Let a reader of a pipe see what was written so far."""
    sys.stdout.flush()


def confirm(question: str, *, yes: bool, typed: str | None = None) -> None:
    """Ask before something destructive; `typed` asks for that name instead of a y.

    Raises Invalid when nobody can be asked and `--yes` was not given, or when the answer is no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise Invalid(f"{question} Nobody can be asked here", hint="add --yes to go ahead")
    say(question)
    sys.stderr.write(f"Type {typed} to go ahead: " if typed else "Go ahead? [y/N] ")
    sys.stderr.flush()
    answer = sys.stdin.readline().strip()
    if answer != typed if typed else answer.lower() not in ("y", "yes"):
        raise Invalid("nothing was changed", hint="the answer was no")


def fail(error: BaseException) -> int:
    """Show a failure and return its exit code; anything that is not ours is a bug and shown as one line."""
    if isinstance(error, VpsctlError):
        code, message, hint = error.code, error.message, error.hint
        status = next(number for kind, number in EXIT.items() if isinstance(error, kind))
    elif hasattr(error, "format_message"):  # typer's own: a wrong option, a missing argument
        code, message, status = "invalid", error.format_message(), 2
        context = getattr(error, "ctx", None)
        hint = f"{context.command_path} --help" if context else "vpsctl --help"
    elif type(error).__name__ == "Abort":
        code, message, hint, status = "invalid", "aborted", "", 130
    else:
        code, status = "internal", 1
        message = f"internal error: {type(error).__name__}: {error}"
        hint = "this is a bug in vpsctl; run it again with --debug and report what it prints"
    if not message and status == 2:  # no_args_is_help raises with the help already printed
        return 2
    if mode.json:
        write(to_json({"error": {"code": code, "message": message, "hint": hint}}, indent=2))
    say(colour("error: ", "31", sys.stderr) + message)
    if hint:
        say(colour("hint:  ", "2", sys.stderr) + hint)
    if mode.debug:
        import traceback

        traceback.print_exception(error)
    return status
