"""The rules of any text, and the kinds that are nothing but text: password and token."""

import json
import secrets
from collections.abc import Mapping
from typing import Any
from unicodedata import category

from vpsctl.errors import Invalid

LARGEST = 64 * 1024
"""Bytes. Linux takes an environment variable of at most 128 KiB."""
HINT = "give a text of 1 byte to 64 KiB without NUL"


def check_text(text: str) -> str:
    """What every value must be: UTF-8 text of 1 byte to 64 KiB without NUL. Raises Invalid."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise Invalid("the value is not UTF-8 text", hint=HINT) from None  # the cause quotes the value
    if not text or "\x00" in text or size > LARGEST:
        reason = "is empty" if not text else "holds a NUL byte" if "\x00" in text else "is over 64 KiB"
        raise Invalid(f"the value {reason}", hint=HINT)
    return text


def check_line(text: str) -> str:
    """A text that goes into a header or a URL: without line breaks and other control characters. Raises Invalid."""
    if any(category(character) == "Cc" for character in text):
        raise Invalid(
            "the value holds a line break or another control character",
            hint="give one line of text; of a file, only the line that holds the value",
        )
    return text


def make_text(_old: str | None = None) -> str:
    """A new random value: 43 characters that need no quoting anywhere, not even in a URL."""
    while (value := secrets.token_urlsafe(32)).startswith("-"):  # which a program might take for an option
        pass
    return value


def read_object(text: str, hint: str) -> dict[str, Any]:
    """The JSON object that `text` is. Raises Invalid, with `hint`."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise Invalid("the value is not JSON", hint=hint) from None
    if not isinstance(document, dict):
        raise Invalid("the value is JSON, but not an object", hint=hint)
    return document


def write_object(fields: Mapping[str, str]) -> str:
    """The canonical text of kinds that are kept as JSON."""
    return json.dumps(dict(fields), sort_keys=True, ensure_ascii=False)
