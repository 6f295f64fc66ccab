"""The older master keys, each sealed under the active one."""

from sqlalchemy import select

from vpsctl.db.models import MasterKey
from vpsctl.db.session import Database


def find_older_key(database: Database, key_id: str) -> bytes | None:
    """What `master_keys` holds of it (vault.pack); None when it is the active one, or unknown."""
    with database.transaction(apart=True) as session:
        return session.scalar(select(MasterKey.sealed).where(MasterKey.key_id == key_id))
