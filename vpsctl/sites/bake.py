"""Watching a new release after the switch, for what only real traffic shows."""

import time

from vpsctl.errors import Failed
from vpsctl.sites.probe import ask, ending, probe_target
from vpsctl.sites.rollout import started_services
from vpsctl.sites.work import Work

POLL = 0.25
UNANSWERED = 3
"""Wrong answers in a row that end the bake: one may be a hiccup."""


def bake(work: Work) -> None:
    """Watch for `update.bake`. Raises Failed as soon as a container ends, restarts or stops answering."""
    begin = time.monotonic()
    deadline = begin + work.spec.intent.update.bake.total_seconds()
    misses: dict[str, int] = {}
    while True:
        for service in started_services(work):
            for spec in work.wanted[service]:
                _look(work, spec.name, misses, since=time.monotonic() - begin)
        if time.monotonic() >= deadline:
            return
        time.sleep(min(POLL, max(0.0, deadline - time.monotonic())))


def _look(work: Work, name: str, misses: dict[str, int], *, since: float) -> None:
    container = work.app.engine.find_container(name)
    if container is None:
        raise Failed(f"{name} was removed {since:.0f} s after the switch")
    if container.state != "running" or container.restart_count or container.oom_killed:
        raise Failed(f"{name} ended {since:.0f} s after the switch: {ending(container)}")
    if container.labels.get("vpsctl.role") != "web":
        return
    network = work.wanted[container.labels["vpsctl.service"]][0].attachments[0].network
    wrong = ask(container, probe_target(work.spec, name, network), work.spec.intent.probe)
    misses[name] = misses.get(name, 0) + 1 if wrong else 0
    if misses[name] >= UNANSWERED:
        raise Failed(f"{name} stopped answering {since:.0f} s after the switch: {wrong}")
