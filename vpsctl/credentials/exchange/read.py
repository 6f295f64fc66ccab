"""Read credentials out of another tool's file, or of one that `vpsctl cred export` wrote."""

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vpsctl import age
from vpsctl.credentials.exchange.formats import FORMATS, read_entries, read_export, recognise, sops_form
from vpsctl.credentials.exchange.found import Found, Leaf, choose, leaves
from vpsctl.credentials.exchange.json_text import parse_json
from vpsctl.credentials.exchange.sops import has_age, open_sops, withhold_open
from vpsctl.errors import Failed, Invalid, NotFound, VpsctlError
from vpsctl.secret import Secret

LARGEST = 16 * 1024 * 1024
"""Bytes of a file."""
SOPS_SECONDS = 120
"""For the sops program, which may ask a key server."""


@dataclass(frozen=True)
class Keys:
    """What opens an encrypted file."""

    identities: Sequence[Secret] = ()
    """Texts of age identity files, or SSH private keys."""
    passphrase: Secret | None = None


NONE = Keys()


def read_credentials_file(
    path: Path, *, form: str | None = None, only: Sequence[str] = (), keys: Keys = NONE
) -> tuple[Found, ...]:
    """The credentials in a file, those of `only` or all, for `import_credentials`.

    `form`: one of FORMATS; told from the content when None. An age file is opened with `keys` first. A SOPS document is
    opened here when an identity is given and it is encrypted to age, else by the sops program with the keys that it has
    itself. Raises NotFound for the file; Invalid naming every entry that cannot be a credential (then nothing is taken),
    or the place that is wrong; Failed when it stays closed or was changed. No message holds a value.
    """
    if form is not None and form not in FORMATS:
        raise Invalid(f"there is no format {form!r}", hint=f"the formats are {', '.join(FORMATS)}")
    data = _content(path)
    try:
        text = _opened(data, keys)
        form = form or recognise(text)
        if form == "vpsctl":
            return _only(read_export(text), only)
        entries = _sops(path, text, keys) if form == "sops" else read_entries(text, form)
        return choose(entries, only)
    except VpsctlError as error:
        raise type(error)(f"{path}: {error.message}", hint=error.hint) from error


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except FileNotFoundError as error:
        raise NotFound(f"there is no file {path}", hint="give the path of the file to import") from error
    except OSError as error:
        raise Invalid(f"cannot read {path}: {error.strerror}", hint=f"ls -l {path}") from error
    if len(data) > LARGEST:
        raise Invalid(f"{path} is larger than {LARGEST // 1024 // 1024} MiB", hint="split it")
    return data


def _opened(data: bytes, keys: Keys) -> str:
    if age.is_age(data):
        if not keys.identities and keys.passphrase is None:
            raise Invalid("it is encrypted by age", hint="give --identity FILE, or --passphrase")
        data = age.decrypt(data, identities=keys.identities, passphrase=keys.passphrase)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Invalid("it is not UTF-8 text", hint="convert it first, or decrypt it") from None


def _only(found: tuple[Found, ...], only: Sequence[str]) -> tuple[Found, ...]:
    missing = [name for name in only if name not in {item.name for item in found}]
    if missing:
        raise Invalid(f"nothing was imported: there is no {missing[0]}", hint="leave out --only to take all of it")
    if not found:
        raise Invalid("there is nothing in it to import", hint="vpsctl cred list on the machine that exported it")
    return tuple(item for item in found if not only or item.name in only)


def _sops(path: Path, text: str, keys: Keys) -> tuple[Leaf, ...]:
    form = sops_form(text)
    if keys.identities and has_age(text, form):
        return tuple(leaves(open_sops(text, form, keys.identities)))
    if shutil.which("sops") is None:
        hint = "give the age key it is encrypted to: --identity FILE; or install sops, which has other keys too"
        raise Invalid("it is encrypted by sops, and there is nothing to open it with", hint=hint)
    return tuple(leaves(withhold_open(text, form, parse_json(_run_sops(path, text, form)))))


def _run_sops(path: Path, text: str, form: str) -> str:
    """What `sops -d` prints. It verifies the MAC itself. What it says on stderr may quote values, so nobody sees that."""
    argv = ["sops", "-d", "--input-type", form, "--output-type", "json", "/dev/stdin"]
    try:
        done = subprocess.run(argv, input=text.encode(), capture_output=True, timeout=SOPS_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise Failed(f"sops did not end within {SOPS_SECONDS} s", hint=f"sops -d {path}") from None
    if done.returncode != 0:
        hint = f"sops -d {path} says why; or give the age key by --identity FILE"
        raise Failed(f"sops could not open it (exit code {done.returncode})", hint=hint)
    return done.stdout.decode()
