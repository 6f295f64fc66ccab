"""`vpsctl site`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vpsctl.cli import output
from vpsctl.cli.known_sites import Site
from vpsctl.cli.opened import open_app
from vpsctl.errors import Invalid

if TYPE_CHECKING:
    from vpsctl.sites.add import Added
    from vpsctl.sites.adopt.adopt import AdoptedSite
    from vpsctl.sites.list import SiteInfo
    from vpsctl.sites.remove import Removed
    from vpsctl.sites.show import SiteDetail
    from vpsctl.sites.sources.new import NewSite

app = typer.Typer(no_args_is_help=True, help="Add, list, show, adopt and remove sites; maintenance pages.")
Project = Annotated[str | None, typer.Option(help="The project it belongs to; otherwise what the file says, or default.")]


@app.command("new")
def new(
    name: Annotated[str, typer.Argument(help="The new site's name.")],
    template: Annotated[str, typer.Option(help="base, business or portfolio.")] = "base",
    into: Annotated[Path | None, typer.Option(help="The directory; otherwise ./NAME.")] = None,
) -> None:
    """Write the files of a new site to start from.

    Example: vpsctl site new shop --template business
    """
    from vpsctl.sites.sources.new import new_site

    output.show(new_site(name, template, into or Path(name)), _tell_new)


@app.command("add")
def add(
    source: Annotated[
        str, typer.Argument(metavar="PATH|GIT-URL|IMAGE", help="Where its files are, or an image with --image.")
    ],
    name: Annotated[str | None, typer.Option(help="Its name; otherwise what the compose file says.")] = None,
    ref: Annotated[str | None, typer.Option(help="The branch or tag of a git source that deploys follow.")] = None,
    subdirectory: Annotated[str | None, typer.Option(help="Where in the repository the compose file stands.")] = None,
    credential: Annotated[str | None, typer.Option(help="The token or deploy key of a private repository.")] = None,
    project: Project = None,
    image: Annotated[bool, typer.Option("--image", help="The source is an image; --port says where it listens.")] = False,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="With --image: the container's web port.")] = None,
    domain: Annotated[list[str] | None, typer.Option(help="With --image or an inferred file: its domains.")] = None,
) -> None:
    """Register a site; nothing is started yet.

    Example: vpsctl site add ./shop; vpsctl site add git@example.com:acme/shop.git --credential DEPLOY_KEY
    """
    from vpsctl.sites.add import add_image, add_site
    from vpsctl.sites.sources.source import parse_source

    if image and (ref or subdirectory or credential):
        raise Invalid("--image takes no --ref, --subdirectory or --credential", hint="vpsctl site add --help")
    if port is not None and not image:
        raise Invalid("--port goes with --image; otherwise x-vpsctl.web.port says it", hint="vpsctl site add --help")
    with open_app() as opened:
        if image:
            result = add_image(opened, source, name=name, port=port, domains=domain or (), project=project)
        else:
            parsed = parse_source(source, ref=ref, subdirectory=subdirectory, credential=credential)
            result = add_site(opened, parsed, name=name, project=project, domains=domain or ())
    output.show(result, _tell_added)


@app.command("move")
def move(
    site: Site,
    source: Annotated[str, typer.Argument(metavar="PATH|GIT-URL", help="Where its files are from now on.")],
    ref: Annotated[str | None, typer.Option(help="The branch or tag of a git source that deploys follow.")] = None,
    subdirectory: Annotated[str | None, typer.Option(help="Where in the repository the compose file stands.")] = None,
    credential: Annotated[str | None, typer.Option(help="The token or deploy key of a private repository.")] = None,
) -> None:
    """Point a site at another source; the next deploy comes from it.

    Example: vpsctl site move shop /srv/shop
    """
    from vpsctl.sites.move import move_site
    from vpsctl.sites.sources.source import parse_source

    with open_app() as opened:
        parsed = parse_source(source, ref=ref, subdirectory=subdirectory, credential=credential)
        result = move_site(opened, site, parsed)
    output.show(result, lambda moved: output.write(f"{moved.site} comes from {moved.source} (before: {moved.before})"))


@app.command("list")
def list_() -> None:
    """The sites of this machine.

    Example: vpsctl site list
    """
    from vpsctl.sites.list import list_sites

    with open_app() as opened:
        result = list_sites(opened)
    output.show(result, _render_list)


@app.command("show")
def show(site: Site) -> None:
    """Everything about one site.

    Example: vpsctl site show shop
    """
    from vpsctl.sites.show import show_site

    with open_app() as opened:
        result = show_site(opened, site)
    output.show(result, _render_site)


@app.command("adopt")
def adopt(
    containers: Annotated[list[str], typer.Argument(metavar="CONTAINER…", help="Names or ids: the app and its database.")],
    name: Annotated[str, typer.Option(help="The site's name.")],
    domain: Annotated[list[str] | None, typer.Option(help="Where visitors reach it; may be repeated.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Where the web container listens.")] = None,
    web: Annotated[str | None, typer.Option(help="The container with the site's pages; otherwise found out.")] = None,
    project: Annotated[str | None, typer.Option(help="The project it belongs to; otherwise default.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the compose file and what would be done.")] = False,
) -> None:
    """Take over containers that run, without restarting them, and write the compose file that makes them.

    Example: vpsctl site adopt shop-app-1 shop-db-1 --name shop --domain shop.example.com
    """
    from vpsctl.cli.progress import report
    from vpsctl.sites.adopt.adopt import adopt as take_over
    from vpsctl.sites.adopt.infer import Wish

    wish = Wish(name, tuple(containers), tuple(domain or ()), web, port, project)
    with open_app() as opened:
        result = take_over(opened, wish, dry_run=dry_run, report=report)
    output.show(result, _tell_adopted)


@app.command("remove")
def remove(
    site: Site,
    with_data: Annotated[bool, typer.Option("--with-data", help="Its volumes too: the data is gone for good.")] = False,
    confirm: Annotated[str | None, typer.Option(help="With --with-data: the site's name, instead of being asked.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask (volumes still need the typed name).")] = False,
) -> None:
    """Remove a site: route, containers, images; its volumes stay unless --with-data.

    Example: vpsctl site remove shop
    """
    from vpsctl.cli.progress import report
    from vpsctl.sites.deployment import site_row
    from vpsctl.sites.remove import remove_site

    if confirm is not None and confirm != site:
        hint = f"vpsctl site remove {site} --with-data --confirm {site}"
        raise Invalid(f"--confirm is {confirm}, and the site is {site}: nothing was changed", hint=hint)
    with open_app() as opened:
        site_row(opened, site)  # nobody is asked about a site that is not there
        if with_data:
            output.confirm(f"This removes {site} and every byte in its volumes.", yes=confirm == site, typed=site)
        else:
            output.confirm(f"This removes {site}; its volumes stay.", yes=yes)
        result = remove_site(opened, site, with_data=with_data, report=report)
    output.show(result, _tell_removed)


@app.command("maintenance")
def maintenance(
    state: Annotated[str, typer.Argument(metavar="on|off")],
    site: Site,
    message: Annotated[str | None, typer.Option(help="What visitors read.")] = None,
) -> None:
    """Show a page with status 503 instead of the site.

    Example: vpsctl site maintenance on shop --message "Back at nine"
    """
    from vpsctl.sites.maintenance import DEFAULT, set_maintenance

    if state not in ("on", "off"):
        raise Invalid(f"maintenance is on or off, not {state!r}", hint=f"vpsctl site maintenance on {site}")
    with open_app() as opened:
        result = set_maintenance(opened, site, (message or DEFAULT) if state == "on" else None)
    output.show(result, lambda done: output.write(f"{done.site}: maintenance {'on' if done.on else 'off'}"))


def _tell_new(result: NewSite) -> None:
    for file in result.files:
        output.write(str(file))
    output.note(f"next: vpsctl site add {result.directory}")


def _tell_added(result: Added) -> None:
    output.write(f"{result.site} added from {result.source} (project {result.project})")
    output.write(f"  services: {', '.join(result.services)}")
    if result.domains:
        output.write(f"  domains:  {', '.join(result.domains)}")
    if result.inferred:
        output.write("  it had no compose file; this one was written there:")
        output.write(result.inferred.rstrip())
    for name in result.missing_credentials:
        output.write(f"  missing credential: vpsctl cred set {name}, or with --generate")
    output.note(f"next: vpsctl deploy {result.site}")


def _tell_adopted(result: AdoptedSite) -> None:
    output.write(result.compose.rstrip())
    output.write()
    done = result.run is not None
    output.write(
        f"{result.site} is adopted; {result.file} holds what stands above" if done else "nothing was done; would be:"
    )
    for step in result.steps:
        output.write(f"  {step}")
    for obstacle in result.obstacles:
        output.write(f"  refused as it is: {obstacle}")
    if done:
        output.note(f"next: read that file, then vpsctl plan {result.site} and vpsctl deploy {result.site}")


def _render_list(found: list[SiteInfo]) -> None:
    output.table(
        ("site", "project", "release", "deployed", "domains", "source", "note"),
        [
            (
                item.name,
                item.project,
                f"r{item.release}" if item.release is not None else "-",
                f"{item.deployed:%Y-%m-%d %H:%M}" if item.deployed else "never",
                ", ".join(item.domains),
                item.source,
                _note(item),
            )
            for item in found
        ],
    )


def _note(site: SiteInfo) -> str:
    waits = f"needs deploy: {', '.join(site.pending)}" if site.release is not None and site.pending else ""
    return "; ".join(part for part in ("maintenance" if site.maintenance else "", waits) if part)


def _render_site(site: SiteDetail) -> None:
    rows = [
        ("source", site.source.get("location")),
        ("project", site.project),
        ("release", f"r{site.release}" if site.release is not None else "never deployed"),
        ("domains", ", ".join(site.domains)),
        ("volumes", ", ".join(site.volumes)),
        ("ports", ", ".join(f"{key} on 127.0.0.1:{port}" for key, port in site.ports.items())),
        ("credentials", ", ".join(f"{name} v{version}" for name, version in site.credentials.items())),
        ("scale", ", ".join(f"{name}={count}" for name, count in site.scale.items())),
        ("maintenance", site.maintenance),
        ("needs deploy", ", ".join(site.pending)),
        ("interrupted", ", ".join(f"run {number}: vpsctl deploy resume {site.name}" for number in site.interrupted)),
    ]
    for label, value in rows:
        if value:
            output.write(f"{label + ':':<14} {value}")
    output.write()
    output.table(
        ("container", "service", "release", "state", "restarts", "memory"),
        [
            (
                item.name,
                item.service,
                f"r{item.release}",
                item.state + (f" ({item.health})" if item.health else ""),
                item.restarts,
                output.size(item.memory),
            )
            for item in site.containers
        ],
    )


def _tell_removed(result: Removed) -> None:
    output.write(f"{result.site} is removed: {result.containers} containers")
    for volume in result.volumes:
        output.write(f"  volume {volume} and its data are gone")
    for volume in result.kept:
        output.write(f"  volume {volume} stays")
    for container in result.left:
        output.write(f"  container {container} was adopted, not made by vpsctl: it stays, off the site's networks")
