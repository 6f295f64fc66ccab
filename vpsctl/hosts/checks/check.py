"""What one check says, and what all checks look at, each asked of the machine once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from vpsctl.app import App
from vpsctl.db.migrate import schema_version
from vpsctl.docker_engine.types import ContainerSummary, EngineInfo
from vpsctl.errors import NotFound, VpsctlError
from vpsctl.hosts.listeners import Listener, read_listeners
from vpsctl.sites import naming

State = Literal["ok", "warn", "fail", "skipped"]
T = TypeVar("T")


@dataclass(frozen=True)
class Check:
    name: str
    state: State
    message: str
    mend: str = ""
    """The command, or the sentence, that mends it."""


class Seen:
    """The machine as the checks see it; what could not be asked raises the same error for each check that wants it."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.settings = app.settings
        self._known: dict[str, Any] = {}

    def info(self) -> EngineInfo:
        return self._once("info", self.app.engine.info)

    def containers(self) -> list[ContainerSummary]:
        return self._once("containers", self.app.engine.summaries)

    def running(self) -> list[ContainerSummary]:
        return [item for item in self.containers() if item.state == "running"]

    def inspected(self) -> list[Mapping[str, Any]]:
        """The Engine's documents on the containers that run."""
        return self._once("inspected", self._inspect)

    def listeners(self) -> list[Listener]:
        return self._once("listeners", read_listeners)

    def schema(self) -> str | None:
        return self._once("schema", lambda: schema_version(self.app.database))

    def ours(self, container: ContainerSummary) -> bool:
        return container.labels.get(naming.INSTANCE) == self.settings.instance

    def _inspect(self) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        for item in self.running():
            try:
                found.append(self.app.engine.inspect(item.id))
            except NotFound:
                continue  # it ended since the list was made
        return found

    def _once(self, name: str, ask: Callable[[], T]) -> T:
        if name not in self._known:
            try:
                self._known[name] = ask()
            except VpsctlError as error:
                self._known[name] = error
        known: T | VpsctlError = self._known[name]
        if isinstance(known, VpsctlError):
            raise known
        return known
