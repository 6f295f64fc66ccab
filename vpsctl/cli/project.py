"""`vpsctl project`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from vpsctl.cli import output
from vpsctl.cli.opened import open_app
from vpsctl.errors import Invalid

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vpsctl.hosts.project import ProjectOverview, Spend
    from vpsctl.projects.list import ProjectDetail, ProjectInfo
    from vpsctl.projects.remove import ProjectRemoved
    from vpsctl.projects.write import ProjectChanged

app = typer.Typer(no_args_is_help=True, help="Projects: the brands or clients that sites and credentials belong to.")
Slug = Annotated[str, typer.Argument(metavar="PROJECT", help="Its slug, such as acme.")]
NameForPeople = Annotated[str | None, typer.Option(help='For people, such as "Acme Ltd".')]
Description = Annotated[str | None, typer.Option(help="One line.")]
Tags = Annotated[list[str] | None, typer.Option("--tag", help="May be given several times.")]
Ids = Annotated[
    list[str] | None, typer.Option("--id", metavar="SYSTEM=ID", help="What another system calls it; several times.")
]
Owner = Annotated[str | None, typer.Option(help="A user's name.")]


@app.command("add")
def add(
    slug: Slug,
    name: NameForPeople = None,
    description: Description = None,
    tag: Tags = None,
    ids: Ids = None,
    owner: Owner = None,
) -> None:
    """Make a project. A site that names one which is not there makes it as well.

    Example: vpsctl project add acme --name "Acme Ltd" --tag retail --id yespo=123
    """
    from vpsctl.projects.details import Change
    from vpsctl.projects.write import add_project

    change = Change(name, description, tuple(tag or ()), (), _pairs(ids), (), owner)
    with open_app() as opened:
        result = add_project(opened, slug, change)
    output.show(result, lambda done: output.write(f"project {done.slug} is there"))
    output.note(f"next: vpsctl site add DIRECTORY --project {slug}")


@app.command("list")
def list_(
    all_: Annotated[bool, typer.Option("--all", help="Those that are archived as well.")] = False,
    tag: Annotated[str | None, typer.Option(help="Only those with this tag.")] = None,
) -> None:
    """The projects, and how many sites and credentials each has.

    Example: vpsctl project list --tag retail
    """
    from vpsctl.projects.list import list_projects

    with open_app() as opened:
        output.show(list_projects(opened, archived=all_, tag=tag), _render_list)


@app.command("show")
def show(
    slug: Slug,
    no_volumes: Annotated[
        bool, typer.Option("--no-volumes", help="Not the size of the volumes, which takes minutes for large ones.")
    ] = False,
) -> None:
    """What belongs to a project, and the memory and disk that it takes.

    Example: vpsctl project show acme
    """
    from vpsctl.hosts.project import show_project

    with open_app() as opened:
        output.show(show_project(opened, slug, volumes=not no_volumes), _render)


@app.command("update")
def update(
    slug: Slug,
    name: NameForPeople = None,
    description: Description = None,
    tag: Tags = None,
    untag: Annotated[list[str] | None, typer.Option(help="Take this tag off; several times.")] = None,
    ids: Ids = None,
    no_id: Annotated[list[str] | None, typer.Option(metavar="SYSTEM", help="Forget the id there; several times.")] = None,
    owner: Owner = None,
    no_owner: Annotated[bool, typer.Option("--no-owner", help="It has no owner any more.")] = False,
) -> None:
    """Change what is said of a project; what is not named stays.

    Example: vpsctl project update acme --tag vip --id bigquery=acme-prod --owner anna
    """
    from vpsctl.projects.details import Change
    from vpsctl.projects.write import update_project

    change = Change(
        name, description, tuple(tag or ()), tuple(untag or ()), _pairs(ids), tuple(no_id or ()), owner, no_owner
    )
    with open_app() as opened:
        output.show(update_project(opened, slug, change), _tell_changed)


@app.command("archive")
def archive(slug: Slug, undo: Annotated[bool, typer.Option("--undo", help="It takes new things again.")] = False) -> None:
    """Take no new site or credential into a project; what it has goes on.

    Example: vpsctl project archive acme
    """
    from vpsctl.projects.write import archive_project

    with open_app() as opened:
        result = archive_project(opened, slug, undo=undo)
    state = "in use" if undo else "archived"
    output.show(result, lambda done: output.write(f"project {done.slug} is {state}{'' if done.changed else ' already'}"))


@app.command("remove")
def remove(slug: Slug, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False) -> None:
    """Remove a project that has no site and no credential any more.

    Example: vpsctl project remove acme --yes
    """
    from vpsctl.projects.remove import check_project_removal, remove_project

    with open_app() as opened:
        check_project_removal(opened, slug)
        output.confirm(f"Project {slug}, and the roles and tokens that are for it alone, are removed.", yes=yes)
        output.show(remove_project(opened, slug), _tell_removed)


def _pairs(given: Sequence[str] | None) -> dict[str, str]:
    pairs = {}
    for word in given or ():
        system, sign, value = word.partition("=")
        if not sign:
            raise Invalid(f"--id {word} has no '='", hint="write it like --id yespo=123")
        pairs[system] = value
    return pairs


def _tell_changed(done: ProjectChanged) -> None:
    told = ", ".join(name.replace("_", " ") for name in done.changed)
    output.write(f"project {done.slug}: {told} changed" if told else f"project {done.slug} is so already")


def _tell_removed(done: ProjectRemoved) -> None:
    output.write(f"project {done.slug} is removed")
    for user in done.grants:
        output.write(f"  {user} has no role in it any more")
    for token in done.tokens:
        output.write(f"  token {token} was for it alone, and is gone")


def _render_list(found: Sequence[ProjectInfo]) -> None:
    if not found:
        output.write("No project yet: vpsctl project add acme")
        return
    output.table(
        ("project", "name", "sites", "credentials", "owner", "tags", "note"),
        [
            (
                item.slug,
                item.name,
                item.sites,
                item.credentials,
                item.owner,
                ", ".join(item.tags),
                "archived" if item.archived_at else "",
            )
            for item in found
        ],
    )


def _render(found: ProjectOverview) -> None:
    for label, value in [*_details(found.project), *(_spend(found.spend) if found.spend and found.project.sites else ())]:
        if value:
            output.write(f"{label + ':':<13} {value}")
    if found.project.credentials:
        output.write()
        output.table(
            ("credential", "kind", "version", "expires", "note"),
            [
                (
                    item.name,
                    item.kind,
                    item.version,
                    f"{item.expires_at:%Y-%m-%d}" if item.expires_at else "",
                    "expiring" if item.expiring else "",
                )
                for item in found.project.credentials
            ],
        )
    for note in found.notes:
        output.say(f"note: {note}")


def _details(project: ProjectDetail) -> Iterator[tuple[str, str | None]]:
    yield "project", project.slug
    yield "name", project.name
    yield "description", project.description
    yield "owner", project.owner
    yield "tags", ", ".join(project.tags)
    yield "ids", ", ".join(f"{system}={value}" for system, value in project.external_ids.items())
    yield "created", f"{project.created_at:%Y-%m-%d}"
    yield "archived", f"{project.archived_at:%Y-%m-%d}" if project.archived_at else None
    yield "roles", ", ".join(f"{user} {role}" for user, role in project.grants.items())
    yield "sites", ", ".join(project.sites) or "none"


def _spend(spend: Spend) -> Iterator[tuple[str, str | None]]:
    uncapped = f", and {spend.uncapped} without a limit" if spend.uncapped else ""
    caps = f"{output.size(spend.memory_caps)} that they may take{uncapped}"
    yield "containers", str(spend.containers)
    yield "memory", f"{output.size(spend.memory)} in use, of {caps}" if spend.containers else None
    yield "volumes", None if spend.volumes is None else output.size(spend.volumes)
    yield "images", output.size(spend.images)
