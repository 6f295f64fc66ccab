"""What a compose file says of itself before it can be interpolated: its name, services and domains."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from vpsctl.errors import Invalid


@dataclass(frozen=True)
class Outline:
    name: str | None
    project: str | None
    services: tuple[str, ...]
    domains: tuple[str, ...]


def outline(text: str) -> Outline:
    """Raises Invalid when it is no YAML mapping with services; everything else is left to `read_site`."""
    try:
        document: Any = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Invalid(
            f"compose.yaml is not YAML: {' '.join(str(error).split())}", hint="correct it and try again"
        ) from error
    if not isinstance(document, Mapping) or not isinstance(document.get("services"), Mapping):
        raise Invalid("compose.yaml has no services", hint="vpsctl site new NAME --template base writes one to start from")
    intent = document.get("x-vpsctl")
    intent = intent if isinstance(intent, Mapping) else {}
    web = intent.get("web")
    domains = web.get("domains") if isinstance(web, Mapping) else None
    return Outline(
        _text(document.get("name")),
        _text(intent.get("project")),
        tuple(str(name) for name in document["services"]),
        tuple(str(item) for item in domains) if isinstance(domains, list) else (),
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and "$" not in value else None
