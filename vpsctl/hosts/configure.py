"""Writing settings into the settings file, so that every later command knows them."""

import json
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from vpsctl.errors import Failed, Invalid
from vpsctl.secret import Secret
from vpsctl.settings import Settings, load_settings

Value = str | int | Secret


def configure(path: Path, changes: Mapping[str, Value]) -> bool:
    """Set these keys in the settings file (0600, made when missing); its other lines stay. True when it changed.

    The new file is checked before it takes the old one's place: raises Invalid naming the key, and nothing changed.
    """
    try:
        before = path.read_text() if path.exists() else ""
        after = with_keys(before, changes)
        if after == before:
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, after)
    except OSError as error:
        raise Failed(
            f"cannot write the settings to {path}: {error.strerror}", hint="run as root, or set VPSCTL_CONFIG"
        ) from error
    return True


def with_keys(text: str, changes: Mapping[str, Value]) -> str:
    """The TOML text with each `key = value` line replaced, or added at the end. Settings have no tables."""
    lines = text.splitlines()
    for key, value in changes.items():
        plain = value.reveal() if isinstance(value, Secret) else value
        line = f"{key} = {json.dumps(plain, ensure_ascii=False)}"  # a JSON string or number is one in TOML
        place = next((index for index, old in enumerate(lines) if re.match(rf"\s*{key}\s*=", old)), None)
        if place is None:
            lines.append(line)
        else:
            lines[place] = line
    return "".join(f"{line}\n" for line in lines)


def _replace(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        load_settings({"VPSCTL_CONFIG": str(draft)})
        draft.rename(path)
    finally:
        draft.unlink(missing_ok=True)


def check_in_force(settings: Settings, changes: Mapping[str, Value]) -> None:
    """Raises Invalid when a variable of the environment overrides what was just written."""
    for key, value in changes.items():
        if getattr(settings, key) != value:
            name = f"VPSCTL_{key.upper()}"
            raise Invalid(f"{key} was written to the settings, but ${name} says otherwise", hint=f"unset {name}")
