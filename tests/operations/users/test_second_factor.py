"""Second factors: enrolled, confirmed, used once each, reset; and what stands in the database of them."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pyotp
import pytest

from tests.operations.users.conftest import Sql, Trail
from vpsctl.app import App
from vpsctl.encoding import to_json
from vpsctl.errors import Conflict, Failed, Invalid, NotFound, VpsctlError
from vpsctl.secret import Secret
from vpsctl.users.add import add_user
from vpsctl.users.disable import disable_user, enable_user
from vpsctl.users.enroll import confirm_enrolment, enroll, reset_mfa
from vpsctl.users.second_factor import use_recovery_code, verify_totp
from vpsctl.users.show import show_user

REFUSED = "this code is not accepted"


def code(seed: Secret, later: int = 0) -> Secret:
    """What the app shows, `later` steps from now."""
    return Secret(pyotp.TOTP(seed.reveal()).at(datetime.now(UTC), counter_offset=later))


@pytest.fixture
def anna(app: App) -> str:
    add_user(app, "anna", role="admin")
    return "anna"


@pytest.fixture
def seed(app: App, anna: str, sql: Sql) -> Secret:
    """Of anna, confirmed so long ago that the codes of now can be used."""
    seed = enroll(app, anna).seed
    confirm_enrolment(app, anna, code(seed))
    sql("UPDATE users SET totp_step = 1")
    return seed


def refused(act: Callable[[], object]) -> bool:
    try:
        act()
    except Invalid as error:
        assert (error.message, error.hint) == (REFUSED, "wait for the app's next code, or use a recovery code")
        return True
    return False


def test_a_seed_counts_once_a_code_confirmed_it(app: App, anna: str, trail: Trail) -> None:
    made = enroll(app, anna)
    assert made.seed.reveal() in made.uri.reveal()
    assert show_user(app, anna).mfa == "pending"
    assert refused(lambda: verify_totp(app, anna, code(made.seed)))
    with pytest.raises(Invalid, match="the code is not the one"):
        confirm_enrolment(app, anna, Secret("rubbish"))
    assert show_user(app, anna).mfa == "pending"
    confirmed = confirm_enrolment(app, anna, code(made.seed))
    assert len(set(confirmed.recovery_codes)) == 10
    shown = show_user(app, anna)
    assert (shown.mfa, shown.recovery_codes) == ("on", 10)
    assert [row[:2] for row in trail()[1:]] == [("user.mfa-enroll", "user:anna"), ("user.mfa-confirm", "user:anna")]
    with pytest.raises(Conflict, match="no second factor of anna waits to be confirmed"):
        confirm_enrolment(app, anna, code(made.seed, 1))


def test_the_code_that_confirmed_it_is_used(app: App, anna: str) -> None:
    seed = enroll(app, anna).seed
    now = code(seed)
    confirm_enrolment(app, anna, now)
    assert refused(lambda: verify_totp(app, anna, now))
    assert refused(lambda: verify_totp(app, anna, code(seed, -1)))
    assert verify_totp(app, anna, code(seed, 1)).name == "anna"


def test_a_code_is_good_once_and_none_before_it(app: App, anna: str, seed: Secret) -> None:
    before, now, after = (code(seed, later) for later in (-1, 0, 1))
    assert not refused(lambda: verify_totp(app, anna, now))
    assert refused(lambda: verify_totp(app, anna, now))
    assert refused(lambda: verify_totp(app, anna, before))
    assert not refused(lambda: verify_totp(app, anna, after))
    assert refused(lambda: verify_totp(app, anna, now))


def test_of_many_with_one_code_one_is_let_in(app: App, anna: str, seed: Secret) -> None:
    now = code(seed, 1)
    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(lambda _: refused(lambda: verify_totp(app, anna, now)), range(6))) == [False] + [True] * 5


def test_whoever_has_none_is_refused_alike(app: App, anna: str, seed: Secret) -> None:
    add_user(app, "ben")
    for name in ("ben", "nobody", "No User"):
        assert refused(lambda name=name: verify_totp(app, name, code(seed)))  # type: ignore[misc]
        assert refused(lambda name=name: use_recovery_code(app, name, Secret("0-0000-0000-0000")))  # type: ignore[misc]
    disable_user(app, anna)
    assert refused(lambda: verify_totp(app, anna, code(seed)))
    with pytest.raises(Conflict, match="user anna is disabled"):
        enroll(app, anna)
    enable_user(app, anna)
    assert not refused(lambda: verify_totp(app, anna, code(seed)))


def test_a_recovery_code_is_good_once(app: App, anna: str, trail: Trail) -> None:
    codes = confirm_enrolment(app, anna, code(enroll(app, anna).seed)).recovery_codes
    accepted = use_recovery_code(app, anna, Secret(codes[3].reveal().upper().replace("-", " ")))
    assert accepted.recovery_codes == 9
    assert refused(lambda: use_recovery_code(app, anna, codes[3]))
    other = Secret(codes[4].reveal()[0] + codes[5].reveal()[1:])
    assert refused(lambda: use_recovery_code(app, anna, other))
    assert refused(lambda: use_recovery_code(app, anna, Secret("rubbish")))
    assert use_recovery_code(app, anna, codes[0]).recovery_codes == 8
    assert show_user(app, anna).recovery_codes == 8
    assert [row for row in trail() if row[0] == "user.recovery-code"] == [
        ("user.recovery-code", "user:anna", {"left": 9}),
        ("user.recovery-code", "user:anna", {"left": 8}),
    ]
    disable_user(app, anna)
    assert refused(lambda: use_recovery_code(app, anna, codes[1]))


def test_of_many_with_one_recovery_code_one_is_let_in(app: App, anna: str) -> None:
    codes = confirm_enrolment(app, anna, code(enroll(app, anna).seed)).recovery_codes
    with ThreadPoolExecutor(4) as pool:
        answers = pool.map(lambda _: refused(lambda: use_recovery_code(app, anna, codes[9])), range(4))
        assert sorted(answers) == [False] + [True] * 3


def test_another_users_recovery_code_is_none(app: App, anna: str) -> None:
    codes = confirm_enrolment(app, anna, code(enroll(app, anna).seed)).recovery_codes
    add_user(app, "ben")
    confirm_enrolment(app, "ben", code(enroll(app, "ben").seed))
    assert refused(lambda: use_recovery_code(app, "ben", codes[0]))


def test_enrolling_again_keeps_the_old_one_until_it_is_confirmed(app: App, anna: str, seed: Secret) -> None:
    new = enroll(app, anna).seed
    assert refused(lambda: verify_totp(app, anna, code(new)))
    assert not refused(lambda: verify_totp(app, anna, code(seed)))
    codes = confirm_enrolment(app, anna, code(new)).recovery_codes
    assert refused(lambda: verify_totp(app, anna, code(seed, 1)))
    assert not refused(lambda: verify_totp(app, anna, code(new, 1)))
    assert use_recovery_code(app, anna, codes[0]).recovery_codes == 9


def test_a_reset_takes_all_of_it(app: App, anna: str, trail: Trail) -> None:
    seed = enroll(app, anna).seed
    codes = confirm_enrolment(app, anna, code(seed)).recovery_codes
    enroll(app, anna)
    assert reset_mfa(app, anna).changed
    shown = show_user(app, anna)
    assert (shown.mfa, shown.recovery_codes) == ("off", 0)
    assert refused(lambda: verify_totp(app, anna, code(seed, 1)))
    assert refused(lambda: use_recovery_code(app, anna, codes[0]))
    rows = len(trail())
    assert not reset_mfa(app, anna).changed
    assert len(trail()) == rows
    with pytest.raises(NotFound):
        reset_mfa(app, "nobody")


def test_nothing_secret_is_stored_or_told(app: App, anna: str, sql: Sql, trail: Trail) -> None:
    made = enroll(app, anna)
    pending = bytes(sql("SELECT totp_pending FROM users"))
    confirmed = confirm_enrolment(app, anna, code(made.seed))
    sealed = bytes(sql("SELECT totp FROM users"))
    stored = pending + sealed + str(sql("SELECT string_agg(hash, ' ') FROM recovery_codes")).encode()
    told = to_json(trail()) + to_json(made) + to_json(confirmed)
    for value in (made.seed, *confirmed.recovery_codes):
        for text in (value.reveal(), value.reveal().replace("-", "")):
            assert text.encode() not in stored
            assert text not in told + repr(made) + repr(confirmed)


@pytest.mark.parametrize(
    "surgery",
    [
        "UPDATE users SET totp = totp_pending, totp_pending = NULL WHERE name = 'anna'",
        "UPDATE users SET totp = (SELECT totp FROM users WHERE name = 'ben') WHERE name = 'anna'",
        "UPDATE users SET totp = substr(totp, 1, 100) WHERE name = 'anna'",
        "UPDATE users SET totp = 'JBSWY3DPEHPK3PXP' WHERE name = 'anna'",
    ],
)
def test_a_seed_from_elsewhere_is_refused(app: App, anna: str, sql: Sql, surgery: str) -> None:
    add_user(app, "ben")
    seeds = {}
    for name in (anna, "ben"):
        seeds[name] = enroll(app, name).seed
        confirm_enrolment(app, name, code(seeds[name]))
    pending = enroll(app, anna).seed
    sql(surgery)
    for seed in (*seeds.values(), pending):
        with pytest.raises(VpsctlError) as caught:
            verify_totp(app, anna, code(seed, 1))
        assert isinstance(caught.value, Failed)


def test_a_pending_seed_from_elsewhere_is_refused(app: App, anna: str, seed: Secret, sql: Sql) -> None:
    sql("UPDATE users SET totp_pending = totp")
    with pytest.raises(Failed, match="altered or moved"):
        confirm_enrolment(app, anna, code(seed, 1))
