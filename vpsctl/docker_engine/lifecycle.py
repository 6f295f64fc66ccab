"""The life of a container: start, stop, restart, kill, pause, wait, limits, removal."""

from datetime import timedelta
from typing import Any

from docker.errors import APIError

from vpsctl.docker_engine.connection import ANSWER_SECONDS, Connection
from vpsctl.docker_engine.encode import whole_seconds
from vpsctl.docker_engine.refusals import FOREIGN, shorten, timed_out
from vpsctl.errors import Failed

OURS = "vpsctl.instance"
"""The label without which nothing is changed for good: see `remove`."""
GRACE = 10
"""Seconds the Engine waits between SIGTERM and SIGKILL where the container says nothing."""


class Lifecycle(Connection):
    """What happens to a container between its creation and its end."""

    def start(self, ref: str) -> None:
        """No-op when it runs. Raises Conflict for a port that is in use, Failed when its program cannot be executed."""
        with self.asking("container", ref) as api:
            api.start(ref)

    def stop(self, ref: str, *, grace: timedelta | None = None) -> None:
        """SIGTERM (or its own stop signal), then SIGKILL after `grace`; None: the container's own. No-op when stopped."""
        self._within_grace("stop", ref, grace)

    def restart(self, ref: str, *, grace: timedelta | None = None) -> None:
        self._within_grace("restart", ref, grace)

    def _within_grace(self, verb: str, ref: str, grace: timedelta | None) -> None:
        with self.asking("container", ref) as api:
            if grace is None:
                own: int | None = api.inspect_container(ref)["Config"].get("StopTimeout")
                seconds, query = GRACE if own is None else own, {}
            else:
                seconds = whole_seconds(grace)
                query = {"t": seconds}
            # The SDK allows 10 s where it is told nothing, and gives up on a container whose own grace is longer.
            self.request("POST", f"/containers/{ref}/{verb}", params=query, timeout=seconds + ANSWER_SECONDS)

    def kill(self, ref: str, signal: str = "KILL") -> None:
        """Raises Conflict when it does not run."""
        with self.asking("container", ref) as api:
            api.kill(ref, signal)

    def pause(self, ref: str) -> None:
        with self.asking("container", ref) as api:
            api.pause(ref)

    def unpause(self, ref: str) -> None:
        with self.asking("container", ref) as api:
            api.unpause(ref)

    def remove(self, ref: str, *, force: bool = False) -> None:
        """Remove a container, and its anonymous volumes only if it is ours. Raises Conflict when it runs, unless `force`."""
        with self.asking("container", ref) as api:
            ours = OURS in (api.inspect_container(ref)["Config"]["Labels"] or {})
            api.remove_container(ref, v=ours, force=force)

    def wait(self, ref: str, *, timeout: timedelta) -> int:
        """The exit code, once it does not run; of one never started, 0 at once. Raises Failed at the timeout."""
        with self.asking("container", ref):
            try:
                answer = self.request("POST", f"/containers/{ref}/wait", timeout=timeout.total_seconds())
            except APIError:
                raise
            except FOREIGN as error:
                if not timed_out(error):
                    raise
                raise Failed(
                    f"container {shorten(ref)} still runs after {timeout.total_seconds():g} s",
                    hint=f"see what it does: vpsctl container logs {shorten(ref)}",
                ) from error
            return int(answer.json()["StatusCode"])

    def set_restart(self, ref: str, policy: str) -> None:
        """Change the restart policy (no, always, on-failure, unless-stopped) without a restart."""
        self._update(ref, {"RestartPolicy": {"Name": policy}})

    def update_limits(self, ref: str, *, memory: int | None, nano_cpus: int | None) -> None:
        """Change the caps of a container while it runs; None leaves one as it is (the Engine cannot lift a cap)."""
        body: dict[str, Any] = {}
        if memory is not None:
            # The Engine set swap to twice the old memory, and refuses a memory above that unless told again.
            body |= {"Memory": memory, "MemorySwap": memory * 2}
        if nano_cpus is not None:
            body["NanoCpus"] = nano_cpus
        self._update(ref, body)

    def _update(self, ref: str, body: dict[str, Any]) -> None:
        with self.asking("container", ref):
            self.request("POST", f"/containers/{ref}/update", json=body)
