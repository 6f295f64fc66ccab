"""The composition root: what every operation is handed, opened on first use so that each command pays for what it needs."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING

from vpsctl import private_file
from vpsctl.secret import Secret
from vpsctl.settings import Settings

if TYPE_CHECKING:
    from vpsctl.db.session import Database
    from vpsctl.docker_engine.engine import Engine
    from vpsctl.proxy.proxy import Proxy
    from vpsctl.vault.vault import Vault

Ask = Callable[[str], Secret]
"""Asks a person for something secret, with that prompt."""


@dataclass(frozen=True)
class Actor:
    """Who does it: stands in every run and audit row."""

    name: str
    door: str
    """cli, api, worker or schedule."""
    origin: str = ""
    """From where: "203.0.113.5", "token AB12CD34 from 203.0.113.5"; empty for this machine itself."""


class App:
    """The parts of one installation. Use it as a context manager: leaving closes what was opened."""

    def __init__(self, settings: Settings, actor: Actor, *, ask: Ask | None = None) -> None:
        self.settings = settings
        self.actor = actor
        self._ask = ask
        self.inner_key: tuple[bytes, bytes] | None = None
        """Once it was opened, with the stored bytes that it was opened from: see `vpsctl.inner_key`."""

    def __enter__(self) -> "App":
        return self

    def __exit__(self, *exc: object) -> None:
        for name in ("engine", "database", "owner_database", "proxy"):
            if name in self.__dict__:
                self.__dict__[name].close()

    @cached_property
    def engine(self) -> "Engine":
        from vpsctl.docker_engine.engine import Engine

        return Engine(self.settings.docker_host)

    @cached_property
    def database(self) -> "Database":
        """As the role that may do everything but change the schema and the audit trail."""
        from vpsctl.db.locate import find_url
        from vpsctl.db.session import Database

        return Database(find_url(self.settings))

    @cached_property
    def owner_database(self) -> "Database":
        """As the schema's owner, for migrations only."""
        from vpsctl.db.locate import find_url
        from vpsctl.db.session import Database

        return Database(find_url(self.settings, owner=True), owner=True)

    @cached_property
    def proxy(self) -> "Proxy":
        from vpsctl.proxy.proxy import Proxy

        return Proxy(self.settings)

    @cached_property
    def vault(self) -> "Vault":
        from vpsctl.db.older_key import find_older_key
        from vpsctl.vault.key import KeyFile
        from vpsctl.vault.vault import Vault

        path = self.settings.key_file or self.settings.home / "master.key"
        key_file = KeyFile(path, credentials=self.settings.credentials_directory, ask=self._ask)
        return Vault(key_file, lambda key_id: find_older_key(self.database, key_id))

    @cached_property
    def _fingerprint_key(self) -> bytes:
        """Made from the master key of the first use, which it tells nothing of, and the same from then on."""
        from vpsctl.vault.key import derive

        path = self.settings.home / "fingerprint.key"
        if not path.exists():
            private_file.write_new(path, derive(self.vault.master_key(self.vault.key_id), "fingerprint"))
        return private_file.read(path, "fingerprint key")

    def fingerprint(self, text: str) -> str:
        """16 hex digits that are equal for equal texts, and cannot be guessed back without a file of this machine.

        They stand in containers' labels. A key of their own, not the master key: its rotation must not make every
        container look changed, and the foundation has labels before there is a database.
        """
        return hmac.digest(self._fingerprint_key, text.encode("utf-8", "surrogatepass"), sha256).hex()[:16]
