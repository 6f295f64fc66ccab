"""The credentials a compose file asks for, read before it can be interpolated."""

from typing import Any

import yaml


def credentials_named(text: str) -> tuple[str, ...]:
    """The names under `x-vpsctl.secrets`, in order. What is malformed is left to `read_site`, which says it in words."""
    try:
        document: Any = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        return ()
    intent = document.get("x-vpsctl") if isinstance(document, dict) else None
    entries = intent.get("secrets") if isinstance(intent, dict) else None
    names = (
        [entry.get("name") if isinstance(entry, dict) else entry for entry in entries or ()]
        if isinstance(entries, list)
        else []
    )
    return tuple(dict.fromkeys(name for name in names if isinstance(name, str)))
