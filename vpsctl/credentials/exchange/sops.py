"""SOPS documents encrypted to age, opened without the `sops` program: values, their places and the MAC. Pure.

Each value is AES-256-GCM under the document's data key, with its path ("db:password:") as associated data, so that none
opens in another place; the MAC is SHA-512 over all values in their order, sealed the same way with the date of the last
change as associated data. Sources: getsops/sops 3.13, sops.go, aes/cipher.go, stores/stores.go.
"""

import base64
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha512
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from vpsctl import age
from vpsctl.credentials.exchange.found import Unusable, shown
from vpsctl.credentials.exchange.sops_text import Scalar, canonical, read_tree
from vpsctl.errors import Failed, Invalid, VpsctlError
from vpsctl.secret import Secret

KEY_SIZE = 32
TAG = 16
ONLY_ENCRYPTED = bytes.fromhex("8a3fd2ad54ce66527b1034f3d147be0b0b975b3bf44f72c6fdadec8176f27d69")
"""What the MAC begins with in documents whose MAC covers the encrypted values alone (sops.go)."""
OTHERS = ("kms", "gcp_kms", "hckms", "azure_kv", "hc_vault", "pgp", "key_groups")
"""Where the metadata keeps the data key for holders of keys that are not age's."""
OPEN = "is not encrypted in it"
_PART = r"([A-Za-z0-9+/]+={0,2})"
_SEALED = re.compile(rf"ENC\[AES256_GCM,data:{_PART},iv:{_PART},tag:{_PART},type:([a-z]+)\]")
_TOLD = {"int": "a number", "float": "a number", "bool": "true or false", "time": "a date", "bytes": "binary"}
_ASK_SOPS = "install the sops program, which vpsctl uses where it is, or re-encrypt to age: sops --help"
_DAMAGED = "take it from where it was encrypted, or ask who changed it: sops -d FILE"


@dataclass(frozen=True)
class _Rules:
    """Which values are encrypted: told by the names on their path."""

    matches: Callable[[str], bool]
    encrypted: bool
    """What a match says."""
    mac_only_encrypted: bool

    def sealed(self, path: Sequence[str]) -> bool:
        return any(map(self.matches, path)) is self.encrypted


@dataclass(frozen=True)
class _Walk:
    key: AESGCM
    rules: _Rules
    hashed: Any = field(default_factory=sha512)


def has_age(text: str, form: str) -> bool:
    """Whether the data key is there for somebody's age key. Raises Invalid for what is no SOPS document."""
    return bool(_age_keys(read_tree(text, form)[1]))


def open_sops(text: str, form: str, identities: Sequence[Secret]) -> dict[str, Any]:
    """The document in `form` (json, yaml, dotenv), with what is no text as `Unusable`, and what is not encrypted.

    SOPS holds only what it encrypts in its place: anybody can give an open value another name, and the MAC still matches.
    Raises Invalid when it is none, or needs what only the sops program can; Failed when none of the identities opens
    it, or when a value was changed, moved, added or removed since it was encrypted.
    """
    values, metadata = read_tree(text, form)
    walk = _Walk(AESGCM(_data_key(metadata, identities)), _rules(metadata))
    if walk.rules.mac_only_encrypted:
        walk.hashed.update(ONLY_ENCRYPTED)
    opened = _branch(walk, values, ())
    _check_mac(walk, metadata)
    return opened


def withhold_open(text: str, form: str, opened: Any) -> Any:
    """What the sops program printed of the same document, with what is not encrypted in it as `Unusable` too."""
    return _withheld(read_tree(text, form)[0], opened)


def _withheld(tree: Any, opened: Any) -> Any:
    if isinstance(tree, Mapping) and isinstance(opened, Mapping):
        return {name: _withheld(tree.get(name), item) for name, item in opened.items()}
    sealed = isinstance(tree, Scalar) and (_SEALED.fullmatch(tree.text) or not tree.text)
    return opened if sealed or not isinstance(opened, str) else Unusable(OPEN)


def _data_key(metadata: Mapping[str, Any], identities: Sequence[Secret]) -> bytes:
    sealed = _age_keys(metadata)
    if not sealed:
        told = " and ".join(name for name in OTHERS if metadata.get(name)) or "nobody"
        raise Invalid(f"it is not encrypted to an age key, but to {told}", hint=_ASK_SOPS)
    refusal: VpsctlError | None = None
    for text in sealed:
        try:
            key = age.decrypt(text.encode(), identities=identities)
        except Failed as error:
            refusal = error
            continue
        if len(key) != KEY_SIZE:
            raise Failed("its data key is damaged: sops cannot open it either", hint=_DAMAGED)
        return key
    assert refusal is not None
    raise Failed("none of the identities opens it", hint="give the age key it is encrypted to: --identity FILE") from refusal


def _age_keys(metadata: Mapping[str, Any]) -> list[str]:
    listed = metadata.get("age")
    found = [item.get("enc") for item in listed if isinstance(item, Mapping)] if isinstance(listed, list) else []
    return [enc.text for enc in found if isinstance(enc, Scalar)]


def _text(metadata: Mapping[str, Any], name: str) -> str:
    value = metadata.get(name)
    return value.text if isinstance(value, Scalar) else ""


def _rules(metadata: Mapping[str, Any]) -> _Rules:
    """Raises Invalid for the rules that look at comments, which no reader here keeps."""
    if _text(metadata, "encrypted_comment_regex") or _text(metadata, "unencrypted_comment_regex"):
        raise Invalid("its comments say which values are encrypted, and only sops itself reads those", hint=_ASK_SOPS)
    only = _text(metadata, "mac_only_encrypted").lower() == "true"
    given = [name for name in _MATCHERS if _text(metadata, name)]
    if len(given) > 1:
        raise Invalid(f"it has {' and '.join(given)}, of which sops takes one", hint=_DAMAGED)
    name = given[0] if given else "unencrypted_suffix"
    try:
        matches = _MATCHERS[name](_text(metadata, name) or "_unencrypted")
    except re.error:
        raise Invalid(f"its {name} is no regular expression that can be read here", hint=_ASK_SOPS) from None
    return _Rules(matches, name.startswith("encrypted"), only)


def _suffix(end: str) -> Callable[[str], bool]:
    return lambda name: name.endswith(end)


def _regex(pattern: str) -> Callable[[str], bool]:
    compiled = re.compile(pattern)
    return lambda name: compiled.search(name) is not None


_MATCHERS: Mapping[str, Callable[[str], Callable[[str], bool]]] = {
    "unencrypted_suffix": _suffix,
    "encrypted_suffix": _suffix,
    "unencrypted_regex": _regex,
    "encrypted_regex": _regex,
}


def _branch(walk: _Walk, tree: Mapping[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    return {name: _value(walk, item, (*path, name)) for name, item in tree.items()}


def _value(walk: _Walk, item: Any, path: tuple[str, ...]) -> Any:
    if isinstance(item, Mapping):
        return _branch(walk, item, path)
    if isinstance(item, list):
        return [_value(walk, part, path) for part in item]  # a place in a list is no part of the path
    assert isinstance(item, Scalar)
    if item.kind == "null":
        return None
    sealed = walk.rules.sealed(path)
    scalar = _opened(walk.key, item, path) if sealed else item
    if sealed or not walk.rules.mac_only_encrypted:
        walk.hashed.update(scalar.text.encode("utf-8", "replace"))
    if not sealed:
        return Unusable(OPEN)
    return scalar.text if scalar.kind == "str" else Unusable(f"is {_TOLD[scalar.kind]}, not a text")


def _opened(key: AESGCM, item: Scalar, path: tuple[str, ...]) -> Scalar:
    if item.kind != "str":
        raise Failed(f"{shown(path)} must be encrypted and is not: somebody changed it", hint=_DAMAGED)
    if not item.text:  # sops leaves an empty text as it is
        return item
    told = f"{shown(path)} was changed or moved since it was encrypted"
    return _unsealed(key, item.text, "".join(f"{name}:" for name in path), told)


def _unsealed(key: AESGCM, text: str, bound: str, told: str) -> Scalar:
    match = _SEALED.fullmatch(text)
    if match is None:
        raise Failed(told, hint=_DAMAGED)
    try:
        data, nonce, tag = (base64.b64decode(match[place], validate=True) for place in (1, 2, 3))
        if len(tag) != TAG:
            raise ValueError("a shorter tag is easier to forge")
        plaintext = key.decrypt(nonce, data + tag, bound.encode("utf-8", "replace")).decode()
        return canonical(match[4], plaintext)
    except (InvalidTag, ValueError, KeyError):
        raise Failed(told, hint=_DAMAGED) from None  # a cause might quote the value


def _check_mac(walk: _Walk, metadata: Mapping[str, Any]) -> None:
    told = "values were changed, added, removed or put in another order since sops encrypted it: its MAC does not match"
    modified = _text(metadata, "lastmodified").replace("+00:00", "Z")  # as Go writes it
    mac = _unsealed(walk.key, _text(metadata, "mac"), modified, told)
    if not hmac.compare_digest(mac.text.encode(), walk.hashed.hexdigest().upper().encode()):
        raise Failed(told, hint=_DAMAGED)
