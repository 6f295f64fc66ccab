"""The text of a SOPS document (JSON, YAML or dotenv) to a tree, with each scalar as SOPS reads it. Pure.

What SOPS hashes for its MAC is the value that its reader made of the text, so 1.10 counts as "1.1" and true as "True".
Sources: getsops/sops 3.13, stores/{json,yaml,dotenv}/store.go and ToBytes in sops.go.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import yaml

from vpsctl.credentials.exchange.json_text import parse_json
from vpsctl.errors import Invalid

MAX_DEPTH = 50
FLAT = "sops_"
"""Before each name of the metadata in a dotenv file, where `__map_` and `__list_` stand between its parts."""
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_REAL = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:Z|[-+][0-9]{2}:[0-9]{2})")
_NULLS = ("", "~", "null", "Null", "NULL")
_TRUTHS = {"true": "True", "True": "True", "TRUE": "True", "false": "False", "False": "False", "FALSE": "False"}
_TAG = "tag:yaml.org,2002:"
_PLACE = re.compile(r"__(map|list)_")


@dataclass(frozen=True)
class Scalar:
    kind: str
    """str, int, float, bool, time, bytes or null."""
    text: str
    """As SOPS hashes it."""


Tree = Mapping[str, Any] | list[Any] | Scalar


def read_tree(text: str, form: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """(what is encrypted, SOPS's own metadata) of a document in `form`: json, yaml or dotenv. Raises Invalid."""
    if form == "dotenv":
        return _dotenv(text)
    document = _tree(parse_json(text, integer=_json_integer, real=_json_real)) if form == "json" else _yaml(text)
    if not isinstance(document, dict) or not isinstance(document.get("sops"), dict):
        raise Invalid("it is no document that sops has encrypted", hint="import it without --format sops")
    metadata = document.pop("sops")
    return document, metadata


def canonical(kind: str, text: str) -> Scalar:
    """A value of one of SOPS's types from the text of it. Raises ValueError, KeyError when it is none."""
    if kind == "int":
        return Scalar(kind, str(int(text)))
    if kind == "float":
        return Scalar(kind, _real(text))
    if kind == "bool":
        return Scalar(kind, _TRUTHS[text])
    if kind not in ("str", "time", "bytes"):
        raise ValueError("no type of SOPS")
    return Scalar(kind, text)


def _real(text: str) -> str:
    """As Go's FormatFloat(…, 'f', -1, 64) writes it: the shortest digits, without an exponent."""
    number = float(text.replace(".inf", "inf").replace(".Inf", "inf").replace(".nan", "nan").replace(".NaN", "nan"))
    if not math.isfinite(number):
        return {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}[repr(number)]
    return format(Decimal(repr(number)), "f").removesuffix(".0")


def _whole(text: str) -> Scalar:
    """Go's int has 64 bits; beyond them it is a float."""
    number = int(text) if len(text) < 25 else 1 << 64
    return Scalar("int", str(number)) if -(1 << 63) <= number < 1 << 63 else Scalar("float", _real(text))


def _json_integer(text: str) -> Scalar:
    return _whole(text)


def _json_real(text: str) -> Scalar:
    return Scalar("float", _real(text))


def _tree(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _tree(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_tree(item) for item in value]
    if isinstance(value, bool):
        return Scalar("bool", str(value))
    if value is None:
        return Scalar("null", "")
    return value if isinstance(value, Scalar) else Scalar("str", value)


def _yaml(text: str) -> Any:
    try:
        documents = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise Invalid(f"line {line} is not YAML", hint="correct it") from None  # the error quotes the text
    except (yaml.YAMLError, RecursionError):
        raise Invalid("it is not YAML, or nested too deep", hint="correct it") from None
    if len(documents) != 1:
        raise Invalid(f"it has {len(documents)} YAML documents, not one", hint="split it: one file for each")
    return _node(documents[0], set(), 0)


def _node(node: Any, above: set[int], depth: int) -> Any:
    if depth > MAX_DEPTH or id(node) in above:
        raise Invalid("it is nested too deep", hint="make it flat")
    inside = above | {id(node)}
    if isinstance(node, yaml.ScalarNode):
        return _yaml_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return [_node(item, inside, depth + 1) for item in node.value]
    found: dict[str, Any] = {}
    for key, item in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.value in found:
            raise Invalid(f"line {key.start_mark.line + 1}: this name is no text, or stands there twice", hint="correct it")
        found[key.value] = _node(item, inside, depth + 1)
    return found


def _yaml_scalar(node: yaml.ScalarNode) -> Scalar:
    """As go-yaml 3 takes it, for what it writes itself: `yes`, `0x1F` and `1:30` it would have written otherwise."""
    text = str(node.value)
    if node.style is not None or node.tag == f"{_TAG}binary":
        return Scalar("str", text)
    if text in _NULLS:
        return Scalar("null", "")
    if text in _TRUTHS:
        return Scalar("bool", _TRUTHS[text])
    if _INTEGER.fullmatch(text):
        return _whole(text)
    if _REAL.fullmatch(text):
        return Scalar("float", _real(text))
    return Scalar("time" if _MOMENT.fullmatch(text) else "str", text)


def _dotenv(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Every line is NAME=value to its end, with `\\n` for a line break, or begins with #; nothing is quoted."""
    values: dict[str, Any] = {}
    metadata: dict[str, Any] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or name in values:
            problem = "stands there twice" if equals else "is not NAME=value"
            raise Invalid(f"line {number} {problem}", hint="correct it")
        scalar = Scalar("str", value.replace("\\n", "\n"))
        if name.startswith(FLAT):
            metadata[name.removeprefix(FLAT)] = scalar
        else:
            values[name] = scalar
    if not metadata:
        raise Invalid("it is no document that sops has encrypted", hint="import it without --format sops")
    return values, _unflattened(metadata)


def _unflattened(flat: Mapping[str, Scalar]) -> dict[str, Any]:
    """{"age__list_0__map_enc": x} to {"age": [{"enc": x}]}; what does not fit together is left out."""
    root: dict[str, Any] = {}
    for name, scalar in flat.items():
        parts = _PLACE.split(name)
        at: Any = root
        for kind, step in zip(parts[1::2], parts[:-1:2], strict=True):
            at = at.setdefault(step, {}) if isinstance(at, dict) else {}
            del kind
        if isinstance(at, dict):
            at[parts[-1]] = scalar
    return {key: _listed(value) for key, value in root.items()}


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(key.isdigit() for key in value):
        return [_listed(value[key]) for key in sorted(value, key=int)]
    return {key: _listed(item) for key, item in value.items()}
