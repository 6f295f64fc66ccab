"""`vpsctl cred`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from vpsctl.cli import cred_exchange, cred_open, cred_write, output
from vpsctl.cli.ages import period
from vpsctl.cli.cred_write import Name, complete_kind
from vpsctl.cli.opened import open_app
from vpsctl.errors import Invalid

if TYPE_CHECKING:
    from vpsctl.credentials.expiring import Expiring
    from vpsctl.credentials.list import CredentialInfo
    from vpsctl.credentials.remove import CredentialRemoved
    from vpsctl.credentials.set import CredentialVersionInfo
    from vpsctl.credentials.show import CredentialDetail
    from vpsctl.credentials.uses import Uses
    from vpsctl.credentials.versions import VersionDestroyed, VersionInfo

app = typer.Typer(no_args_is_help=True, help="Credentials: kept encrypted, given to sites by name.")
Own = Annotated[str | None, typer.Option(help="The project's own, instead of the one for every site.")]
Force = Annotated[
    bool, typer.Option("--force", help="Even when it leaves a site without one, which then cannot be deployed.")
]
HIGHEST = 2**63 - 1
BUCKETS = {"expired": "31", "1": "31", "7": "33", "14": "33"}

app.command("add")(cred_write.add)
app.command("set")(cred_write.set_)


@app.command("list")
def list_(
    project: Annotated[str | None, typer.Option(help="Only those of this project.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only those of this kind.", autocompletion=complete_kind)] = None,
    expiring: Annotated[bool, typer.Option("--expiring", help="Only those with an end or a rotation in 30 days.")] = False,
) -> None:
    """Names, versions and the sites that use them, never a value.

    Example: vpsctl cred list
    """
    from vpsctl.credentials.expiring import soon
    from vpsctl.credentials.kinds.catalogue import find_kind
    from vpsctl.credentials.list import list_credentials

    if kind is not None:
        find_kind(kind)
    with open_app() as opened:
        found = list_credentials(opened, project=project)
    found = [item for item in found if kind in (None, item.kind)]
    output.show(soon(found, datetime.now(UTC)) if expiring else found, _render_list)


def _render_list(found: list[CredentialInfo]) -> None:
    output.table(
        ("name", "project", "kind", "version", "changed", "due", "used by", "waits for a deploy of"),
        [
            (
                item.name,
                item.project or "(all)",
                item.kind,
                item.version,
                f"{item.changed_at:%Y-%m-%d %H:%M:%S}",
                f"{item.due_at:%Y-%m-%d}" if item.due_at else "",
                " ".join(item.used_by),
                " ".join(item.outdated),
            )
            for item in found
        ],
    )


@app.command("show")
def show(name: Name, project: Own = None) -> None:
    """All of a credential but its value. Who changed it, where it is tried, when it ends, who uses it.

    Example: vpsctl cred show DB_PASSWORD --project acme
    """
    from vpsctl.credentials.show import show_credential

    with open_app() as opened:
        result = show_credential(opened, name, project=project)
    output.show(result, _render_show)


def _render_show(found: CredentialDetail) -> None:
    every = f"every {found.rotate_every} days" if found.rotate_every else ""
    lines = [
        ("name", found.name),
        ("project", found.project or "(all)"),
        ("kind", found.kind),
        ("description", found.description),
        *((name.replace("_", " "), value) for name, value in found.details.items()),
        ("version", f"{found.version}, of {_numbers(found.versions)}" if len(found.versions) > 1 else found.version),
        ("created", _moment(found.created_at)),
        ("changed", f"{_moment(found.changed_at)} by {found.changed_by}"),
        ("expires", _moment(found.expires_at)),
        ("rotate", every),
        ("due", _moment(found.due_at)),
        ("rotation", "interrupted: vpsctl cred rotate finishes it" if found.rotating else ""),
        ("last used", _moment(found.last_used_at)),
        ("last revealed", _moment(found.last_revealed_at)),
        ("used by", " ".join(found.used_by)),
        ("waits for a deploy of", " ".join(found.outdated)),
    ]
    output.table(("column", "value"), [line for line in lines if line[1]])


def _moment(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}" if at else ""


def _numbers(versions: tuple[int, ...]) -> str:
    return " ".join(map(str, versions))


app.command("reveal")(cred_open.reveal)
app.command("use", cls=cred_open.WithCommand)(cred_open.use)
app.command("test")(cred_open.test)
app.command("rotate")(cred_write.rotate)


@app.command("versions")
def versions(name: Name, project: Own = None) -> None:
    """Every version, the newest first. When, by whom, and whether its value is still there.

    Example: vpsctl cred versions DB_PASSWORD
    """
    from vpsctl.credentials.versions import list_versions

    with open_app() as opened:
        result = list_versions(opened, name, project=project)
    output.show(result, _render_versions)


def _render_versions(found: list[VersionInfo]) -> None:
    output.table(
        ("version", "created", "by", "state", "master key"),
        [
            (
                item.version,
                _moment(item.created_at),
                item.created_by,
                f"destroyed {_moment(item.destroyed_at)}" if item.destroyed_at else "newest" if item.current else "",
                item.key_id,
            )
            for item in found
        ],
    )


@app.command("rollback")
def rollback(
    name: Name,
    to: Annotated[int, typer.Option(min=1, max=HIGHEST, help="The version whose value it gets again.")],
    project: Own = None,
) -> None:
    """Store a new version with an earlier value. The ones between stay.

    Example: vpsctl cred rollback DB_PASSWORD --to 2
    """
    from vpsctl.credentials.versions import rollback_credential

    with open_app() as opened:
        result = rollback_credential(opened, name, to, project=project)
    output.show(result, lambda done: _rolled_back(done, to))
    output.note("each site that uses it gets it with its next deploy: vpsctl cred list shows which")


def _rolled_back(done: CredentialVersionInfo, to: int) -> None:
    output.write(f"{done.name} is at version {done.version}, with the value of version {to}")


@app.command("destroy")
def destroy(
    name: Name,
    version: Annotated[int, typer.Option(min=1, max=HIGHEST, help="The version whose value is destroyed.")],
    project: Own = None,
    force: Annotated[bool, typer.Option("--force", help="Even when a site runs with it.")] = False,
    confirm: Annotated[str | None, typer.Option(help="The credential's name, instead of being asked.")] = None,
) -> None:
    """Destroy the value of one version for good. That there was one stays on record.

    Example: vpsctl cred destroy DB_PASSWORD --version 2 --confirm DB_PASSWORD
    """
    from vpsctl.credentials.versions import check_destruction, destroy_version

    if confirm is not None and confirm != name:
        hint = f"vpsctl cred destroy {name} --version {version} --confirm {name}"
        raise Invalid(f"--confirm is {confirm}, and the credential is {name}: nothing was changed", hint=hint)
    with open_app() as opened:
        check_destruction(opened, name, version, project=project, force=force)
        question = f"The value of version {version} of {name} is destroyed for good."
        output.confirm(question, yes=confirm == name, typed=name)
        result = destroy_version(opened, name, version, project=project, force=force)
    output.show(result, _destroyed)


def _destroyed(done: VersionDestroyed) -> None:
    output.write(f"version {done.version} of {done.name} is destroyed; backups made before still hold it")
    if done.used_by:
        output.note(f"still running with it: {', '.join(done.used_by)}")


@app.command("remove")
def remove(
    name: Name,
    project: Own = None,
    force: Force = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Delete every version of a credential for good.

    Example: vpsctl cred remove OLD_TOKEN --yes
    """
    from vpsctl.credentials.remove import look_at_removal, remove_credential

    with open_app() as opened:
        told = "; ".join(_left(look_at_removal(opened, name, project=project, force=force)))
        output.confirm(f"Every version of {name} is deleted for good{f': {told}' if told else ''}.", yes=yes)
        result = remove_credential(opened, name, project=project, force=force)
    output.show(result, _removed)


def _removed(done: CredentialRemoved) -> None:
    output.write(f"{done.name} is removed, {len(done.versions)} version{'s' * (len(done.versions) != 1)}")
    for line in _left(done):
        output.note(line)


def _left(done: CredentialRemoved) -> list[str]:
    whose = "the machine's" if done.project is not None else "its project's own"
    lines = [
        f"{site} runs with it still, and its next deploy {f'takes {whose} version {version}' if version else 'fails'}"
        for site, version in done.next_versions.items()
    ]
    return [*lines, "a release that has it can be neither scaled nor rolled back to"] if lines else []


@app.command("usage")
def usage(name: Name, project: Own = None) -> None:
    """Who uses a credential, with which version. And who needs a deploy to get another one.

    Example: vpsctl cred usage DB_PASSWORD
    """
    from vpsctl.credentials.uses import credential_uses

    with open_app() as opened:
        result = credential_uses(opened, name, project=project)
    output.show(result, _render_usage)


def _render_usage(found: Uses) -> None:
    rows = [(use.kind, use.name, use.version, f"vpsctl deploy {use.name}" if use.needs_deploy else "") for use in found.uses]
    output.table(("kind", "name", "version", "needs"), rows)


@app.command("expiring")
def expiring(
    within: Annotated[str, typer.Option(help="How far to look ahead, such as 7d.")] = "30d",
    project: Annotated[str | None, typer.Option(help="Only those of this project.")] = None,
) -> None:
    """Credentials that end or are due for a new one. Already, or within 1, 7, 14, 30 days; for cron with --quiet.

    Example: vpsctl cred expiring --within 14d
    """
    from vpsctl.credentials.expiring import expiring_credentials

    ahead = period(within, "--within")
    with open_app() as opened:
        result = expiring_credentials(opened, within=ahead, project=project)
    if result or output.mode.json:
        output.show(result, _render_expiring)
    else:
        output.note(f"no credential ends or is due for a new value within {within}")


def _render_expiring(found: list[Expiring]) -> None:
    output.table(
        ("within", "name", "project", "kind", "why", "at"),
        [
            (
                f"{item.bucket} d" if item.bucket.isdigit() else item.bucket,
                item.name,
                item.project or "(all)",
                item.kind,
                item.why,
                _moment(item.at),
            )
            for item in found
        ],
        {bucket if bucket == "expired" else f"{bucket} d": colour for bucket, colour in BUCKETS.items()},
    )


app.command("import")(cred_exchange.import_)
app.command("export")(cred_exchange.export)
