"""SSH keys: the private half as OpenSSH reads it, and the public half of it."""

from typing import TYPE_CHECKING

from vpsctl.errors import Invalid
from vpsctl.secret import Secret

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

HINT = "give the file of the private key, such as --from-file id_ed25519"
PUBLIC = ("ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-", "-----BEGIN PUBLIC KEY", "---- BEGIN SSH2 PUBLIC KEY")


def check_ssh_key(text: str) -> str:
    """With Unix line ends and one newline at the end, without which ssh refuses a key. Raises Invalid."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    plain = "\n".join(text.split("\r\n")).strip() + "\n"
    key = _load(plain)
    if isinstance(key, Ed25519PrivateKey) and not _is_openssh(plain):  # OpenSSH before 9.6 reads no PKCS #8 of this type
        return _openssh(key)
    return plain


def make_ssh_key(_old: str | None = None) -> str:
    """A new Ed25519 key in OpenSSH's format, without a passphrase."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return _openssh(Ed25519PrivateKey.generate())


def public_key(value: Secret) -> str:
    """The public half of a checked ssh-key, one line as in authorized_keys without a comment. Raises Invalid."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return _load(value.reveal()).public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def _load(text: str) -> "PrivateKeyTypes":
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_private_key

    if text.startswith(PUBLIC):
        raise Invalid("the value is a public key, and what is kept is the private one", hint=HINT)
    try:
        load = load_ssh_private_key if _is_openssh(text) else load_pem_private_key
        key: PrivateKeyTypes = load(text.encode(), None)
    except TypeError:  # how the library says that it is encrypted
        hint = 'the vault encrypts it anyway; take the passphrase off a copy: ssh-keygen -p -N "" -f COPY'
        raise Invalid("the SSH key is protected by a passphrase, so that nothing could use it unasked", hint=hint) from None
    except (ValueError, UnsupportedAlgorithm):
        raise Invalid("the value is no private key that can be read", hint=HINT) from None
    if not isinstance(key, Ed25519PrivateKey | EllipticCurvePrivateKey | RSAPrivateKey):
        hint = "make a new one: vpsctl cred rotate, or ssh-keygen -t ed25519"
        raise Invalid("the value is a private key of a type that SSH does not use any more", hint=hint)
    return key


def _is_openssh(text: str) -> bool:
    return text.startswith("-----BEGIN OPENSSH PRIVATE KEY-----")


def _openssh(key: "PrivateKeyTypes") -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
