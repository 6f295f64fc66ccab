"""New values: of the kind they are of, never the same twice, and refused where somebody else makes them."""

import base64
import re

import pytest

from tests.unit.credentials.values import good, rsa_pem
from vpsctl.credentials.kinds.catalogue import KINDS
from vpsctl.credentials.kinds.check import check_value
from vpsctl.credentials.kinds.fields import fields
from vpsctl.credentials.kinds.generate import generate
from vpsctl.credentials.kinds.ssh_key import public_key
from vpsctl.errors import Invalid
from vpsctl.secret import Secret

MADE = [name for name, kind in KINDS.items() if kind.make]


@pytest.mark.parametrize("kind", MADE)
def test_a_new_value_is_another_and_is_kept_as_it_is(kind: str) -> None:
    old = check_value(kind, Secret(good(kind)))
    first, second = generate(kind, old), generate(kind, old)
    assert len({old, first, second}) == 3
    assert check_value(kind, first) == first


@pytest.mark.parametrize("kind", ["password", "token"])
def test_a_random_text_needs_no_quoting(kind: str) -> None:
    made = {generate(kind, None).reveal() for _ in range(300)}  # 1 in 64 would begin with a dash
    assert len(made) == 300
    assert all(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{42}", value) for value in made)


def test_basic_keeps_the_username_and_cannot_do_without() -> None:
    made = fields("basic", generate("basic", Secret("anna:old")))
    assert made["username"] == Secret("anna")
    assert len(made["password"].reveal()) == 43
    with pytest.raises(Invalid, match="needs a username") as caught:
        generate("basic", None)
    assert "username:password" in caught.value.hint


def test_a_new_seed_has_160_bits() -> None:
    assert len(base64.b32decode(generate("totp", None).reveal())) == 20


def test_a_new_ssh_key_is_ed25519_and_gives_its_public_half() -> None:
    value = generate("ssh-key", None)
    assert value.reveal().startswith("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    assert public_key(value).startswith("ssh-ed25519 AAAA")
    assert public_key(check_value("ssh-key", Secret(rsa_pem()))).startswith("ssh-rsa AAAA")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in MADE])
def test_what_somebody_else_makes_is_refused_with_what_to_do(kind: str) -> None:
    with pytest.raises(Invalid, match="cannot be made here") as caught:
        generate(kind, Secret(good(kind)))
    assert caught.value.hint


def test_every_other_kind_is_made() -> None:
    assert MADE == ["password", "token", "basic", "ssh-key", "totp"]
