"""The Docker Engine as the rest of vpsctl sees it: our frozen types in and out, our errors, a deadline on every call."""

from vpsctl.docker_engine.build import Builds
from vpsctl.docker_engine.containers import Containers
from vpsctl.docker_engine.decode import decode_info
from vpsctl.docker_engine.execs import Execs
from vpsctl.docker_engine.files import Files
from vpsctl.docker_engine.images import Images
from vpsctl.docker_engine.lifecycle import Lifecycle
from vpsctl.docker_engine.logs import Logs
from vpsctl.docker_engine.networks import Networks
from vpsctl.docker_engine.stats import Usage
from vpsctl.docker_engine.types import EngineInfo
from vpsctl.docker_engine.volumes import Volumes


class Engine(Containers, Lifecycle, Logs, Execs, Usage, Files, Images, Builds, Networks, Volumes):
    """One Engine, by its address (`unix:///var/run/docker.sock`, `tcp://host:port`).

    Making one opens nothing; the first call connects. It may be shared between threads. `close()` it when done.
    Raises, from every method: Unavailable when the Engine cannot be reached or dies half way, Invalid when its API
    is older than 1.41 (Docker 20.10).
    """

    _machine: EngineInfo | None = None

    def info(self) -> EngineInfo:
        """Asked anew each time, at two requests: this Engine answers, and says what it is."""
        with self.asking() as api:
            return decode_info(api.info(), api.version(), api.api_version)

    def machine(self) -> EngineInfo:
        """`info` as it was at the first call: processors, memory, architecture and directory stay as they are."""
        self._machine = self._machine or self.info()
        return self._machine
