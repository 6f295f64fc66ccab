"""The process that talks to the keyring: one JSON request on stdin, one JSON answer on stdout."""

import json
import os
import sys
from typing import Any


def main() -> None:
    request: dict[str, str] = json.load(sys.stdin)
    told = os.dup(1)
    os.dup2(2, 1)  # a backend's library may print where our answer is expected
    try:
        answer = _answer(request)
    except Exception as error:  # backends raise what they like; our parent says it in a sentence
        answer = {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"}
    with os.fdopen(told, "w") as file:
        json.dump(answer, file)


def _answer(request: dict[str, str]) -> dict[str, Any]:
    import keyring

    if request["do"] == "backend":
        return {"backend": _name(keyring.get_keyring())}
    if request["do"] == "get":
        return {"value": keyring.get_password(request["service"], request["username"])}
    if request["do"] == "set":
        keyring.set_password(request["service"], request["username"], request["value"])
    else:
        keyring.delete_password(request["service"], request["username"])
    return {}


def _name(backend: Any) -> str:
    """Of a chain, the first: that is where it writes."""
    chain = list(getattr(backend, "backends", ()))
    return _name(chain[0]) if chain else f"{type(backend).__module__}.{type(backend).__qualname__}"


if __name__ == "__main__":
    main()
