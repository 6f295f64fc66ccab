"""`vpsctl cred add`, `set`, `rotate`: what makes a new value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from vpsctl.cli import output
from vpsctl.cli.ages import future, period
from vpsctl.cli.cred_details import Bucket, Endpoint, Header, KnownHosts, Region, Url, given_details
from vpsctl.cli.cred_values import (
    Fields,
    FromFile,
    FromStdin,
    Generate,
    Source,
    chosen,
    read_source,
    read_value,
)
from vpsctl.cli.opened import open_app
from vpsctl.errors import Conflict, Invalid

if TYPE_CHECKING:
    from vpsctl.app import App
    from vpsctl.credentials.rotate import Rotation
    from vpsctl.credentials.set import CredentialVersionInfo, Traits
    from vpsctl.credentials.uses import Uses

LONGEST = 3650
"""Days between two rotations."""
Name = Annotated[str, typer.Argument(help="As in the compose file's x-vpsctl.secrets, such as DB_PASSWORD.")]
Project = Annotated[str | None, typer.Option(help="Only for the sites of this project; otherwise for every site.")]
Description = Annotated[str | None, typer.Option(help="For people: what it is for, and where it comes from.")]
Expires = Annotated[str | None, typer.Option(help="When this value ends: 2027-01-31, or 90d from now.")]
RotateEvery = Annotated[
    str | None, typer.Option(help="How long a value may stand, such as 90d; 0d for as long as it likes.")
]


def complete_kind(incomplete: str) -> list[str]:
    from vpsctl.credentials.kinds.catalogue import KINDS

    return [name for name in KINDS if name.startswith(incomplete)]


Kind = Annotated[
    str | None,
    typer.Option(
        help="password (the default), token, keyvalue, service-account, basic, url, ssh-key, s3 or totp.",
        autocompletion=complete_kind,
    ),
]


def add(
    name: Name,
    kind: Kind = None,
    project: Project = None,
    generate: Generate = False,
    from_stdin: FromStdin = False,
    from_file: FromFile = None,
    field: Fields = None,
    url: Url = None,
    endpoint: Endpoint = None,
    bucket: Bucket = None,
    region: Region = None,
    header: Header = None,
    known_hosts: KnownHosts = None,
    description: Description = None,
    expires: Expires = None,
    rotate_every: RotateEvery = None,
) -> None:
    """Store a new credential; asks for its value. On a terminal each part is asked for where it has several.

    Example: vpsctl cred add YESPO --kind basic --project acme --field username=api --url https://yespo.io/api/v1/account/info
    """
    source = chosen(generate, from_stdin, from_file, field)
    details = given_details(url, endpoint, bucket, region, header, known_hosts)
    _store(name, project, source, _traits(kind, details, description, expires, rotate_every), new=True)


def set_(
    name: Name,
    generate: Generate = False,
    from_stdin: FromStdin = False,
    from_file: FromFile = None,
    field: Fields = None,
    project: Project = None,
    kind: Kind = None,
    url: Url = None,
    endpoint: Endpoint = None,
    bucket: Bucket = None,
    region: Region = None,
    header: Header = None,
    known_hosts: KnownHosts = None,
    description: Description = None,
    expires: Expires = None,
    rotate_every: RotateEvery = None,
) -> None:
    """Store a new version; asks for the value on a terminal. A single line's newline is not part of it.

    Example: vpsctl cred set DB_PASSWORD --generate
    """
    source = chosen(generate, from_stdin, from_file, field)
    details = given_details(url, endpoint, bucket, region, header, known_hosts)
    _store(name, project, source, _traits(kind, details, description, expires, rotate_every), new=False)


def _traits(
    kind: str | None, details: dict[str, str], description: str | None, expires: str | None, rotate_every: str | None
) -> Traits:
    from vpsctl.credentials.kinds.catalogue import find_kind
    from vpsctl.credentials.set import Traits

    if kind is not None:
        find_kind(kind)
    return Traits(
        kind=kind,
        description=description,
        details=details or None,
        expires_at=None if expires is None else future(expires, "--expires"),
        rotate_every=None if rotate_every is None else _days(rotate_every),
    )


def _days(text: str) -> int:
    every = period(text, "--rotate-every")
    if every.seconds or every.days > LONGEST:
        hint = "write it like 90d or 12w; 0d is never"
        raise Invalid(f"--rotate-every {text} is not a number of days up to {LONGEST}", hint=hint)
    return every.days


def _store(name: str, project: str | None, source: Source, traits: Traits, *, new: bool) -> None:
    from vpsctl.credentials.kinds.catalogue import find_kind
    from vpsctl.credentials.kinds.details import check_details
    from vpsctl.credentials.name import checked_name
    from vpsctl.credentials.set import KIND, set_credential

    checked_name(name)
    with open_app() as opened:
        there = _kind_of(opened, name, project)  # all that can be known before anybody types a value
        if there is not None and new:
            raise _taken(name, project)
        kind = find_kind(traits.kind or there or KIND)
        check_details(kind.name, traits.details or {})
        value = read_value(name, kind, source)
        result = set_credential(opened, name, value, project=project, traits=traits, new=new)
    output.show(result, _stored)
    output.note("each site that uses it gets it with its next deploy: vpsctl cred list shows which")


def _stored(done: CredentialVersionInfo) -> None:
    output.write(f"{done.name} is at version {done.version}")


def _kind_of(opened: App, name: str, project: str | None) -> str | None:
    """None when there is none yet. One whose row was altered has one too: a new value mends it."""
    from vpsctl.credentials.show import kind_of

    return kind_of(opened, name, project=project)


def _taken(name: str, project: str | None) -> Conflict:
    from vpsctl.credentials.name import full_name

    hint = f"vpsctl cred set {name} stores a new version of it"
    return Conflict(f"there is a credential {full_name(name, project)} already", hint=hint)


def rotate(
    name: Name,
    from_stdin: FromStdin = False,
    from_file: FromFile = None,
    project: Annotated[str | None, typer.Option(help="The project's own, instead of the one for every site.")] = None,
) -> None:
    """Replace the value by a new one, made or given. The password in a Postgres URL is changed at the server too.

    Example: vpsctl cred rotate DB_PASSWORD
    """
    from vpsctl.credentials.rotate import rotate_credential
    from vpsctl.credentials.uses import credential_uses

    source = chosen(False, from_stdin, from_file)
    with open_app() as opened:
        value = read_source(name, source)
        result = rotate_credential(opened, name, project=project, value=value)
        uses = credential_uses(opened, name, project=project)
    output.show(result, _rotated)
    _tell_waiting(uses)


def _rotated(done: Rotation) -> None:
    output.write(f"{done.name} is at version {done.version}" + (f", and {done.at_server} has it" if done.at_server else ""))


def _tell_waiting(uses: Uses) -> None:
    waiting = [use.name for use in uses.uses if use.needs_deploy]
    if waiting:
        output.note(f"still with the value before, until they are deployed: {', '.join(waiting)}")
