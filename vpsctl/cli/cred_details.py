"""The options that say where a credential is tried. None of them is secret."""

from pathlib import Path
from typing import Annotated

import typer

Url = Annotated[
    str | None, typer.Option(help="Where cred test tries it: a page, a database, ssh://user@host. No password in it.")
]
Endpoint = Annotated[str | None, typer.Option(help="The store's or service's own address, where it is not the usual one.")]
Bucket = Annotated[str | None, typer.Option(help="The bucket that S3 keys are tried on.")]
Region = Annotated[str | None, typer.Option(help="The bucket's region.")]
Header = Annotated[str | None, typer.Option(help="The header that takes a token; otherwise Authorization: Bearer.")]
KnownHosts = Annotated[Path | None, typer.Option(help="The file with the host keys that an SSH key's host must have.")]


def given_details(
    url: str | None,
    endpoint: str | None,
    bucket: str | None,
    region: str | None,
    header: str | None,
    known_hosts: Path | None,
) -> dict[str, str]:
    """Those that were given, as `details` of a credential holds them."""
    named = {"url": url, "endpoint": endpoint, "bucket": bucket, "region": region, "header": header}
    place = {"known_hosts": None if known_hosts is None else str(known_hosts.absolute())}
    return {name: value for name, value in {**named, **place}.items() if value is not None}
