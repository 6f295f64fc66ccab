"""`vpsctl logs`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from vpsctl.cli import output
from vpsctl.cli.ages import read_period
from vpsctl.cli.known_sites import Site
from vpsctl.cli.opened import open_app
from vpsctl.errors import Invalid

if TYPE_CHECKING:
    from vpsctl.sites.logs import SiteLine

app = typer.Typer()


@app.command()
def logs(
    site: Site,
    service: Annotated[str | None, typer.Option(help="Only this service.")] = None,
    release: Annotated[str | None, typer.Option(help="Of this release, also when it is stopped.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is printed from now on.")] = False,
    tail: Annotated[int, typer.Option(help="Lines of each container; 0 for all.", min=0)] = 200,
    since: Annotated[str | None, typer.Option(help="Not older than 10m, 2h, 1d, or an ISO time.")] = None,
) -> None:
    """What the site's containers print. Needs no Postgres.

    Example: vpsctl logs shop --service app -f
    """
    from vpsctl.sites.logs import Wanted, follow_logs, read_logs
    from vpsctl.sites.lookup import release_number

    number = release_number(release, site) if release else None
    wanted = Wanted(service, number, tail or None, since_time(since) if since else None)
    with open_app() as opened:
        if follow:
            with until_interrupted():
                for line in follow_logs(opened, site, wanted):
                    _stream(line)
        else:
            output.show(list(read_logs(opened, site, wanted)), _print_all)


@contextmanager
def until_interrupted() -> Iterator[None]:
    """Ctrl-C is how one leaves what has no end: nothing to tell."""
    try:
        yield
    except KeyboardInterrupt:
        raise typer.Exit(output.INTERRUPTED) from None


def _stream(line: SiteLine) -> None:
    """Followed lines are JSON lines under `--json`: a list has no end to wait for."""
    from vpsctl.encoding import to_json

    if output.mode.json:
        output.write(to_json({"data": line}))
    else:
        _print(line)
    output.flush()


def _print_all(lines: list[SiteLine]) -> None:
    for line in lines:
        _print(line)


def _print(line: SiteLine) -> None:
    short = line.container.rsplit("-", 3)[-3:] if line.release else [line.container]
    output.write(f"{output.colour('-'.join(short), '36')} {line.text}")


def since_time(text: str, option: str = "--since") -> datetime:
    """`10m`, `2h`, `1d`, `2w` ago, or an ISO 8601 time (local unless it names a zone). Raises Invalid."""
    ago = read_period(text)
    try:
        if ago is not None:
            return datetime.now(UTC) - ago
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Invalid(
            f"{option} {text!r} is neither a duration nor a time", hint="10m, 2h, 1d or 2026-11-20T14:00"
        ) from error
