"""Backends for Python's keyring that need no desktop: the process that asks the keyring loads them by its own settings."""

import json
import os
import time
from pathlib import Path
from typing import ClassVar

from keyring.backend import KeyringBackend
from keyring.errors import PasswordSetError


class FileKeyring(KeyringBackend):
    """Keeps entries in $FILE_KEYRING, as a desktop's would across processes."""

    priority: ClassVar[float] = 1

    def get_password(self, service: str, username: str) -> str | None:
        return self._read().get(f"{service}/{username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self._path().write_text(json.dumps({**self._read(), f"{service}/{username}": password}))

    def delete_password(self, service: str, username: str) -> None:
        entries = self._read()
        del entries[f"{service}/{username}"]
        self._path().write_text(json.dumps(entries))

    def _path(self) -> Path:
        return Path(os.environ["FILE_KEYRING"])

    def _read(self) -> dict[str, str]:
        found: dict[str, str] = json.loads(self._path().read_text()) if self._path().exists() else {}
        return found


class PlaintextKeyring(FileKeyring):
    """Called as the one in keyrings.alt is."""


class LockedKeyring(FileKeyring):
    def set_password(self, service: str, username: str, password: str) -> None:
        raise PasswordSetError("the collection\nis locked")


class ForgetfulKeyring(FileKeyring):
    def set_password(self, service: str, username: str, password: str) -> None:
        """Says that it did."""


class PromptingKeyring(FileKeyring):
    """Waits for somebody to click."""

    def get_password(self, service: str, username: str) -> str | None:
        time.sleep(60)
        return None


class LoudKeyring(FileKeyring):
    """Its library prints where an answer is expected."""

    def get_password(self, service: str, username: str) -> str | None:
        print("Gtk-WARNING: cannot open display")
        return super().get_password(service, username)
