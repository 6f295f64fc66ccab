"""Is there a Docker Engine, and is it one we can use?"""

from collections.abc import Iterator

from vpsctl.errors import VpsctlError
from vpsctl.hosts.checks.check import Check, Seen


def check_engine(seen: Seen) -> Iterator[Check]:
    try:
        info = seen.info()
    except VpsctlError as error:
        yield Check("engine", "fail", error.message, error.hint)
        return
    live = "" if info.live_restore else "; live-restore is off: restarting the engine restarts every container"
    mend = "" if info.live_restore else 'to change that: "live-restore": true in daemon.json, unless it is to join a Swarm'
    yield Check("engine", "ok", f"Docker {info.engine_version}, API {info.api_version}{live}", mend)
