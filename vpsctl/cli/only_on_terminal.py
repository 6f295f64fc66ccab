"""What is secret goes to a terminal, where a person reads it, and into a pipe or file only when somebody says so."""

import sys

from vpsctl.errors import Invalid


def check_terminal(what: str, *, stdout: bool) -> None:
    """Before anything is made. Raises Invalid where stdout is no terminal and `--stdout` was not given."""
    if not stdout and not sys.stdout.isatty():
        message = f"stdout is no terminal, and {what} would be left wherever it goes; nothing was made"
        raise Invalid(message, hint="add --stdout if that is what you want")
