"""The only two printers: text for people and JSON for programs; results on stdout, everything else on stderr."""

import errno
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from vpsctl.encoding import to_json
from vpsctl.errors import Conflict, Failed, Invalid, NotFound, Unavailable, VpsctlError

EXIT = {Invalid: 2, NotFound: 3, Conflict: 4, Unavailable: 5, Failed: 6}
INTERRUPTED = 130
SURROUNDINGS = {
    errno.EACCES: "run as root, such as by sudo",
    errno.EPERM: "run as root, such as by sudo",
    errno.EROFS: "mount it writable",
    errno.ENOSPC: "make room on that disk: vpsctl doctor shows it",
    errno.EDQUOT: "make room within that quota",
}
"""What the machine refused, wherever we were: never a bug of ours, and the hint that goes with it."""
NO_COLOURS: Mapping[str, str] = {}
COMMON = {"--json": "json", "--quiet": "quiet", "--debug": "debug"}
T = TypeVar("T")


@dataclass
class Mode:
    """What the command line asked of the printers."""

    json: bool = False
    quiet: bool = False
    debug: bool = False
    run: int | None = None
    """The run that this command began, once it has."""


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


def say(text: str, *, end: str = "\n") -> None:
    """One message on stderr. Nobody there to read it any more is no reason to stop the work it tells of."""
    try:
        sys.stderr.write(text + end)
        sys.stderr.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


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


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], colours: Mapping[str, str] = NO_COLOURS) -> None:
    """A table on stdout: made to fit on a terminal, else columns two spaces apart, where `-` stands for nothing.

    `colours`: a cell's text to its ANSI colour, on a terminal.
    """
    cells = [["" if cell is None else _printable(str(cell)) for cell in row] for row in rows]
    columns = [column.upper() for column in columns]
    if sys.stdout.isatty():
        from vpsctl.cli.table import draw

        def paint(shown: str, cell: str) -> str:
            return colour(shown, colours[cell]) if cell in colours else shown

        heading, rule, *drawn = draw(columns, cells, shutil.get_terminal_size().columns, paint)
        for text in (colour(heading, "1"), rule, *drawn):
            write(text)
        return
    lines = [[cell or "-" for cell in line] for line in (columns, *cells)]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    for line in lines:
        write("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _printable(text: str) -> str:
    """One line, without what would move a terminal's cursor."""
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


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
    """Ask before something destructive; `typed` asks for that name, which `--confirm` gives as well, instead of a y.

    Raises Invalid when nobody can be asked and `--yes` was not given, or when the answer is no.
    """
    if yes:
        return
    if mode.json or not sys.stdin.isatty():
        raise Invalid(
            f"{question} Nobody can be asked here", hint=f"add --{f'confirm {typed}' if typed else 'yes'} to go ahead"
        )
    say(question)
    say(f"Type {typed} to go ahead: " if typed else "Go ahead? [y/N] ", end="")
    answer = sys.stdin.readline().strip()
    if answer != typed if typed else answer.lower() not in ("y", "yes"):
        raise Invalid("nothing was changed", hint=f"answer {typed or 'y'} to go ahead")


def fail(error: BaseException) -> int:
    """Show a failure and return its exit code; anything that is not ours is a bug and shown as one line."""
    shown = _shown(error)
    if mode.json:
        write(to_json({"error": {"code": shown.code, "message": shown.message, "hint": shown.hint}}, indent=2))
    if isinstance(error, KeyboardInterrupt) and sys.stderr.isatty():
        say("")  # after the ^C, and after whatever stood half written
    if shown.usage:
        say(shown.usage)
    else:
        say(colour("error: ", "31", sys.stderr) + shown.message)
        if shown.hint:
            say(colour("hint:  ", "2", sys.stderr) + shown.hint)
    if mode.debug:
        import traceback

        traceback.print_exception(error)
    return shown.status


@dataclass(frozen=True)
class _Shown:
    code: str
    message: str
    hint: str
    status: int
    usage: str = ""
    """The help that stands for the message where a group was called without a command."""


def _shown(error: BaseException) -> _Shown:
    if isinstance(error, VpsctlError):
        status = next(number for kind, number in EXIT.items() if isinstance(error, kind))
        return _Shown(error.code, error.message, error.hint or _run_hint(), status)
    if isinstance(error, KeyboardInterrupt):
        return _Shown("failed", "; ".join(["interrupted", *getattr(error, "__notes__", ())]), _run_hint(), INTERRUPTED)
    if hasattr(error, "format_message"):  # typer's own: a wrong option, a missing argument
        return _misused(error)
    if isinstance(error, OSError) and error.errno in SURROUNDINGS:
        return _Shown("failed", f"{error.filename or 'this machine'}: {error.strerror}", SURROUNDINGS[error.errno], 6)
    message = f"internal error: {type(error).__name__}: {' '.join(str(error).split())}"
    return _Shown("internal", message, "this is a bug in vpsctl; run it again with --debug and report what it prints", 1)


def _run_hint() -> str:
    return f"vpsctl run show {mode.run}" if mode.run is not None else ""


def _misused(error: Any) -> _Shown:
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "vpsctl"
    if type(error).__name__ == "NoArgsIsHelpError":
        usage = error.format_message() or " "  # rich has printed it already
        return _Shown("invalid", f"{command} needs a command", f"{command} --help", 2, usage)
    return _Shown("invalid", " ".join(error.format_message().split()), f"{command} --help", 2)
