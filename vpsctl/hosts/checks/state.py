"""The state directory and the master key in it."""

import stat
from collections.abc import Iterator

from vpsctl.errors import VpsctlError
from vpsctl.hosts.checks.check import Check, Seen
from vpsctl.keys.status import registered_key


def check_home(seen: Seen) -> Iterator[Check]:
    home = seen.settings.home
    if not home.is_dir():
        yield Check("state directory", "fail", f"there is no {home}", "vpsctl init")
    elif stat.S_IMODE(home.stat().st_mode) & 0o077:
        yield Check("state directory", "fail", f"{home} is open to other users of this machine", f"chmod 700 {home}")
    else:
        yield Check("state directory", "ok", str(home))


def check_master_key(seen: Seen) -> Iterator[Check]:
    """Nobody is asked for a passphrase: of such a key, the file's word is taken."""
    key_file = seen.app.vault.key_file
    kept = key_file.kept()
    if kept.provider != "passphrase":
        key_file.read()
    yield Check("master key", "ok", kept.place)


def check_registered_key(seen: Seen) -> Iterator[Check]:
    """A key file of another installation, or one from before a rotation, opens nothing that is stored here."""
    key_file = seen.app.vault.key_file
    registered = registered_key(seen.app)
    try:
        found = key_file.kept().key_id
    except VpsctlError:
        return  # check_master_key says it
    if registered not in (None, found):
        message = f"{key_file.path} is master key {found}, and this installation's is {registered}"
        mend = "vpsctl key rotate" if key_file.next_path.exists() else "vpsctl key restore --kit FILE --replace"
        yield Check("registered key", "fail", message, mend)
    else:
        yield Check("registered key", "ok", registered or "none yet")
