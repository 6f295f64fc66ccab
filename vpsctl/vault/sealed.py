"""An encrypted value as it is stored, and the bytes that bind it to its place."""

from dataclasses import dataclass
from typing import Any

from vpsctl.errors import Failed

MAGIC = b"vpsctl\x01"
"""Marks the format of `pack`; its last byte is the format's version."""
NONCE = 12
KEY_ID = 16
WRAPPED = 48
"""A data key of 32 bytes and its GCM tag of 16."""


@dataclass(frozen=True)
class Sealed:
    """AES-256-GCM under a data key of its own, which the master key wraps."""

    key_id: str
    """Which master key: 16 hex digits."""
    key_nonce: bytes
    wrapped_key: bytes
    nonce: bytes
    ciphertext: bytes


def binding(*parts: str | int) -> bytes:
    """Associated data out of what a value belongs to; each part carries its length, so no two lists are alike."""
    encoded = [str(part).encode() for part in parts]
    return b"".join(len(part).to_bytes(4, "big") + part for part in encoded)


def pack(sealed: Sealed) -> bytes:
    """One byte string, for a column of its own."""
    return MAGIC + sealed.key_id.encode() + sealed.key_nonce + sealed.wrapped_key + sealed.nonce + sealed.ciphertext


def unpack(data: bytes) -> Sealed:
    """What `pack` wrote. Raises Failed when it is something else."""
    head = len(MAGIC) + KEY_ID + NONCE + WRAPPED + NONCE
    if not data.startswith(MAGIC) or len(data) < head:
        raise Failed("a stored value is not in the vault's format: it was altered", hint="restore it from a backup")
    cuts: list[Any] = []
    at = len(MAGIC)
    for length in (KEY_ID, NONCE, WRAPPED, NONCE):
        cuts.append(data[at : at + length])
        at += length
    return Sealed(cuts[0].decode("ascii", "replace"), cuts[1], cuts[2], cuts[3], data[at:])
