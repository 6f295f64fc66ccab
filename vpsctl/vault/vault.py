"""Envelope encryption of secret values: AES-256-GCM under a data key each, wrapped by the master key."""

import hmac
import os
from functools import cached_property
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from vpsctl.errors import Failed
from vpsctl.vault.key import derive, read_key
from vpsctl.vault.sealed import NONCE, Sealed
from vpsctl.vault.sealed import binding as bind

FORMAT = "vpsctl/vault/v1"


class Vault:
    """Encrypts and decrypts with one master key, read from its file on first use."""

    def __init__(self, key_file: Path) -> None:
        self._key_file = key_file

    @cached_property
    def _key(self) -> bytes:
        return read_key(self._key_file)

    @cached_property
    def key_id(self) -> str:
        """Names the master key without telling anything of it: 16 hex digits, stored beside each value."""
        return hmac.digest(derive(self._key, "key-id"), b"vpsctl", sha256).hex()[:16]

    def encrypt(self, plaintext: bytes, *, binding: bytes) -> Sealed:
        """`plaintext` sealed to `binding` (see `sealed.binding`): it opens only with the same one."""
        data_key = AESGCM.generate_key(256)
        key_nonce, nonce = os.urandom(NONCE), os.urandom(NONCE)
        wrapped = self._wrapper.encrypt(key_nonce, data_key, self._bound("key", binding))
        ciphertext = AESGCM(data_key).encrypt(nonce, plaintext, self._bound("data", binding))
        return Sealed(self.key_id, key_nonce, wrapped, nonce, ciphertext)

    def decrypt(self, sealed: Sealed, *, binding: bytes) -> bytes:
        """The plaintext. Raises Failed when another master key sealed it, or when a byte or its place was changed."""
        if sealed.key_id != self.key_id:
            raise Failed(
                f"a stored value was encrypted with master key {sealed.key_id}, and {self._key_file} is {self.key_id}",
                hint=f"put master key {sealed.key_id} back at {self._key_file}",
            )
        try:
            data_key = self._wrapper.decrypt(sealed.key_nonce, sealed.wrapped_key, self._bound("key", binding))
            return AESGCM(data_key).decrypt(sealed.nonce, sealed.ciphertext, self._bound("data", binding))
        except (InvalidTag, ValueError) as error:  # ValueError: a nonce or key of the wrong length
            message = "a stored value was altered or moved, and the vault refuses to open it"
            raise Failed(message, hint="set the credential again, or restore the database from a backup") from error

    def fingerprint(self, text: str) -> str:
        """16 hex digits that are equal for equal texts, and cannot be guessed back without the master key."""
        return hmac.digest(derive(self._key, "fingerprint"), text.encode("utf-8", "surrogatepass"), sha256).hex()[:16]

    @cached_property
    def _wrapper(self) -> AESGCM:
        return AESGCM(derive(self._key, "wrap"))

    def _bound(self, what: str, binding: bytes) -> bytes:
        return bind(FORMAT, what, self.key_id) + binding
