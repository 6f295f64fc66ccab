"""Give a user a second factor: show a seed, confirm it by a code, or take it away."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import delete
from sqlalchemy.orm import Session

from vpsctl.app import App
from vpsctl.audit.record import record
from vpsctl.db.models import RecoveryCode, User
from vpsctl.errors import Conflict, Invalid
from vpsctl.secret import Secret
from vpsctl.users.find import find_user
from vpsctl.users.recovery_format import COUNT, hash_code, new_code
from vpsctl.users.sealed_seed import open_seed, seal_seed
from vpsctl.users.totp import matching_step, new_seed, seed_uri


@dataclass(frozen=True)
class Enrolment:
    name: str
    seed: Secret
    """Base32, for apps without a camera."""
    uri: Secret
    """otpauth://…, for the QR code."""


@dataclass(frozen=True)
class MfaConfirmed:
    name: str
    recovery_codes: tuple[Secret, ...]
    """Shown this once, good for one use each."""


@dataclass(frozen=True)
class MfaReset:
    name: str
    changed: bool
    """False: there was none."""


def enroll(app: App, name: str) -> Enrolment:
    """A new seed, good for nothing until `confirm_enrolment`; a second factor that is there counts until then.

    Raises NotFound, Conflict for a disabled user.
    """
    with app.database.transaction() as session:
        user = find_user(session, name, lock=True)
        if user.disabled_at is not None:
            raise Conflict(f"user {name} is disabled", hint=f"vpsctl user enable {name}")
        seed = new_seed()
        user.totp_pending = seal_seed(app, user.id, seed, pending=True)
        record(app, session, "user.mfa-enroll", f"user:{name}", {"replaces": user.totp is not None})
        return Enrolment(name, seed, seed_uri(seed, name))


def confirm_enrolment(app: App, name: str, code: Secret) -> MfaConfirmed:
    """Put the seed that was shown last into force, since `code` proves that an app has it; earlier recovery codes end.

    The code counts as used. Raises NotFound, Conflict where nothing waits to be confirmed, Invalid for a wrong code.
    """
    with app.database.transaction() as session:
        user = find_user(session, name, lock=True)
        if user.totp_pending is None or user.disabled_at is not None:
            raise Conflict(f"no second factor of {name} waits to be confirmed", hint=f"vpsctl user mfa enroll {name}")
        seed = open_seed(app, user.id, user.totp_pending, pending=True)
        step = matching_step(seed, code, datetime.now(UTC), after=0)
        if step is None:
            hint = f"vpsctl user mfa confirm {name} --code with the one the app shows now, if this machine's clock is right"
            raise Invalid(f"the code is not the one that {name}'s app must show now", hint=hint)
        user.totp, user.totp_pending, user.totp_step = seal_seed(app, user.id, seed, pending=False), None, step
        codes = _new_codes(session, user)
        record(app, session, "user.mfa-confirm", f"user:{name}", {"recovery_codes": len(codes)})
        return MfaConfirmed(name, codes)


def reset_mfa(app: App, name: str) -> MfaReset:
    """Take the second factor and its recovery codes away, such as when the phone is lost. Raises NotFound."""
    with app.database.transaction() as session:
        user = find_user(session, name, lock=True)
        changed = user.totp is not None or user.totp_pending is not None
        if changed:
            # totp_step stays: it only ever grows
            user.totp = user.totp_pending = None
            session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
            record(app, session, "user.mfa-reset", f"user:{name}", {})
        return MfaReset(name, changed)


def _new_codes(session: Session, user: User) -> tuple[Secret, ...]:
    session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user.id))
    codes = tuple(new_code(place) for place in range(COUNT))
    for code in codes:
        session.add(RecoveryCode(user_id=user.id, hash=hash_code(code)))
        session.flush()  # in this order: a code's place is that of its row
    return codes
