"""The formats that credentials come in from elsewhere: told apart, and taken to entries with a name each. Pure."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from vpsctl.credentials.exchange.found import Found, Leaf, leaves
from vpsctl.credentials.exchange.json_text import parse_json
from vpsctl.errors import Invalid
from vpsctl.secret import Secret
from vpsctl.variables.dotenv import parse_dotenv

FORMATS = ("dotenv", "json", "vault", "infisical", "doppler", "bitwarden", "sops", "vpsctl")
OURS = "vpsctl-credentials"
OUR_VERSION = 1
_SOPS_YAML = re.compile(r"^sops:[ \t]*\r?$", re.MULTILINE)
_SOPS_DOTENV = re.compile(r"^sops_mac=", re.MULTILINE)
_DOPPLER = frozenset({"DOPPLER_CONFIG", "DOPPLER_ENVIRONMENT", "DOPPLER_PROJECT"})
"""What Doppler adds to every download, and is no secret of anybody's."""


def recognise(text: str) -> str:
    """Which of FORMATS the text is in; whatever is neither JSON nor of SOPS passes for a .env file."""
    if not text.lstrip("\ufeff \t\r\n").startswith(("{", "[")):
        return "sops" if _SOPS_YAML.search(text) or _SOPS_DOTENV.search(text) else "dotenv"
    document = parse_json(text.lstrip("\ufeff"))
    if isinstance(document, list):
        return "bitwarden" if all(_is_bitwarden(item) for item in document) else "infisical"
    return _recognise_object(document)


def _recognise_object(document: Mapping[str, Any]) -> str:
    if document.get("format") == OURS:
        return "vpsctl"
    if isinstance(document.get("sops"), dict) and "mac" in document["sops"]:
        return "sops"
    if "request_id" in document and "lease_duration" in document and "data" in document:
        return "vault"
    if _is_bitwarden(document):
        return "bitwarden"
    return "doppler" if document.keys() >= _DOPPLER else "json"


def _is_bitwarden(item: Any) -> bool:
    return isinstance(item, dict) and item.keys() >= {"organizationId", "key", "value"}


def sops_form(text: str) -> str:
    """json, yaml or dotenv: what a SOPS document is written in."""
    if text.lstrip().startswith("{"):
        return "json"
    return "dotenv" if _SOPS_DOTENV.search(text) else "yaml"


def read_entries(text: str, form: str) -> tuple[Leaf, ...]:
    """Every entry of a document in `form` (dotenv, json, vault, infisical, doppler, bitwarden).

    Raises Invalid when it is not in that format; names and lines may be told, values never are.
    """
    if form == "dotenv":
        return tuple(_entry((name,), value) for name, value in parse_dotenv(text, "the file", {}).items())
    document = parse_json(text.removeprefix("\ufeff"))
    if form in ("infisical", "bitwarden"):
        return tuple(_listed(document, form))
    if not isinstance(document, dict):
        raise Invalid('it is JSON, but no object such as {"NAME": "value"}', hint="say what it is by --format")
    if form == "vault":
        document = _vault(document)
    if form == "doppler":
        document = {name: value for name, value in document.items() if name not in _DOPPLER}
    return tuple(leaves(document))


def _entry(path: tuple[str, ...], value: Secret) -> Leaf:
    return Leaf(path, value if value.reveal() else "is empty")


def _listed(document: Any, form: str) -> Iterator[Leaf]:
    """[{"key": …, "value": …}, …] with more beside: `infisical export --format=json` and `bws secret list`."""
    items = document if isinstance(document, list) else [document]
    for number, item in enumerate(items, 1):
        if not isinstance(item, dict) or not isinstance(item.get("key"), str) or "value" not in item:
            raise Invalid(f"entry {number} has no key and value, as those of {form} do", hint="say what it is by --format")
        yield from leaves({item["key"]: item["value"]})


def _vault(document: Mapping[str, Any]) -> dict[str, Any]:
    """`vault kv get -format=json`: `data` holds the secret in version 1, and `data.data` beside metadata in version 2."""
    data = document.get("data")
    if isinstance(data, dict) and data.keys() == {"data", "metadata"} and isinstance(data["metadata"], dict):
        data = data["data"]
        if data is None:
            hint = "vault kv undelete, or vault kv get -version=N"
            raise Invalid("that version of the secret was deleted in Vault: it holds no data", hint=hint)
    if not isinstance(data, dict):
        raise Invalid("it is not what vault kv get -format=json prints", hint="say what it is by --format")
    return data


def read_export(text: str) -> tuple[Found, ...]:
    """The credentials of our own export, with all that it says of them. Raises Invalid for another version of it."""
    document = parse_json(text)
    if not isinstance(document, dict) or document.get("format") != OURS:
        raise Invalid("it is not what vpsctl cred export wrote", hint="say what it is by --format")
    if document.get("version") != OUR_VERSION:
        hint = "import it with the vpsctl that wrote it, or a newer one"
        raise Invalid(f"it is version {document.get('version')!r} of the format, not {OUR_VERSION}", hint=hint)
    try:
        return tuple(_ours(item) for item in document["credentials"])
    except (KeyError, TypeError, ValueError, AttributeError):  # a cause might quote a value
        raise Invalid("it is not whole: an entry lacks what vpsctl cred export writes", hint="export it again") from None


def _ours(item: Mapping[str, Any]) -> Found:
    expires = item["expires_at"]
    return Found(
        name=str(item["name"]),
        value=Secret(_text(item["value"])),
        kind=str(item["kind"]),
        guessed=False,
        source=str(item["name"]),
        project=item["project"] and str(item["project"]),
        description=str(item["description"]),
        details={str(key): _text(value) for key, value in item["details"].items()},
        expires_at=expires and datetime.fromisoformat(expires),
        rotate_every=item["rotate_every"] and int(item["rotate_every"]),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("no text")
    return value
