"""`vpsctl audit`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vpsctl.cli import output
from vpsctl.cli.logs import since_time
from vpsctl.cli.opened import open_app
from vpsctl.errors import Failed

if TYPE_CHECKING:
    from vpsctl.audit.export import Exported
    from vpsctl.audit.list import AuditRow
    from vpsctl.audit.show import AuditShown
    from vpsctl.audit.verify import Verified

app = typer.Typer(no_args_is_help=True, help="The audit trail: who changed what, from where, and that nobody altered it.")
HIGHEST = 2**63 - 1
KINDS = {"changed": "31", "missing": "31", "added": "31", "moved": "31", "cut": "31"}
Since = Annotated[str | None, typer.Option(help="Not older than 7d, 2h, 2026-11-01, or an ISO time.")]


@app.command("list")
def list_(
    actor: Annotated[str | None, typer.Option(help="Only what this person did.")] = None,
    action: Annotated[str | None, typer.Option(help="Only actions that begin so: credential finds credential.set.")] = None,
    target: Annotated[str | None, typer.Option(help="Only targets with this in them, or like this: 'site:*'.")] = None,
    door: Annotated[str | None, typer.Option(help="Only what came this way: cli, api, worker or schedule.")] = None,
    since: Since = None,
    until: Annotated[str | None, typer.Option(help="Older than that, written the same way.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many.")] = 50,
    before: Annotated[int | None, typer.Option(min=1, max=HIGHEST, help="Only rows below this one.")] = None,
) -> None:
    """Newest first: who did what to what, and from where.

    Example: vpsctl audit list --action credential --since 7d
    """
    from vpsctl.audit.list import Wanted, list_audit

    begin, end = (since_time(since) if since else None), (since_time(until, "--until") if until else None)
    with open_app() as opened:
        result = list_audit(opened, Wanted(actor, door, action, target, begin, end), limit=limit, before=before)
    output.show(result, _render_list)
    if len(result) == limit:
        output.note(f"older ones: the same with --before {result[-1].id}")


def _render_list(found: list[AuditRow]) -> None:
    output.table(
        ("row", "at", "by", "from", "action", "target", "fields", "run"),
        [
            (
                row.id,
                f"{row.at:%Y-%m-%d %H:%M:%S}",
                row.actor,
                f"{row.door} {row.origin}".strip(),
                row.action,
                row.target,
                _fields(row.fields),
                row.run_id,
            )
            for row in found
        ],
    )


def _fields(fields: Any) -> str:
    from vpsctl.encoding import to_json

    told = fields if isinstance(fields, dict) else {"fields": fields}
    return "  ".join(f"{key}: {value if isinstance(value, str) else to_json(value)}" for key, value in told.items())


@app.command("show")
def show(row: Annotated[int, typer.Argument(min=1, max=HIGHEST, help="The row's number, from vpsctl audit list.")]) -> None:
    """All of one row, whether its place in the chain is intact, and the run it belongs to.

    Example: vpsctl audit show 17
    """
    from vpsctl.audit.show import show_audit

    with open_app() as opened:
        result = show_audit(opened, row)
    output.show(result, _render)


def _render(shown: AuditShown) -> None:
    row = shown.row
    run = f"{shown.run.kind} {shown.run.subject}: vpsctl run show {shown.run.id}" if shown.run else "it is no longer there"
    lines = {
        "row": str(row.id),
        "at": f"{row.at:%Y-%m-%d %H:%M:%S.%f} UTC",
        "by": row.actor,
        "from": f"{row.door} {row.origin}".strip(),
        "action": row.action,
        "target": row.target,
        "fields": _fields(row.fields),
        "run": f"{row.run_id}, {run}" if row.run_id is not None else "",
        "previous": shown.previous or "",
        "mac": shown.mac or "",
        "place": f"{'intact' if shown.intact else 'BROKEN'}: {shown.told}",
    }
    output.table(("column", "value"), list(lines.items()))


@app.command("verify")
def verify() -> None:
    """Look whether any row was edited, removed, inserted or moved since it was written, and say which.

    Exit code 6 when one was. Where a clean trail ends is noted in a file outside the database, and compared the next time.
    For cron: --quiet prints nothing of a clean one.

    Example: vpsctl audit verify
    """
    from vpsctl.audit.verify import verify_audit

    with open_app() as opened:
        result = verify_audit(opened)
        anchor = opened.settings.home / "audit-anchor"
    if result.problems or not output.mode.quiet or output.mode.json:
        output.show(result, _render_verified)
    if result.problems:
        failed = _failed(result, anchor)
        if not output.mode.json:
            raise failed
        output.say(f"error: {failed.message}")  # what is on stdout is one document
        raise typer.Exit(output.EXIT[Failed])


def _failed(found: Verified, anchor: Path) -> Failed:
    first, more = found.problems[0], len(found.problems) + found.more - 1
    others = f"; {more} more {'is' if more == 1 else 'are'} wrong" if more else ""
    if any(problem.anchored for problem in found.problems):
        hint = f"if you restored the database from a backup, remove {anchor}, then vpsctl audit verify"
    elif first.kind == "missing":
        hint = f"vpsctl audit list --before {first.through + 2}"
    else:
        hint = f"vpsctl audit show {first.row}" if first.kind != "cut" and first.row > 0 else "vpsctl audit list"
    return Failed(f"the audit trail is not as it was written: {first.told}{others}", hint=hint)


def _render_verified(found: Verified) -> None:
    if found.problems:
        output.table(("row", "kind", "what"), [(one.row, one.kind, one.told) for one in found.problems], KINDS)
        return
    compared = f"; the trail goes on from where it ended on {found.anchor:%Y-%m-%d %H:%M}" if found.anchor else ""
    rows = "1 row is" if found.rows == 1 else f"{found.rows} rows are"
    output.write(f"{rows} as written{compared}")
    output.write(f"row {found.last} ends the trail: {found.head_mac}")


@app.command("export")
def export(
    to: Annotated[Path | None, typer.Option(help="Into this new file (0600); otherwise to stdout.")] = None,
    since: Since = None,
) -> None:
    """Every row as a line of JSON, oldest first, and where the chain ends as the last one; codes in hex.

    Example: vpsctl audit export --to audit.jsonl
    """
    from vpsctl.audit.export import export_audit, export_to_file

    begin = since_time(since) if since else None
    with open_app() as opened:
        if to is None:
            export_audit(opened, output.write, since=begin)
        else:
            output.show(export_to_file(opened, to, since=begin), _render_exported)


def _render_exported(done: Exported) -> None:
    output.write(f"{done.rows} row{'s' * (done.rows != 1)} in {done.file}")
