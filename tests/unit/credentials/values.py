"""One value of each kind, made anew where it is a key, and texts with a canary in them that no message may show."""

import json
from functools import cache

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import strategies as st

CANARY = "cAnArY4MfXz7Qw"
SEED = "JBSWY3DPEHPK3PXP"
_VISIBLE = st.from_regex(r"[!-~]{8,60}", fullmatch=True)
S3 = st.fixed_dictionaries(
    {"access_key_id": st.from_regex(r"[A-Za-z0-9]{3,40}", fullmatch=True), "secret_access_key": _VISIBLE},
    optional={"region": st.from_regex(r"[a-z]{2}-[a-z]{4}-[1-9]", fullmatch=True), "session_token": _VISIBLE},
)


@cache
def rsa_pem() -> str:
    key = rsa.generate_private_key(65537, 2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def ed25519_pem() -> str:
    key = ed25519.Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def ec_pem() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


def service_account(**changes: object) -> str:
    document: dict[str, object] = {
        "type": "service_account",
        "project_id": "shop-reports",
        "private_key_id": "1",
        "private_key": rsa_pem(),
        "client_email": "reader@shop-reports.iam.gserviceaccount.com",
        "token_uri": "https://oauth2.googleapis.com/token",
    }
    return json.dumps({key: value for key, value in {**document, **changes}.items() if value is not None}, indent=2)


@cache
def good(kind: str) -> str:
    """A value that the kind takes."""
    return {
        "password": lambda: "a pass\nword of two lines",
        "token": lambda: "tok-123",
        "keyvalue": lambda: "A=1\nB='two # words'",
        "service-account": service_account,
        "basic": lambda: "anna:pass:word",
        "url": lambda: "postgresql://app:p%40ss@db.example.com:5433/shop",
        "ssh-key": ed25519_pem,
        "s3": lambda: '{"secret_access_key": "abcdefgh/123", "access_key_id": "AKIAEXAMPLE", "region": "auto"}',
        "totp": lambda: "jbsw y3dp-ehpk 3pxp",
    }[kind]()
