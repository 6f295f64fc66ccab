"""The master key: one file of 32 random bytes, from which every other key is derived."""

import base64
import binascii
import os
from functools import lru_cache
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from vpsctl import private_file
from vpsctl.errors import Invalid

SIZE = 32
FEWEST_VALUES = 16
"""Different byte values in a key: 32 random bytes have fewer than this about once in 10^12 keys."""


def create_key(path: Path) -> bool:
    """Write a new master key (base64, 0600) unless there is a file already; True when it was written."""
    return private_file.write_new(path, base64.b64encode(os.urandom(SIZE)) + b"\n")


def read_key(path: Path) -> bytes:
    """The 32 bytes of the master key, which the file holds raw or in base64.

    Raises NotFound when it is missing; Invalid when others may read it, or when it is no key of 32 random bytes.
    """
    data = private_file.read(path, "master key")
    key = data if len(data) == SIZE else _decoded(data)
    if key is None or len(key) != SIZE:
        raise Invalid(f"the master key at {path} is not {SIZE} bytes, raw or in base64", hint="put the right key file back")
    if len(set(key)) < FEWEST_VALUES:
        raise Invalid(f"the master key at {path} is not random", hint="put the right key file back")
    return key


def _decoded(data: bytes) -> bytes | None:
    try:
        return base64.b64decode(data.strip(), validate=True)
    except binascii.Error:
        return None


@lru_cache(maxsize=16)
def derive(key: bytes, purpose: str) -> bytes:
    """A key of 32 bytes for one purpose only (HKDF-SHA256), so that none is used for two things."""
    return HKDF(algorithm=SHA256(), length=SIZE, salt=None, info=f"vpsctl/{purpose}/v1".encode()).derive(key)
