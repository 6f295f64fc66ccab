"""A master key in the keyring of a desktop session, reached in a process of its own: a D-Bus that hangs is cut off."""

import json
import subprocess
import sys
from typing import Any

from vpsctl.errors import Failed, Unavailable

DEADLINE = 15.0
"""Seconds; a keyring that asks a person to unlock it is one that a server cannot use."""
REASON = "a keyring opens with a desktop session, which a server has not"
INSTEAD = "vpsctl key restore --kit FILE, then: vpsctl key rotate --to systemd, or --to file"


def read(service: str, username: str) -> bytes:
    """What the keyring holds there. Raises Unavailable when no keyring works here, or it has no such entry."""
    why = unavailable()
    if why:
        raise Unavailable(f"the master key is in a keyring, and none can be used here: {why}", hint=INSTEAD)
    found = _ask(do="get", service=service, username=username)["value"]
    if found is None:
        raise Unavailable(f"the keyring has no entry {service}/{username}", hint=INSTEAD)
    return str(found).encode()


def unavailable() -> str | None:
    """Why no key can be kept in a keyring here; None when one can."""
    try:
        backend = str(_ask(do="backend")["backend"])
    except Unavailable as error:
        return error.message
    if backend.startswith(("keyring.backends.fail.", "keyring.backends.null.")):
        return f"Python's keyring finds none ({backend}); {REASON}"
    if backend.startswith("keyrings.alt.") or "plaintext" in backend.lower():
        return f"{backend} keeps what it is given in a file that it does not protect; {REASON}"
    return None


def store(service: str, username: str, data: bytes) -> None:
    """Raises Unavailable when the keyring refuses it, Failed when it does not give back what it was given."""
    text = data.decode().strip()
    _ask(do="set", service=service, username=username, value=text)
    if _ask(do="get", service=service, username=username)["value"] != text:
        raise Failed("the keyring did not keep the master key", hint="vpsctl key providers")


def forget(service: str, username: str) -> None:
    """Remove the entry, if there is a keyring and it is in it."""
    if unavailable() is None and _ask(do="get", service=service, username=username)["value"] is not None:
        _ask(do="delete", service=service, username=username)


def _ask(**request: str) -> dict[str, Any]:
    """One question to the keyring; the secret goes through pipes. -I: nothing of the working directory is imported."""
    argv = [sys.executable, "-I", "-m", "vpsctl.vault.providers.keyring_process"]
    try:
        done = subprocess.run(argv, input=json.dumps(request).encode(), capture_output=True, check=False, timeout=DEADLINE)
        answer: dict[str, Any] = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"the keyring did not answer within {DEADLINE:.0f} s", hint=INSTEAD) from None
    except ValueError:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or [f"exit code {done.returncode}"]
        raise Unavailable(f"the keyring cannot be asked: {lines[-1]}", hint=INSTEAD) from None
    if "error" in answer:
        raise Unavailable(f"the keyring refuses: {answer['error']}", hint=INSTEAD)
    return answer
