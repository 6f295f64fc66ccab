"""Envelope encryption of secret values: AES-256-GCM under a data key each, wrapped by a master key."""

import os
import threading
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from vpsctl.errors import Failed
from vpsctl.vault import bindings
from vpsctl.vault.key import KeyFile, derive, key_id
from vpsctl.vault.sealed import NONCE, Sealed, unpack
from vpsctl.vault.sealed import binding as bind

FORMAT = "vpsctl/vault/v1"
FindKey = Callable[[str], bytes | None]
"""An older master key by its id, as `master_keys` holds it: sealed under a newer one."""


class Vault:
    """Encrypts with the active master key; decrypts with whichever one a value is under.

    The key file is read on first use, and again when it changed: a rotation reaches a process that goes on. Threads may
    share it.
    """

    def __init__(self, key_file: KeyFile, find_key: FindKey) -> None:
        self.key_file = key_file
        self._find_key = find_key
        self._stamp: tuple[int, ...] | None = None
        self._active = ""
        self._keys: dict[str, bytes] = {}
        self._thread = threading.local()

    @property
    def key_id(self) -> str:
        """Names the active master key without telling anything of it: 16 hex digits, stored beside each value."""
        stamp = self.key_file.stamp()
        if not self._active or stamp != self._stamp:
            key = self.key_file.read()
            name = key_id(key)
            self._keys[name] = key  # before the name of it: another thread may ask for it by that
            self._stamp, self._active = stamp, name
        return self._active

    def encrypt(self, plaintext: bytes, *, binding: bytes, under: str | None = None) -> Sealed:
        """`plaintext` sealed to `binding` (see `bindings`): it opens only with the same one.

        `under`: the id of a master key other than the active one, which a rotation has staged.
        """
        master = under or self.key_id
        data_key = AESGCM.generate_key(256)
        key_nonce, nonce = os.urandom(NONCE), os.urandom(NONCE)
        wrapped = self._wrapper(master).encrypt(key_nonce, data_key, _bound("key", master, binding))
        ciphertext = AESGCM(data_key).encrypt(nonce, plaintext, _bound("data", master, binding))
        return Sealed(master, key_nonce, wrapped, nonce, ciphertext)

    def decrypt(self, sealed: Sealed, *, binding: bytes) -> bytes:
        """The plaintext. Raises Failed when its master key is missing, or when a byte of it or its place was changed."""
        wrapper = self._wrapper(sealed.key_id)
        try:
            data_key = wrapper.decrypt(sealed.key_nonce, sealed.wrapped_key, _bound("key", sealed.key_id, binding))
            return AESGCM(data_key).decrypt(sealed.nonce, sealed.ciphertext, _bound("data", sealed.key_id, binding))
        except (InvalidTag, ValueError) as error:  # ValueError: a nonce or key of the wrong length
            raise _altered() from error

    def rewrap(self, sealed: Sealed, *, binding: bytes) -> Sealed:
        """The same value under the active master key, with a data key of its own again. Raises as `decrypt` does."""
        return self.encrypt(self.decrypt(sealed, binding=binding), binding=binding)

    def master_key(self, name: str) -> bytes:
        """The master key with that id: the active one, one that a rotation has staged, or an older one.

        Raises Failed when it is none of them.
        """
        if name != self.key_id and name not in self._keys:
            found = self._staged(name) or self._older(name)
            if found is None:
                raise Failed(
                    f"a stored value was encrypted with master key {name}, and {self.key_file.path} is {self._active}",
                    hint=f"put master key {name} back: vpsctl key restore --kit FILE --key {name} --replace",
                )
            self._keys[name] = found
        return self._keys[name]

    def _staged(self, name: str) -> bytes | None:
        staged = self.key_file.staged()
        return staged if staged is not None and key_id(staged) == name else None

    def _older(self, name: str) -> bytes | None:
        sealed = self._find_key(name)
        if sealed is None:
            return None
        opening = self._opening()
        if name in opening:  # rows that were altered so that each needs the other
            raise _altered()
        opening.add(name)
        try:
            key = self.decrypt(unpack(sealed), binding=bindings.master_key(name))
        finally:
            opening.discard(name)
        if key_id(key) != name:
            raise _altered()
        return key

    def _opening(self) -> set[str]:
        """Older keys that this thread is opening, each under another one."""
        opening: set[str] = self._thread.__dict__.setdefault("opening", set())
        return opening

    def _wrapper(self, name: str) -> AESGCM:
        return AESGCM(derive(self.master_key(name), "wrap"))


def _bound(what: str, master: str, binding: bytes) -> bytes:
    return bind(FORMAT, what, master) + binding


def _altered() -> Failed:
    message = "a stored value was altered or moved, and the vault refuses to open it"
    return Failed(message, hint="set the credential again, or restore the database from a backup")
