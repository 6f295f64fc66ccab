"""A TOTP seed as its column holds it: sealed by the vault, and bound to its user and to that column."""

from vpsctl.app import App
from vpsctl.secret import Secret
from vpsctl.vault.bindings import user_totp
from vpsctl.vault.sealed import pack, unpack


def seal_seed(app: App, user_id: int, seed: Secret, *, pending: bool) -> bytes:
    return pack(app.vault.encrypt(seed.reveal().encode(), binding=user_totp(user_id, pending=pending)))


def open_seed(app: App, user_id: int, sealed: bytes, *, pending: bool) -> Secret:
    """Raises Failed when the stored bytes were altered, or come from another user or column."""
    return Secret(app.vault.decrypt(unpack(sealed), binding=user_totp(user_id, pending=pending)).decode())
