"""Check a second factor: a code of the app, or a recovery code in its place; each is good once.

How often somebody may try is for the door that asks to limit.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

from sqlalchemy import select
from sqlalchemy.orm import Session

from vpsctl.app import App
from vpsctl.audit.record import record
from vpsctl.db.models import RecoveryCode, User
from vpsctl.errors import Invalid
from vpsctl.secret import Secret
from vpsctl.users.find import look_up
from vpsctl.users.recovery_format import hash_code, is_code, new_code, place_of
from vpsctl.users.sealed_seed import open_seed
from vpsctl.users.totp import matching_step, new_seed


@dataclass(frozen=True)
class SecondFactorAccepted:
    name: str
    recovery_codes: int | None = None
    """That are left, after one of them was used."""


def verify_totp(app: App, name: str, code: Secret) -> SecondFactorAccepted:
    """Accept `code` as the second factor of user `name`, once; of two who bring the same one, one is accepted.

    Raises Invalid, with one sentence and after the same work, for a wrong or used code, and for a user who has no second
    factor, is disabled or does not exist.
    """
    with app.database.transaction() as session:
        user = look_up(session, name, lock=True)
        sealed = None if user is None or user.disabled_at is not None else user.totp
        seed = new_seed() if user is None or sealed is None else open_seed(app, user.id, sealed, pending=False)
        step = matching_step(seed, code, datetime.now(UTC), after=user.totp_step if user else 0)
        if user is None or sealed is None or step is None:
            raise _refused()
        user.totp_step = step
        return SecondFactorAccepted(name)


def use_recovery_code(app: App, name: str, code: Secret) -> SecondFactorAccepted:
    """Accept `code`, one of the ten of user `name`, and never again. Raises Invalid as `verify_totp` does."""
    with app.database.transaction() as session:
        user = look_up(session, name, lock=True)
        codes = _codes(session, user)
        place = place_of(code)
        row = codes[place] if place is not None and place < len(codes) else None
        right = is_code(code, row.hash if row else _nobodys_hash())
        if user is None or user.disabled_at is not None or row is None or row.used_at is not None or not right:
            raise _refused()
        row.used_at = datetime.now(UTC)
        left = sum(other.used_at is None for other in codes)
        record(app, session, "user.recovery-code", f"user:{name}", {"left": left})
        return SecondFactorAccepted(name, left)


def _codes(session: Session, user: User | None) -> list[RecoveryCode]:
    """In the order they were made, which is that of their places."""
    query = select(RecoveryCode).where(RecoveryCode.user_id == (user.id if user else 0)).order_by(RecoveryCode.id)
    return list(session.scalars(query))


@cache
def _nobodys_hash() -> str:
    return hash_code(new_code(0))


def _refused() -> Invalid:
    return Invalid("this code is not accepted", hint="wait for the app's next code, or use a recovery code")
