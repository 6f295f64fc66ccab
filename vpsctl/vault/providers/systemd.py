"""A master key that systemd keeps encrypted, and hands to the units that ask for it (systemd.exec(5), Credentials)."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from vpsctl import private_file
from vpsctl.errors import Failed, Invalid, NotFound, Unavailable
from vpsctl.vault.providers.document import HINT

STORE = Path("/etc/credstore.encrypted")
"""Where systemd itself looks for encrypted credentials."""
PROGRAM = "systemd-creds"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
DEADLINE = 30.0
"""Seconds: a TPM may take some."""


def read(name: str, directory: Path | None) -> bytes:
    """What credential `name` holds: from `directory`, which systemd made for this unit, else decrypted by root.

    Raises Unavailable when neither way is there, Invalid for a name or a file that cannot be right.
    """
    if not NAME.fullmatch(name):
        raise Invalid(f"{name!r} is no name of a systemd credential", hint=HINT)
    if directory is not None:
        try:
            # a unit with User= gets it through an ACL, whose mask stands where the group's rights do
            return private_file.read(directory / name, f"systemd credential {name}", forbidden=0o007)
        except NotFound:
            if not _decryptable(name):
                hint = f"add LoadCredentialEncrypted={name}:{STORE / name} to the unit"
                raise Unavailable(f"systemd gave this unit no credential {name}", hint=hint) from None
    if not _decryptable(name):
        raise Unavailable(
            f"the master key is systemd credential {name}, and this command does not run under systemd",
            hint=f"systemd-run --pty --wait -p LoadCredentialEncrypted={name}:{STORE / name} vpsctl …",
        )
    return _run(["decrypt", f"--name={name}", str(STORE / name), "-"], b"", f"decrypt {STORE / name}")


def unavailable() -> str | None:
    """Why no new credential can be made here; None when one can."""
    if shutil.which(PROGRAM) is None:
        return f"there is no {PROGRAM} (systemd 250 or later)"
    return None if os.geteuid() == 0 else "only root can encrypt with the machine's key"


def store(name: str, data: bytes) -> None:
    """Encrypt `data` with this machine's key (and its TPM, where there is one) and write it to systemd's store.

    Raises Failed when systemd does not encrypt, or what it wrote does not open again.
    """
    sealed = _run(["encrypt", f"--name={name}", "-", "-"], data, f"encrypt {name}")
    if _run(["decrypt", f"--name={name}", "-", "-"], sealed, f"decrypt {name}") != data:
        raise Failed(f"systemd credential {name} does not open again", hint="vpsctl key providers")
    STORE.mkdir(mode=0o700, parents=True, exist_ok=True)
    private_file.write(STORE / name, sealed)


def forget(name: str) -> None:
    """Remove it from systemd's store, if it is there."""
    private_file.remove(STORE / name)


def _decryptable(name: str) -> bool:
    return os.geteuid() == 0 and shutil.which(PROGRAM) is not None and (STORE / name).is_file()


def _run(arguments: list[str], data: bytes, what: str) -> bytes:
    try:
        done = subprocess.run([PROGRAM, *arguments], input=data, capture_output=True, check=False, timeout=DEADLINE)
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"{PROGRAM} did not {what} within {DEADLINE:.0f} s", hint="systemctl status") from error
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or [f"exit code {done.returncode}"]
        hint = "was it made on another machine? vpsctl key restore --kit FILE"
        raise Failed(f"{PROGRAM} could not {what}: {lines[-1]}", hint=hint)
    return done.stdout
