"""The state directory and the master key in it."""

import stat
from collections.abc import Iterator

from sqlalchemy import text

from vpsctl.db.migrate import head_version
from vpsctl.db.role import MAY_REWRITE
from vpsctl.errors import VpsctlError
from vpsctl.hosts.checks.check import Check, Seen
from vpsctl.keys.kit import last_kit
from vpsctl.keys.status import registered_key

MAKE_KIT = "vpsctl recovery-kit create --to kit.age --passphrase, and take it away from this machine"


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


def check_recovery_kit(seen: Seen) -> Iterator[Check]:
    """Only that one was made can be known here: where it is now is not to be known to this machine."""
    if seen.schema() != head_version():
        return  # check_schema says it
    kit = last_kit(seen.app)
    if kit is None:
        message = "none was ever made: without one, a lost master key takes every stored credential with it"
        yield Check("recovery kit", "warn", message, MAKE_KIT)
    elif not kit.current:
        message = f"the last one, made {kit.made_at:%Y-%m-%d}, is from before the last rotation of the master key"
        yield Check("recovery kit", "warn", message, MAKE_KIT)
    else:
        yield Check("recovery kit", "ok", f"made {kit.made_at:%Y-%m-%d}")


def check_trail_is_closed(seen: Seen) -> Iterator[Check]:
    """A dump that was read back over the standing tables takes the guard of the audit trail away."""
    if seen.schema() is None:
        return
    with seen.app.database.transaction() as session:
        is_open = session.scalar(text(f"SELECT {MAY_REWRITE.format('current_user')}"))
    if is_open:
        yield Check("audit trail", "fail", "the database role that vpsctl works as could change audit rows", "vpsctl init")
    else:
        yield Check("audit trail", "ok", "rows can only be added")
