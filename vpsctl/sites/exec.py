"""Running a command in a container of a site.

Each leaves an audit row before it begins, since it may change anything and go on for hours: which program, with how
many arguments. What they are is not told: passwords are handed over like that.
"""

import re
from collections.abc import Sequence

from vpsctl.app import App
from vpsctl.audit.outside import record_outside
from vpsctl.docker_engine.types import Container, ExecResult
from vpsctl.errors import Invalid, NotFound
from vpsctl.sites import naming
from vpsctl.sites.lookup import check_deployed
from vpsctl.sites.naming import Names, release_of
from vpsctl.sites.observe import site_containers

PROGRAM = re.compile(r"[\w./+-]{1,128}")
"""What passes for the name of a program; anything else may be a whole command line, with what is in it."""


def find_running(app: App, site: str, service: str | None) -> Container:
    """The newest running container of `service`; without one, of the web service or of the only service.

    Needs no Postgres. Raises NotFound when none runs, Conflict before the first deploy, Invalid when it is not clear
    which is meant.
    """
    running = [item for item in site_containers(app, Names(app.settings.instance, site)) if item.state == "running"]
    if not running:
        check_deployed(app, site)
        raise NotFound(f"no container of {site} runs", hint=f"vpsctl start {site}")
    services = sorted({item.labels.get(naming.SERVICE, "") for item in running})
    web = next((item.labels[naming.SERVICE] for item in running if item.labels.get(naming.ROLE) == "web"), None)
    chosen = service or web or (services[0] if len(services) == 1 else None)
    if chosen is None:
        raise Invalid(
            f"{site} has several services and no web service", hint=f"--service with one of: {', '.join(services)}"
        )
    mine = [item for item in running if item.labels.get(naming.SERVICE) == chosen]
    if not mine:
        raise NotFound(f"no container of {site}'s {chosen} runs", hint=f"running: {', '.join(services)}")
    return max(mine, key=lambda item: (release_of(item.labels), item.name))


def capture_in_container(app: App, site: str, argv: Sequence[str], *, service: str | None, user: str | None) -> ExecResult:
    """Run `argv` without a terminal or input, to its end; what it printed, stdout and stderr as they came."""
    container = find_running(app, site, service)
    _record(app, site, container, argv, user)
    return app.engine.exec(container.id, list(argv), user=user)


def run_in_container(app: App, site: str, argv: Sequence[str], *, service: str | None, user: str | None, tty: bool) -> int:
    """Run `argv` with this process's own streams; its exit code."""
    container = find_running(app, site, service)
    _record(app, site, container, argv, user)
    return app.engine.exec_terminal(container.id, list(argv), user=user, tty=tty)


def _record(app: App, site: str, container: Container, argv: Sequence[str], user: str | None) -> None:
    program = argv[0] if argv and PROGRAM.fullmatch(argv[0]) else None
    fields = {"container": container.name, "program": program, "arguments": len(argv[1:]), "user": user}
    record_outside(app, "site.exec", f"site:{site}", fields)
