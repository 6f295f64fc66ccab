"""`vpsctl plan`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from vpsctl.cli import output
from vpsctl.cli.known_sites import Site
from vpsctl.cli.opened import open_app

if TYPE_CHECKING:
    from vpsctl.sites.preview import Preview

app = typer.Typer()


@app.command()
def plan(
    site: Site,
    ref: Annotated[str | None, typer.Option(help="A branch, tag or commit of its git source.")] = None,
    image: Annotated[str | None, typer.Option(help="An image for the web service, instead of its own.")] = None,
    pull: Annotated[bool, typer.Option("--pull", help="Ask the registry even for images that are here.")] = False,
) -> None:
    """What a deploy would do; nothing is changed.

    Example: vpsctl plan shop
    """
    show_plan(site, ref=ref, image=image, pull=pull)


def show_plan(site: str, *, ref: str | None, image: str | None, pull: bool) -> None:
    from vpsctl.sites.preview import preview

    with open_app() as opened:
        result = preview(opened, site, ref=ref, image=image, pull=pull)
    output.show(result, _render)


def _render(plan: Preview) -> None:
    before = f", after r{plan.previous}" if plan.previous is not None else ", the first release"
    at = f" at {plan.revision[:12]}" if plan.revision else ""
    output.write(f"{plan.site} r{plan.release}{at}{before}")
    rows = [(step.service, step.action, step.reference) for step in plan.images]
    output.write("\nimages")
    output.table(("service", "action", "from"), rows)
    for step in plan.images:
        if step.generated:
            output.write(f"\nDockerfile that would be made for {step.service} ({'; '.join(step.reasons)}):")
            output.write(step.generated.rstrip())
    if plan.pre_deploy:
        output.write(f"\npre-deploy: {' '.join(plan.pre_deploy)}")
    output.write("\nservices")
    output.table(
        ("service", "action", "containers", "why"), [(c.service, c.action, c.replicas, c.reason) for c in plan.changes]
    )
    if plan.route:
        reload = "; Caddy reloads, since domains change" if plan.route.reload else ""
        output.write(f"\nroute: {', '.join(plan.route.domains)} to port {plan.route.port}, tls {plan.route.tls}{reload}")
    output.write(f"memory: {output.size(plan.memory)} at most")
    for note in plan.notes:
        output.write(f"note: {note}")
