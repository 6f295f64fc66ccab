"""What the master key's file says when the key itself is kept elsewhere: a JSON document that names the provider."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vpsctl.errors import Invalid

KEY_ID = re.compile(r"[0-9a-f]{16}")
HINT = "put the right key file back, or: vpsctl key restore --kit FILE --replace"
Field = str | int
FIELDS: Mapping[str, Mapping[str, type[Field]]] = {
    "systemd": {"credential": str},
    "passphrase": {"salt": str, "memory_kib": int, "iterations": int, "lanes": int},
    "keyring": {"service": str, "username": str},
}
"""Provider to what its document holds beside `provider` and `key_id`."""


@dataclass(frozen=True)
class Document:
    provider: str
    key_id: str
    fields: Mapping[str, Field]
    """As FIELDS has them."""

    def text(self, name: str) -> str:
        return str(self.fields[name])

    def number(self, name: str) -> int:
        return int(self.fields[name])


def write_document(document: Document) -> bytes:
    plain = {"provider": document.provider, **document.fields, "key_id": document.key_id}
    return json.dumps(plain, indent=2).encode() + b"\n"


def read_document(data: bytes, path: Path) -> Document:
    """The document in the file at `path`. Raises Invalid, saying what of it is wrong."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise _damaged(path, "it is no JSON") from None
    provider = found.pop("provider", None) if isinstance(found, dict) else None
    if not isinstance(provider, str) or provider not in FIELDS:
        raise _damaged(path, f"its provider must be one of {', '.join(FIELDS)}")
    key_id = found.pop("key_id", None)
    if not isinstance(key_id, str) or not KEY_ID.fullmatch(key_id):
        raise _damaged(path, "its key_id must be 16 hex digits")
    wanted = FIELDS[provider]
    if set(found) != set(wanted) or any(type(found[name]) is not kind for name, kind in wanted.items()):
        names = ", ".join(f"{name} ({'text' if kind is str else 'a number'})" for name, kind in wanted.items())
        raise _damaged(path, f"for {provider} it must hold {names}")
    return Document(provider, key_id, found)


def _damaged(path: Path, why: str) -> Invalid:
    return Invalid(f"the document of the master key at {path} is damaged: {why}", hint=HINT)
