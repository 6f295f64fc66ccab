"""Recovery codes: as they are shown, as people type them, and what a check costs."""

import time

import pytest

from vpsctl.secret import Secret
from vpsctl.users.recovery_format import hash_code, is_code, new_code, place_of


def test_a_code_is_known_however_it_is_typed() -> None:
    code = new_code(7)
    kept = hash_code(code)
    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert code.reveal() not in kept
    shown = code.reveal()
    for typed in (shown, shown.upper(), shown.replace("-", ""), f" {shown}\n", shown.replace("1", "I").replace("0", "O")):
        assert (place_of(Secret(typed)), is_code(Secret(typed), kept)) == (7, True)
    assert hash_code(code) != kept


def test_another_code_is_not_it() -> None:
    kept = hash_code(new_code(7))
    assert not is_code(new_code(7), kept)
    assert not is_code(Secret("\udc80"), kept)


@pytest.mark.parametrize(
    "text",
    ["", "7", "x-k7mq-x2hv-9tpd", "7-k7mq-x2hv-9tp", "7-k7mq-x2hv-9tpdd", "7-k7mq-x2hu-9tpd", "\u0667-k7mq-x2hv-9tpd"],
)
def test_what_is_no_code_has_no_place(text: str) -> None:
    assert place_of(Secret(text)) is None


def test_a_check_is_slow_enough_and_fast_enough() -> None:
    code = new_code(0)
    kept = hash_code(code)
    spent = []
    for _ in range(5):
        began = time.process_time()
        is_code(code, kept)
        spent.append(time.process_time() - began)
    assert 0.002 < min(spent) < 0.1
