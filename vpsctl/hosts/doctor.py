"""Everything that can be wrong with a machine, check by check, with the command that mends it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from vpsctl.app import App
from vpsctl.errors import Unavailable, VpsctlError
from vpsctl.hosts.checks import dns, engine, exposure, foundation, resources, state
from vpsctl.hosts.checks.check import Check, Seen, State

CHECKS: tuple[tuple[str, Callable[[Seen], Iterator[Check]]], ...] = (
    ("engine", engine.check_engine),
    ("disk", resources.check_disk),
    ("memory", resources.check_memory),
    ("clock", resources.check_clock),
    ("state directory", state.check_home),
    ("master key", state.check_master_key),
    ("registered key", state.check_registered_key),
    ("recovery kit", state.check_recovery_kit),
    ("foundation", foundation.check_containers),
    ("caddy", foundation.check_caddy_version),
    ("caddy admin", foundation.check_caddy_admin),
    ("postgres", foundation.check_postgres),
    ("schema", foundation.check_schema),
    ("audit trail", state.check_trail_is_closed),
    ("redis", foundation.check_redis_answers),
    ("web ports", exposure.check_web_ports),
    ("listeners", exposure.check_listeners),
    ("published ports", exposure.check_published),
    ("log rotation", exposure.check_log_rotation),
    ("dns", dns.check_dns),
)


@dataclass(frozen=True)
class Diagnosis:
    state: State
    """The worst of the checks: ok, warn or fail."""
    checks: tuple[Check, ...]


def doctor(app: App) -> Diagnosis:
    """Run every check. A check whose part of the machine does not answer is `skipped`; nothing is raised."""
    seen = Seen(app)
    checks = tuple(check for name, examine in CHECKS for check in _run(name, examine, seen))
    states = {check.state for check in checks}
    return Diagnosis("fail" if "fail" in states else "warn" if "warn" in states else "ok", checks)


def _run(name: str, examine: Callable[[Seen], Iterator[Check]], seen: Seen) -> list[Check]:
    try:
        return list(examine(seen))
    except Unavailable as error:
        return [Check(name, "skipped", error.message)]
    except VpsctlError as error:
        return [Check(name, "fail", error.message, error.hint)]
