"""The `vpsctl` command: which commands there are, and how every failure leaves the process.

Each command's module is imported only when that command runs or its own help is asked for, so that `--help` costs
neither SQLAlchemy nor the Docker SDK.
"""

import gc
import importlib
import io
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

from vpsctl.cli.catalogue import COMMANDS

ADDITIONAL = "Every command also takes --json, --quiet and --debug. Exit codes: 0 done, 1 a bug, 2 invalid, 3 not found, \
4 conflict, 5 unavailable, 6 failed."
COMPLETE = "_VPSCTL_COMPLETE"


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command line and exit with its code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words == ["--version"]:
        print(f"vpsctl {_installed_version()}")  # noqa: T201  the fast path: no typer, no output module
        sys.exit(0)
    gc.set_threshold(100_000, 10, 10)  # what is imported stays: to look through it time and again costs 20 ms of 380
    _mend_streams()
    if COMPLETE in os.environ:  # the shell asks for completions: typer answers, and exits by itself
        os.environ["TYPER_USE_RICH"] = "0"
        _root()(prog_name="vpsctl")
    sys.exit(run(words))


def _version(asked: bool) -> None:
    """With other words around it, such as --json."""
    if asked:
        import typer

        from vpsctl.cli import output

        output.show({"version": _installed_version()}, lambda found: output.write(f"vpsctl {found['version']}"))
        raise typer.Exit


def _installed_version() -> str:
    from vpsctl.version import VERSION

    return VERSION


def _mend_streams() -> None:
    """A stream that was closed (`<&-`) is None; one whose locale lacks a character must not end the command for it."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115  for as long as the process lives
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def run(words: list[str]) -> int:
    """One command line to its exit code; results on stdout, everything else on stderr."""
    from vpsctl.cli import output

    words = output.take_common_options(words)
    if output.mode.json or not (sys.stdout.isatty() and sys.stderr.isatty()):
        os.environ["TYPER_USE_RICH"] = "0"  # rich's help panels cost 75 ms, and a pipe wants plain text
    try:
        code = _invoke(words)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader went away (`vpsctl logs shop | head`): not an error, and Python must not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (Exception, KeyboardInterrupt) as error:
        return output.fail(error)
    return code


def _invoke(words: list[str]) -> int:
    """Not typer's own way to run: that one swallows Ctrl-C, the end of a pipe and the end of stdin."""
    import typer

    _check_words(words)
    try:
        with _root().make_context("vpsctl", words) as context:
            context.command.invoke(context)
    except typer.Exit as exit_:
        return exit_.exit_code
    return 0


def _check_words(words: list[str]) -> None:
    """What a script passes by mistake: `--ref "$REF"` with REF unset, or bytes that are no text."""
    from vpsctl.errors import Invalid

    for word in words:
        if any("\ud800" <= character <= "\udfff" for character in word):
            raise Invalid(f"{word!a} is not UTF-8 text", hint="set the locale to UTF-8, or correct that word")
    for place, word in enumerate(words[: words.index("--")] if "--" in words else words):
        if not word or (word.startswith("--") and word.endswith("=")):
            what = word.rstrip("=") or (words[place - 1] if place and words[place - 1].startswith("--") else "an argument")
            raise Invalid(f"{what} is empty", hint="is a variable in the command line not set?")


def _root() -> Any:
    import typer
    from typer.core import TyperCommand, TyperGroup

    class LazyGroup(TyperGroup):
        """Lists the catalogue's commands as stubs, and imports a command's module only to run it."""

        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            self.commands = {name: TyperCommand(name, short_help=text) for name, (_, text) in COMMANDS.items()}

        def resolve_command(self, ctx: Any, args: list[str]) -> Any:
            if args and args[0] in COMMANDS:
                return args[0], _load(args[0]), args[1:]
            return super().resolve_command(ctx, args)

    app = typer.Typer(
        cls=LazyGroup,
        add_completion=True,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        epilog=ADDITIONAL,
        context_settings={"help_option_names": ["-h", "--help"]},
        help="Run the sites of a VPS: bring a compose.yaml, get deploys without downtime.",
    )

    @app.callback()
    def root(
        version: Annotated[
            bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_version)
        ] = False,
    ) -> None: ...

    return typer.main.get_command(app)


def _load(name: str) -> Any:
    import typer

    module = importlib.import_module(COMMANDS[name][0])
    module.app._add_completion = False  # only the root offers to install completion
    command = typer.main.get_command(module.app)
    command.name = name
    return command
