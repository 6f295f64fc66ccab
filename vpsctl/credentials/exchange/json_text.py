"""JSON text to a document whose objects have each name once. Pure."""

import json
from collections.abc import Callable
from typing import Any

from vpsctl.errors import Invalid

Number = Callable[[str], Any]


def parse_json(text: str, *, integer: Number = int, real: Number = float) -> Any:
    """The document. Raises Invalid with line and column, never with what stands there."""
    try:
        return json.loads(text, object_pairs_hook=_once, parse_int=integer, parse_float=real, parse_constant=real)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise Invalid(f"it is not JSON from {where} on: {error.msg}", hint="correct it") from None  # it holds the text
    except (RecursionError, ValueError):  # ValueError: a number of thousands of digits
        raise Invalid("it is JSON that is nested too deep, or has a number that is too long", hint="make it flat") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Invalid(f"it has {ascii(twice)[1:-1]} twice in one object", hint="leave one of them")
    return document
