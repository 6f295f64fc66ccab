"""What each stored value is bound to: the associated data of every place where one is kept."""

from vpsctl.vault.sealed import binding


def credential_version(credential_id: int, version: int, name: str, project_id: int | None) -> bytes:
    return binding("credential_versions", credential_id, version, name, "" if project_id is None else project_id)


def credential_pending(credential_id: int, version: int, name: str, project_id: int | None) -> bytes:
    """A value that becomes `version` when the rotation that made it ends well."""
    return binding("credentials.pending", credential_id, version, name, "" if project_id is None else project_id)


def release_files(site_id: int, number: int) -> bytes:
    return binding("release-files", site_id, number)


def user_totp(user_id: int, *, pending: bool) -> bytes:
    return binding("users.totp_pending" if pending else "users.totp", user_id)


def master_key(key_id: str) -> bytes:
    return binding("master_keys", key_id)


def inner_key() -> bytes:
    return binding("inner_key", 1)
