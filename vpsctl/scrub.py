"""Texts made fit to be stored: known secrets taken out in each form they leak in, and bytes that Postgres refuses."""

import base64
import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from vpsctl.secret import Secret, redact

SHORTEST = 4
"""Characters a secret must have to be replaced at all, as in `redact`."""
SHORTEST_LINE = 8
"""Characters a line of a secret must have to be replaced on its own: "{" and "-----" are no secrets."""


class Scrubber:
    """Remembers secrets and takes them out of texts."""

    def __init__(self) -> None:
        self._secrets: set[Secret] = set()

    def add(self, secrets: Iterable[Secret]) -> None:
        self._secrets.update(form for secret in secrets for form in _forms(secret.reveal()))

    def text(self, text: str) -> str:
        storable = text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
        return redact(storable, self._secrets)

    def value(self, value: Any) -> Any:
        """A JSON-ready value with every string in it scrubbed, keys included."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(key): self.value(item) for key, item in value.items()}
        return [self.value(item) for item in value] if isinstance(value, list) else value


def _forms(value: str) -> set[Secret]:
    """The value, its longer lines (logs come line by line), and how JSON, URLs and Basic authentication write it."""
    if len(value) < SHORTEST:
        return set()
    lines = {line for line in value.splitlines() if len(line.strip()) >= SHORTEST_LINE}
    forms = {value, value.strip(), json.dumps(value)[1:-1], quote(value, safe=""), base64.b64encode(value.encode()).decode()}
    return {Secret(form) for form in forms | lines if form}
