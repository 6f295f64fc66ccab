"""Asking a container itself whether it serves: plain HTTP with the site's Host, so any image can be probed.

`X-Forwarded-Proto: https` goes with it, since an app that forces TLS would answer 301 to itself otherwise (Kamal #1041).
"""

import http.client
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from vpsctl.docker_engine.engine import Engine
from vpsctl.docker_engine.types import Container
from vpsctl.errors import Failed
from vpsctl.sites import naming
from vpsctl.sites.compose.spec import Probe, SiteSpec

CRASH_GRACE = 3
"""A container that restarts this often within one probe is not coming up."""
BODY_LIMIT = 64 << 10
"""Bytes of an answer that are read."""


@dataclass(frozen=True)
class Target:
    """Where to ask: a container on a network, and the Host it expects."""

    container: str
    network: str
    port: int
    host: str
    restarts: int = 0
    """Those that lie behind the container, and say nothing of how it comes up now."""


def labelled_target(container: Container) -> Target:
    """The question to a web container that was made before, by what its labels tell, on the way that Caddy takes to it."""
    labels = container.labels
    host = (labels.get(naming.DOMAINS) or "localhost").split(",")[0]
    network = naming.ingress(labels[naming.INSTANCE])
    return Target(container.name, network, int(labels.get(naming.PORT, "80")), host, container.restart_count)


def probe_target(spec: SiteSpec, container: str, network: str) -> Target:
    """The probe of one web container. The spec has a web service."""
    assert spec.intent.web is not None
    host = spec.intent.web.domains[0] if spec.intent.web.domains else "localhost"
    return Target(container, network, spec.intent.web.port, host)


def wait_until_serving(
    engine: Engine, target: Target, probe: Probe, *, timeout: timedelta, check: Callable[[], None] = lambda: None
) -> timedelta:
    """Ask until `success_threshold` answers in a row count; how long that took.

    The first question goes at once and the pause starts small, so that an app which is ready costs no waiting.
    Raises Failed when the container ends, keeps restarting, or does not answer in time: with its last answer.
    """
    begin = time.monotonic()
    deadline = begin + timeout.total_seconds()
    streak, pause = 0, 0.02
    while True:
        check()
        container = running_container(engine, target.container, target.restarts)
        last = ask(container, target, probe)
        streak = streak + 1 if last == "" else 0
        if streak >= probe.success_threshold:
            return timedelta(seconds=time.monotonic() - begin)
        if time.monotonic() >= deadline:
            raise Failed(f"{target.container} was not healthy after {timeout.total_seconds():.0f} s: {last}")
        if streak == 0:
            pause = min(pause * 2, probe.interval.total_seconds())
        time.sleep(min(pause, max(0.0, deadline - time.monotonic())))


def running_container(engine: Engine, name: str, restarts: int = 0) -> Container:
    """The container, or Failed in words: how it ended. `restarts`: as in `Target`."""
    container = engine.container(name)
    if container.state in ("exited", "dead"):
        raise Failed(f"{name} ended: {ending(container)}")
    if container.restart_count - restarts >= CRASH_GRACE:
        raise Failed(f"{name} keeps restarting ({container.restart_count} times): {ending(container)}")
    return container


def ending(container: Container) -> str:
    """How a container ended: its exit code, and whether the kernel killed it for memory."""
    if container.oom_killed:
        return f"out of memory (exit code {container.exit_code}); raise deploy.resources.limits.memory"
    if container.error:
        return container.error
    if container.state == "running":
        return "it ended soon after each start"
    return f"exit code {container.exit_code}"


def ask(container: Container, target: Target, probe: Probe) -> str:
    """One question, on a connection of its own: "" when the answer counts, else what was wrong with it."""
    address = container.addresses.get(target.network)
    if not address:
        return "it has no address yet"
    headers = {
        "Host": target.host,
        "X-Forwarded-Proto": "https",
        "X-Forwarded-For": "127.0.0.1",
        "User-Agent": "vpsctl-probe",
        "Connection": "close",
    }
    # Not httpx: to import it costs 0.1 s, and each of its clients 20 ms for certificates that plain HTTP has no use for.
    connection = http.client.HTTPConnection(address, target.port, timeout=probe.timeout.total_seconds())
    try:
        connection.request("GET", probe.path, headers=headers)
        response = connection.getresponse()
        response.read(BODY_LIMIT)  # so that the app's own log does not show a request that was broken off
        return judge(response.status, response.headers.get("Location"), probe)
    except TimeoutError:
        return f"GET {probe.path} on port {target.port} did not answer within {probe.timeout.total_seconds():g} s"
    except (OSError, http.client.HTTPException) as error:
        return f"GET {probe.path} on port {target.port}: {error or type(error).__name__}"
    finally:
        connection.close()


def judge(status: int, location: str | None, probe: Probe) -> str:
    """ "" when `status` counts; else a sentence that says what to change."""
    low, high = probe.expect_status
    if low <= status <= high:
        return ""
    text = f"GET {probe.path} answered {status}, expected {low}-{high}"
    if location:
        return f"{text} (it redirects to {location}: set x-vpsctl.healthcheck.path to where it leads)"
    return f"{text} (set x-vpsctl.healthcheck.path to a page that answers)" if status == 404 else text
