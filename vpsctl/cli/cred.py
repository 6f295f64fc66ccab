"""`vpsctl cred`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vpsctl.cli import output
from vpsctl.cli.opened import open_app
from vpsctl.errors import Invalid
from vpsctl.secret import Secret

if TYPE_CHECKING:
    from vpsctl.credentials.list import CredentialInfo
    from vpsctl.credentials.remove import CredentialRemoved

app = typer.Typer(no_args_is_help=True, help="Credentials: kept encrypted, given to sites by name.")
Name = Annotated[str, typer.Argument(help="As in the compose file's x-vpsctl.secrets, such as DB_PASSWORD.")]
Project = Annotated[str | None, typer.Option(help="Only for the sites of this project; otherwise for every site.")]
HOW = "give one of --generate, --from-stdin, --from-file PATH"


@app.command("set")
def set_(
    name: Name,
    generate: Annotated[bool, typer.Option("--generate", help="A new random value, which nobody needs to see.")] = False,
    from_stdin: Annotated[bool, typer.Option("--from-stdin", help="The value is what comes in on stdin.")] = False,
    from_file: Annotated[Path | None, typer.Option(help="The value is what this file holds.")] = None,
    project: Project = None,
) -> None:
    """Store a new version; asks for the value on a terminal. A single line's newline is not part of it.

    Example: vpsctl cred set DB_PASSWORD --generate
    """
    from vpsctl.credentials.name import checked_name
    from vpsctl.credentials.set import generate_value, set_credential

    if [generate, from_stdin, from_file is not None].count(True) > 1:
        raise Invalid("the value can come from one place only", hint=HOW)
    checked_name(name)  # before anybody types a value
    value = generate_value() if generate else _given(name, from_stdin, from_file)
    with open_app() as opened:
        result = set_credential(opened, name, value, project=project)
    output.show(result, lambda done: output.write(f"{done.name} is at version {done.version}"))
    output.note("each site that uses it gets it with its next deploy: vpsctl cred list shows which")


def _given(name: str, from_stdin: bool, from_file: Path | None) -> Secret:
    if from_file is not None:
        try:
            data = from_file.read_bytes()
        except OSError as error:
            raise Invalid(f"cannot read {from_file}: {error.strerror}", hint=f"ls -l {from_file}") from error
    elif from_stdin:
        data = sys.stdin.buffer.read()
    elif sys.stdin.isatty():
        import getpass

        try:
            return Secret(getpass.getpass(f"Value of {name} (not shown): "))
        except EOFError as error:
            raise Invalid(f"no value for {name}", hint=HOW) from error
    else:
        raise Invalid(f"no value for {name}, and nobody can be asked here", hint=HOW)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise Invalid(f"the value of {name} is not UTF-8 text", hint="encode it first, in base64 for one") from None
    return Secret(text[:-1].removesuffix("\r") if text.find("\n") == len(text) - 1 else text)


@app.command("list")
def list_() -> None:
    """Names, versions and the sites that use them, never a value.

    Example: vpsctl cred list
    """
    from vpsctl.credentials.list import list_credentials

    with open_app() as opened:
        result = list_credentials(opened)
    output.show(result, _render)


def _render(found: list[CredentialInfo]) -> None:
    output.table(
        ("name", "project", "version", "changed", "used by", "waits for a deploy of"),
        [
            (
                item.name,
                item.project or "(all)",
                item.version,
                f"{item.changed_at:%Y-%m-%d %H:%M:%S}",
                " ".join(item.used_by),
                " ".join(item.outdated),
            )
            for item in found
        ],
    )


@app.command("remove")
def remove(
    name: Name,
    project: Annotated[str | None, typer.Option(help="The project's own, instead of the one for every site.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Even when a site uses it, which then cannot be deployed.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete every version of a credential for good.

    Example: vpsctl cred remove OLD_TOKEN --yes
    """
    from vpsctl.credentials.remove import remove_credential

    output.confirm(f"Every version of {name} is deleted for good.", yes=yes)
    with open_app() as opened:
        result = remove_credential(opened, name, project=project, force=force)
    output.show(result, _removed)


def _removed(done: CredentialRemoved) -> None:
    output.write(f"{done.name} is removed, {len(done.versions)} version{'s' * (len(done.versions) != 1)}")
    if done.used_by:
        output.note(f"still running with it, until their next deploy fails: {', '.join(done.used_by)}")
