"""Try an SSH key with the machine's own ssh."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from vpsctl.credentials.kinds.url import split_url
from vpsctl.credentials.probe.outcome import Outcome, needed, sentence, silent
from vpsctl.errors import Unavailable

NOT_LET_IN = 255
"""ssh's own exit code; any other one is the remote command's, so the key was taken (ssh(1), EXIT STATUS)."""


def try_ssh(key: str, details: Mapping[str, str], seconds: float) -> Outcome:
    """Runs `true` on the host that the url names. `known_hosts` is the file that keeps host keys; without it none is kept.

    Raises Invalid without a url, Unavailable without ssh.
    """
    url = needed(details, "url", "give --url ssh://user@host or ssh://user@host:port")
    parts = split_url(url)
    where = f"{parts.username}@{parts.hostname}"
    with _key_file(key) as path:
        argv = ["ssh", "-F", "/dev/null", "-T", "-i", path, *_options(details.get("known_hosts", os.devnull), seconds)]
        argv += ["-p", str(parts.port or 22), "-l", str(parts.username), "--", str(parts.hostname), "true"]
        try:
            done = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return silent(where, seconds)
        except FileNotFoundError:
            raise Unavailable("there is no ssh on this machine", hint="apt install openssh-client") from None
    if done.returncode != NOT_LET_IN:
        return Outcome(True, f"{where} took the key")
    told, reached = _reason(done.stderr, seconds)
    return Outcome(False, f"{where}: {told}", reached)


@contextmanager
def _key_file(key: str) -> Iterator[str]:
    """A path to a file in memory that has no name: whatever ends this process, nothing of the key is left behind."""
    descriptor = os.memfd_create("vpsctl-ssh-key")
    try:
        os.fchmod(descriptor, 0o600)  # ssh refuses a key that others could read
        os.write(descriptor, key.encode())
        yield f"/proc/{os.getpid()}/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _options(known_hosts: str, seconds: float) -> list[str]:
    """None of the user's own configuration, keys or agent takes part, and nothing is asked."""
    options = {
        "BatchMode": "yes",
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        "PreferredAuthentications": "publickey",
        "StrictHostKeyChecking": "accept-new",
        "UserKnownHostsFile": f'"{known_hosts}"',
        "GlobalKnownHostsFile": os.devnull,
        "ControlPath": "none",
        "ConnectTimeout": str(max(1, int(seconds))),
        "LogLevel": "ERROR",
    }
    return [word for name, value in options.items() for word in ("-o", f"{name}={value}")]


def _reason(errors: str, seconds: float) -> tuple[str, bool]:
    """(what ssh says, whether the host answered); a changed host key stands above what it leads to."""
    if "REMOTE HOST IDENTIFICATION HAS CHANGED" in errors or "Host key verification failed" in errors:
        return (
            "its host key is not the one it had before; if it was set up anew, remove the old one with ssh-keygen -R",
            True,
        )
    if "Permission denied" in errors:
        return "the key was refused", True
    if "timed out" in errors.lower():
        return f"did not answer within {seconds:g} s", False
    lines = [line for line in errors.splitlines() if line.strip()]
    return f"cannot be reached: {sentence(lines[-1]) if lines else 'ssh does not say why'}", False
