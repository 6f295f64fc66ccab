"""vpsctl init."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from vpsctl.cli import output
from vpsctl.cli.opened import open_app

if TYPE_CHECKING:
    from vpsctl.hosts.configure import Value
    from vpsctl.hosts.init import InitResult, InitStep

app = typer.Typer(help="Set this machine up: state directory, network, Caddy, Postgres, Redis.")


@app.command("init")
def init(
    postgres_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Use this Postgres instead of our own; - reads it from stdin.")
    ] = None,
    redis_url: Annotated[str | None, typer.Option(metavar="URL", help="Use this Redis; - reads it from stdin.")] = None,
    caddy_admin: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Use this Caddy: http://host:port or unix//path of its admin API.")
    ] = None,
    http_port: Annotated[int | None, typer.Option(metavar="PORT", help="Serve HTTP here instead of on 80.")] = None,
    https_port: Annotated[int | None, typer.Option(metavar="PORT", help="Serve HTTPS here instead of on 443.")] = None,
) -> None:
    """Set this machine up, or mend what is missing; what stands already is not touched.

    The options are written to the settings file, so that every later command knows them.

    Example: vpsctl init --http-port 8080 --https-port 8443
    """
    from vpsctl.hosts.configure import check_in_force, configure
    from vpsctl.hosts.init import init as set_up
    from vpsctl.settings import config_path

    changes = _changes(postgres_url, redis_url, caddy_admin, http_port, https_port)
    configured = bool(changes) and configure(config_path(), changes)
    if configured:
        output.note(f"settings written to {config_path()}")
    with open_app(before_init=True) as opened:
        check_in_force(opened.settings, changes)
        output.show(set_up(opened, _report, configured=tuple(changes) if configured else ()), _render)


def _changes(
    postgres_url: str | None, redis_url: str | None, caddy_admin: str | None, http_port: int | None, https_port: int | None
) -> "dict[str, Value]":
    from vpsctl.secret import Secret

    urls = {"postgres_url": postgres_url, "redis_url": redis_url}
    changes: dict[str, Value] = {key: Secret(_given(url)) for key, url in urls.items() if url is not None}
    plain = {"caddy_admin": caddy_admin, "http_port": http_port, "https_port": https_port}
    return changes | {key: value for key, value in plain.items() if value is not None}


def _given(url: str) -> str:
    """`-` reads a line from stdin: an argument can be seen by every user of the machine while we run."""
    return sys.stdin.readline().strip() if url == "-" else url


def _report(step: "InitStep") -> None:
    mark = output.colour("+", "32", sys.stderr) if step.changed else "="
    output.note(f"{mark} {step.name}: {step.detail}")


def _render(result: "InitResult") -> None:
    if result.changed:
        output.write("This machine is ready. Next: vpsctl site new NAME --template business, or vpsctl doctor")
    else:
        output.write("Nothing to do: everything stands already.")
    if not result.recovery_kit:
        output.write("Without the master key nothing stored can be read. Keep a recovery kit away from this machine:")
        output.write("  vpsctl recovery-kit create --to kit.age --passphrase")
