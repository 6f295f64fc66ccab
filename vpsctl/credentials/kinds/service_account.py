"""Service-account files of Google Cloud, as BigQuery takes them."""

from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from vpsctl.credentials.kinds.text import read_object
from vpsctl.errors import Invalid

HINT = "give the JSON key file that Google Cloud's console made for the service account: --from-file key.json"
NEEDED = ("client_email", "private_key", "project_id", "token_uri")
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def check_service_account(text: str) -> str:
    """The document as it was given. Raises Invalid."""
    document = read_object(text, HINT)
    if document.get("type") != "service_account":
        raise Invalid('the value is JSON, but its "type" is not "service_account"', hint=HINT)
    for name in NEEDED:
        if not isinstance(document.get(name), str) or not document[name]:
            raise Invalid(f"the value is a service account without {name}", hint=HINT)
    if "@" not in document["client_email"]:
        raise Invalid("the service account's client_email is no e-mail address", hint=HINT)
    _check_token_uri(document["token_uri"])
    _check_private_key(document["private_key"])
    return text.strip()


def _check_token_uri(text: str) -> None:
    """Who gets the signed assertion must be who it is for: https, but for a stand-in on this machine."""
    try:
        parts = urlsplit(text)
        scheme, host, _ = parts.scheme, parts.hostname, parts.port
    except ValueError:
        scheme, host = "", None
    if not host or (scheme != "https" and not (scheme == "http" and host in LOOPBACK)):
        raise Invalid("the service account's token_uri is no https address", hint=HINT)


def _check_private_key(text: str) -> None:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key: Any = None
    with suppress(ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: it is encrypted
        key = load_pem_private_key(text.encode(), None)
    if not isinstance(key, RSAPrivateKey):
        raise Invalid("the service account's private_key is no RSA key in PEM that can be read", hint=HINT)
