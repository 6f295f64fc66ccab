"""The composition root: what every operation is handed, opened on first use so that each command pays for what it needs."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from vpsctl.settings import Settings

if TYPE_CHECKING:
    from vpsctl.db.session import Database
    from vpsctl.docker_engine.engine import Engine
    from vpsctl.proxy.proxy import Proxy
    from vpsctl.vault.vault import Vault


@dataclass(frozen=True)
class Actor:
    """Who does it: stands in every run and audit row."""

    name: str
    door: str
    """cli, api, worker or schedule."""


class App:
    """The parts of one installation. Use it as a context manager: leaving closes what was opened."""

    def __init__(self, settings: Settings, actor: Actor) -> None:
        self.settings = settings
        self.actor = actor

    def __enter__(self) -> "App":
        return self

    def __exit__(self, *exc: object) -> None:
        for name in ("engine", "database", "proxy"):
            if name in self.__dict__:
                self.__dict__[name].close()

    @cached_property
    def engine(self) -> "Engine":
        from vpsctl.docker_engine.engine import Engine

        return Engine(self.settings.docker_host)

    @cached_property
    def database(self) -> "Database":
        from vpsctl.db.locate import find_url
        from vpsctl.db.session import Database

        return Database(find_url(self.settings))

    @cached_property
    def proxy(self) -> "Proxy":
        from vpsctl.proxy.proxy import Proxy

        return Proxy(self.settings)

    @cached_property
    def vault(self) -> "Vault":
        from vpsctl.vault.vault import Vault

        return Vault(self.settings.home / "master.key")
