"""The master key: 32 bytes from which every other key is derived, and the one file that says where they are kept."""

import base64
import binascii
import glob
import hmac
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from vpsctl import private_file
from vpsctl.errors import Conflict, Invalid, NotFound, Unavailable
from vpsctl.secret import Secret
from vpsctl.vault.providers import keyring, passphrase, systemd
from vpsctl.vault.providers.document import HINT, KEY_ID, Document, read_document, write_document

SIZE = 32
FEWEST_VALUES = 16
"""Different byte values in a key: 32 random bytes have fewer than this about once in 10^12 keys."""
PROVIDERS = ("systemd", "file", "passphrase", "keyring")
"""Where a key can be kept, the best for a server first."""
NAME = "vpsctl-master-key"
"""What a systemd credential of ours and a keyring's entry are called, before the id of the key in it."""
MISSING = "put it back, or: vpsctl key restore --kit FILE; on a new machine: vpsctl init"


def create_key(path: Path) -> bool:
    """Write a new master key (base64, 0600) unless there is a file already; True when it was written."""
    return private_file.write_new(path, _written(os.urandom(SIZE)))


@lru_cache(maxsize=64)
def derive(key: bytes, purpose: str) -> bytes:
    """A key of 32 bytes for one purpose only (HKDF-SHA256), so that none is used for two things."""
    return HKDF(algorithm=SHA256(), length=SIZE, salt=None, info=f"vpsctl/{purpose}/v1".encode()).derive(key)


def key_id(key: bytes) -> str:
    """Names a master key without telling anything of it: 16 hex digits."""
    return hmac.digest(derive(key, "key-id"), b"vpsctl", sha256).hex()[:16]


@dataclass(frozen=True)
class Kept:
    """Where a key is, as its file says."""

    key_id: str
    """As its document names it, which is not opened for this."""
    provider: str
    place: str
    """For people: a path, a credential's name."""


class KeyFile:
    """The file that holds the master key, or a document that says where it is; the next one is staged beside it.

    `credentials`: the directory that systemd hands a unit ($CREDENTIALS_DIRECTORY). `ask`: asks a person for something
    secret; None when there is nobody. A passphrase that was typed is not asked for again.
    """

    def __init__(self, path: Path, *, credentials: Path | None = None, ask: Callable[[str], Secret] | None = None) -> None:
        self.path = path
        self._credentials = credentials
        self._ask = ask
        self._typed: dict[str, bytes] = {}

    @property
    def next_path(self) -> Path:
        """Where a rotation stages the next key."""
        return self.path.with_name(f"{self.path.name}.next")

    def provider(self) -> str:
        """One of PROVIDERS. Raises what `read` raises when the file itself is wrong."""
        return self.kept().provider

    def kept(self) -> Kept:
        """Where the active key is, without asking its provider. Raises what `read` raises when the file is wrong."""
        return self._kept(self.path)

    def kept_next(self) -> Kept | None:
        """Where the staged key is; None when there is none."""
        return self._kept(self.next_path) if _stands(self.next_path) else None

    def read(self) -> bytes:
        """The 32 bytes of the active key.

        Raises NotFound when it is missing; Invalid when others may read it, or when it is no key of 32 random bytes or
        not the one its document names; Unavailable when its provider cannot give it here.
        """
        return self._key(self.path)

    def stamp(self) -> tuple[int, ...] | None:
        """Another one when the file may hold another key, or others may read it by now. None when it is missing.

        Inode and mtime can be the same for another file (cp -p, an inode used again); the time of change cannot be set.
        """
        try:
            status = self.path.lstat()
        except FileNotFoundError:
            return None
        return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size

    def staged(self) -> bytes | None:
        """The key that a rotation has staged; None when there is none. Raises what `read` raises."""
        return self._key(self.next_path) if _stands(self.next_path) else None

    def unavailable(self, provider: str) -> str | None:
        """Why a new key cannot be kept by `provider` here; None when it can. Raises Invalid for an unknown one."""
        if provider not in PROVIDERS:
            raise Invalid(f"there is no key provider {provider!r}", hint="vpsctl key providers lists them")
        if provider == "systemd":
            return systemd.unavailable()
        if provider == "keyring":
            return keyring.unavailable()
        return passphrase.unavailable(self._ask) if provider == "passphrase" else None

    def stage(self, provider: str) -> bytes:
        """A new key, kept durably as `provider` keeps one and named at `next_path`.

        Raises Conflict when one is staged already, Unavailable when `provider` does not work here, Invalid for an
        unknown one or for a passphrase that is none.
        """
        if _stands(self.next_path):
            raise self._staged_already()
        why = self.unavailable(provider)
        if why:
            raise Unavailable(f"provider {provider} does not work here: {why}", hint="vpsctl key providers")
        key, data = self._new(provider)
        written = False
        try:
            written = private_file.write_new(self.next_path, data)
        finally:
            if not written:
                self.forget(key_id(key))
        if not written:
            raise self._staged_already()
        return key

    def promote(self) -> None:
        """The staged key becomes the active one, by one rename; nothing to do when none is staged."""
        private_file.rename(self.next_path, self.path)

    def discard(self) -> None:
        """Forget the staged key."""
        kept = self.kept_next()
        if kept is not None:
            private_file.remove(self.next_path)
            self.forget(kept.key_id)

    def forget(self, old: str) -> None:
        """Remove what systemd's store, the keyring, and files that a restored key was put in the place of hold of `old`."""
        if not KEY_ID.fullmatch(old):
            raise Invalid(f"{old!r} is no key id: it has 16 hex digits", hint="vpsctl key status")
        systemd.forget(f"{NAME}-{old}")
        keyring.forget("vpsctl", f"{NAME}-{old}")
        for kept in self.path.parent.glob(f"{glob.escape(self.path.name)}.{old}*"):
            private_file.remove(kept)

    def _staged_already(self) -> Conflict:
        return Conflict(f"a next master key is staged already at {self.next_path}", hint="vpsctl key rotate resumes it")

    def _new(self, provider: str) -> tuple[bytes, bytes]:
        """A new key and the content of the file that names it."""
        if provider == "passphrase":
            key, fields = passphrase.new_key(self._ask)
            self._typed[key_id(key)] = key
            return key, write_document(Document(provider, key_id(key), fields))
        key = os.urandom(SIZE)
        name = f"{NAME}-{key_id(key)}"
        if provider == "systemd":
            systemd.store(name, _written(key))
            return key, write_document(Document(provider, key_id(key), {"credential": name}))
        if provider == "keyring":
            keyring.store("vpsctl", name, _written(key))
            return key, write_document(Document(provider, key_id(key), {"service": "vpsctl", "username": name}))
        return key, _written(key)

    def _content(self, path: Path) -> bytes | Document:
        try:
            data = private_file.read(path, "master key")
        except NotFound as error:
            raise NotFound(error.message, hint=MISSING) from error
        return read_document(data, path) if len(data) != SIZE and data.lstrip().startswith(b"{") else data

    def _kept(self, path: Path) -> Kept:
        content = self._content(path)
        if isinstance(content, bytes):
            return Kept(key_id(_checked(content, f"at {path}")), "file", str(path))
        return Kept(content.key_id, content.provider, _place(content))

    def _key(self, path: Path) -> bytes:
        content = self._content(path)
        if isinstance(content, bytes):
            return _checked(content, f"at {path}")
        if content.provider == "passphrase":
            return self._from_passphrase(content)
        if content.provider == "systemd":
            data = systemd.read(content.text("credential"), self._credentials)
        else:
            data = keyring.read(content.text("service"), content.text("username"))
        key = _checked(data, f"in {_place(content)}")
        if key_id(key) != content.key_id:
            message = f"{_place(content)} holds master key {key_id(key)}, and {path} names {content.key_id}"
            raise Invalid(message, hint=f"put {path} or the key back as they were")
        return key

    def _from_passphrase(self, document: Document) -> bytes:
        if document.key_id not in self._typed:
            key = passphrase.read_key(document, self._ask)
            if key_id(key) != document.key_id:
                hint = "try again, or: vpsctl key restore --kit FILE --replace"
                raise Invalid("that is not the passphrase of the master key", hint=hint)
            self._typed[document.key_id] = key
        return self._typed[document.key_id]


def _stands(path: Path) -> bool:
    return path.is_symlink() or path.exists()


def _place(document: Document) -> str:
    if document.provider == "systemd":
        return f"systemd credential {document.text('credential')}"
    if document.provider == "keyring":
        return f"keyring entry {document.text('service')}/{document.text('username')}"
    return "a passphrase"


def _written(key: bytes) -> bytes:
    return base64.b64encode(key) + b"\n"


def _checked(data: bytes, place: str) -> bytes:
    key = data if len(data) == SIZE else _decoded(data)
    if key is None or len(key) != SIZE:
        raise Invalid(f"the master key {place} is not {SIZE} bytes, raw or in base64", hint=HINT)
    if len(set(key)) < FEWEST_VALUES:
        raise Invalid(f"the master key {place} is not random", hint=HINT)
    return key


def _decoded(data: bytes) -> bytes | None:
    try:
        return base64.b64decode(data.strip(), validate=True)
    except binascii.Error:
        return None
