"""Kinds that there is nothing to connect to, time limits, and what may go wrong in a client."""

import socket
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress

import pytest

from vpsctl.credentials.kinds.totp import read_totp
from vpsctl.credentials.probe.probe import probe
from vpsctl.errors import Invalid
from vpsctl.secret import Secret

SEED = "JBSWY3DPEHPK3PXPJBSWY3DP"


def test_a_password_without_an_address() -> None:
    done = probe("password", Secret("cAnArY"), {})
    assert done.ok is None
    assert "--url" in done.told
    assert "cAnArY" not in done.told


def test_a_key_value_set_tells_its_keys_alone() -> None:
    done = probe("keyvalue", Secret("B=cAnArY4MfXz\nA=2"), {})
    assert (done.ok, done.told) == (None, "a key-value set is not connected to anything; it holds A, B")


def test_a_seed_without_a_code_tells_what_its_codes_are_like_and_none_of_them() -> None:
    totp = read_totp(f"otpauth://totp/x?secret={SEED}&digits=8&period=60")
    codes = [totp.code(time.time() + step * 60) for step in (-1, 0, 1)]
    done = probe("totp", Secret(f"otpauth://totp/x?secret={SEED}&digits=8&period=60"), {})
    assert done.ok is None
    assert "8 digits, new every 60 s" in done.told
    assert not any(code in done.told for code in codes)
    assert SEED not in done.told


def test_a_code_of_another_device_is_compared() -> None:
    totp = read_totp(SEED)
    now = time.time()
    assert probe("totp", Secret(SEED), {"code": totp.code(now)}).ok is True
    around = {totp.code(now + step * 30) for step in range(-3, 4)}
    wrong = next(code for code in (f"{number:06}" for number in range(10)) if code not in around)
    done = probe("totp", Secret(SEED), {"code": wrong})
    assert done.ok is False
    assert not any(code in done.told for code in around)


def test_what_a_value_or_a_detail_may_not_be() -> None:
    with pytest.raises(Invalid, match="no use for --bucket"):
        probe("password", Secret("x"), {"bucket": "shop"})
    with pytest.raises(Invalid, match="scheme"):
        probe("url", Secret("mysql://a:b@c"), {})


def test_clients_are_not_imported_before_they_are_needed() -> None:
    code = (
        "import sys, vpsctl.credentials.probe.probe, vpsctl.credentials.kinds.generate\n"
        "heavy = {'boto3', 'botocore', 'google.auth', 'psycopg', 'redis', 'httpx', 'requests', 'cryptography', 'pyotp'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], text=True, capture_output=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("scheme", ["redis", "postgresql"])
def test_an_error_that_a_client_does_not_document_is_one_sentence_without_the_secret(scheme: str) -> None:
    done = probe("url", Secret(f"{scheme}://app:cAnArY4MfXz@{'a' * 70}.example.com/0"), {})  # a label has 63 at most
    assert done.ok is False
    assert "the test broke off: UnicodeError" in done.told
    assert "\n" not in done.told
    assert "cAnArY4MfXz" not in done.told


def test_what_drips_for_ever_ends_in_time() -> None:
    """Each read of it succeeds, so that no client's own limit is ever reached."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        ended = threading.Event()

        def drip() -> None:
            connection, _ = server.accept()
            with closing(connection), suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\n")
                while not ended.wait(0.05):
                    connection.sendall(b"X: y\r\n")

        thread = threading.Thread(target=drip)
        thread.start()
        done = probe("token", Secret("x"), {"url": f"http://127.0.0.1:{server.getsockname()[1]}"}, seconds=0.5)
        ended.set()
        thread.join()
    assert done.ok is False
    assert "did not answer within 0.5 s" in done.told
    assert done.seconds < 1.5
