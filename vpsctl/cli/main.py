"""The `vpsctl` command: which commands there are, and how every failure leaves the process.

Each command's module is imported only when that command runs or its own help is asked for, so that `--help` costs
neither SQLAlchemy nor the Docker SDK.
"""

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

from vpsctl.cli.catalogue import COMMANDS

ADDITIONAL = "Every command also takes --json, --quiet and --debug. Exit codes: 0 done, 1 a bug, 2 invalid, 3 not found, \
4 conflict, 5 unavailable, 6 failed."


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command line and exit with its code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words == ["--version"]:
        from importlib.metadata import version

        print(f"vpsctl {version('vpsctl')}")  # noqa: T201  the fast path: no typer, no output module
        sys.exit(0)
    sys.exit(run(words))


def run(words: list[str]) -> int:
    """One command line to its exit code; results on stdout, everything else on stderr."""
    if not (sys.stdout.isatty() and sys.stderr.isatty()):
        os.environ["TYPER_USE_RICH"] = "0"  # rich's help panels cost 75 ms, and a pipe wants plain text
    from vpsctl.cli import output

    words = output.take_common_options(words)
    try:
        code = _root()(args=words, prog_name="vpsctl", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except BrokenPipeError:
        # The reader went away (`vpsctl logs shop | head`): not an error, and Python must not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        output.say("interrupted")
        return 130
    except Exception as error:
        return output.fail(error)


def _root() -> Any:
    import typer
    from typer.core import TyperCommand, TyperGroup

    class LazyGroup(TyperGroup):
        """Lists the catalogue's commands as stubs, and imports a command's module only to run it."""

        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            self.commands = {name: TyperCommand(name, help=text) for name, (_, text) in COMMANDS.items()}

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
    def root() -> None: ...

    return typer.main.get_command(app)


def _load(name: str) -> Any:
    import typer

    module = importlib.import_module(COMMANDS[name][0])
    module.app._add_completion = False  # only the root offers to install completion
    command = typer.main.get_command(module.app)
    command.name = name
    return command
