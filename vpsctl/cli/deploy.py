"""`vpsctl deploy`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from vpsctl.cli import output
from vpsctl.cli.known_sites import complete_deploy
from vpsctl.cli.opened import open_app
from vpsctl.errors import Invalid

if TYPE_CHECKING:
    from vpsctl.sites.deployment import Deployment

app = typer.Typer()


@app.command()
def deploy(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[resume|abort] SITE",
            help="The site; resume or abort after a kill.",
            autocompletion=complete_deploy,
        ),
    ],
    ref: Annotated[str | None, typer.Option(help="A branch, tag or commit of its git source.")] = None,
    image: Annotated[str | None, typer.Option(help="An image for the web service, instead of its own.")] = None,
    pull: Annotated[bool, typer.Option("--pull", help="Ask the registry even for images that are here.")] = False,
    prove: Annotated[bool, typer.Option("--prove", help="Send traffic meanwhile, and report what failed.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
) -> None:
    """Deploy a site: the old release serves until the new one has answered.

    Example: vpsctl deploy shop --prove

    After a kill: vpsctl deploy resume shop, or vpsctl deploy abort shop.
    """
    action, site = _split(words)
    if action:
        if ref or image or pull or prove or dry_run:
            raise Invalid(f"deploy {action} takes no options", hint=f"vpsctl deploy {action} {site}")
        _settle(action, site)
        return
    if dry_run:
        from vpsctl.cli.plan import show_plan

        show_plan(site, ref=ref, image=image, pull=pull)
        return
    from vpsctl.cli.progress import report
    from vpsctl.sites.deploy import Options
    from vpsctl.sites.deploy import deploy as run_deploy

    with open_app() as opened:
        result = run_deploy(opened, site, Options(ref, image, pull, prove), report=report)
    output.show(result, render)
    proof = result.proof
    if proof is not None and proof.failed:
        output.say(f"error: {proof.failed} of {proof.requests} requests failed meanwhile; r{result.release} serves")
        raise typer.Exit(6)


def _split(words: list[str]) -> tuple[str | None, str]:
    if len(words) == 1 and words[0] not in ("resume", "abort"):
        return None, words[0]
    if len(words) == 2 and words[0] in ("resume", "abort"):
        return words[0], words[1]
    raise Invalid(f"deploy takes one site, not {' '.join(words)!r}", hint="vpsctl deploy SITE, or deploy resume|abort SITE")


def _settle(action: str, site: str) -> None:
    from vpsctl.cli.progress import report
    from vpsctl.sites.settle import Settled, abort, resume

    def tell(result: Settled) -> None:
        serving = f"r{result.serving} serves" if result.serving is not None else "nothing serves"
        output.write(f"run {result.run} of {result.site} was {result.outcome}: {serving}")

    with open_app() as opened:
        result = (resume if action == "resume" else abort)(opened, site, report=report)
    output.show(result, tell)


def render(result: Deployment) -> None:
    """Also what rollback prints."""
    before = f" (before: r{result.previous})" if result.previous is not None else ""
    output.write(f"{result.site} r{result.release} serves{before}")
    for url in result.urls:
        output.write(f"  {url}")
    if result.proof is not None:
        proof = result.proof
        output.write()
        switch = f"{result.switch_time * 1000:.1f} ms" if result.switch_time is not None else "-"
        output.table(
            ("requests", "failed", "slowest", "median", "switch"),
            [(proof.requests, proof.failed, f"{proof.slowest * 1000:.0f} ms", f"{proof.median * 1000:.1f} ms", switch)],
        )
        for error in proof.errors:
            output.write(f"  {error}")
