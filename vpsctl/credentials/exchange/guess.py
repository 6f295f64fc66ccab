"""What kind a value is, by its looks. Pure."""

import json
import re

from vpsctl.credentials.kinds.check import check_value
from vpsctl.credentials.kinds.url import SCHEMES
from vpsctl.errors import Invalid
from vpsctl.secret import Secret

_PRIVATE_KEY = re.compile(r"\s*-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----\r?\n")


def guess_kind(value: Secret) -> str:
    """ssh-key for a private key, service-account for Google's JSON, url for a connection URL, else password.

    A guess that the kind itself would refuse is none.
    """
    kind = _guess(value.reveal())
    try:
        check_value(kind, value)
    except Invalid:
        return "password"
    return kind


def _guess(text: str) -> str:
    if _PRIVATE_KEY.match(text):
        return "ssh-key"
    if text.lstrip().startswith("{") and _is_service_account(text):
        return "service-account"
    return "url" if text.partition("://")[0] in SCHEMES else "password"


def _is_service_account(text: str) -> bool:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and document.get("type") == "service_account"
