"""The kinds of credentials that there are."""

from collections.abc import Mapping
from types import MappingProxyType

from vpsctl.credentials.kinds import basic, keyvalue, s3, service_account, ssh_key, text, totp, url
from vpsctl.credentials.kinds.kind import Field, Kind
from vpsctl.errors import Invalid

_ALL = (
    Kind("password", "password", text.check_text, details=("url",), make=text.make_text),
    Kind("token", "token", text.check_line, details=("url", "header"), make=text.make_text),
    Kind(
        "keyvalue", "key-value set", keyvalue.check_keyvalue, any_fields=True,
        split=keyvalue.split_keyvalue, join=keyvalue.join_keyvalue,
        instead="give the keys and their new values",
    ),
    Kind(
        "service-account", "service-account file", service_account.check_service_account, details=("endpoint",),
        instead="make a new key in Google Cloud's console and store its file: --from-file key.json",
    ),
    Kind(
        "basic", "basic authentication", basic.check_basic, (Field("username", secret=False), Field("password")),
        split=basic.split_basic, join=basic.join_basic, details=("url",), make=basic.make_basic,
    ),
    Kind(
        "url", "connection URL", url.check_url,
        instead="change the password where the URL points to, and store the new URL",
    ),
    Kind("ssh-key", "SSH key", ssh_key.check_ssh_key, details=("url", "known_hosts"), make=ssh_key.make_ssh_key),
    Kind(
        "s3", "S3 keys", s3.check_s3, s3.FIELDS, split=s3.split_s3, join=s3.join_s3,
        details=("endpoint", "bucket", "region"), instead="make new keys where the store is, and store both",
    ),
    Kind("totp", "TOTP seed", totp.check_totp, details=("code",), make=totp.make_totp),
)  # fmt: skip
KINDS: Mapping[str, Kind] = MappingProxyType({kind.name: kind for kind in _ALL})


def find_kind(name: str) -> Kind:
    """Raises Invalid for a name that no kind has."""
    if name not in KINDS:
        raise Invalid(f"there is no kind of credential named {name}", hint=f"the kinds are {', '.join(KINDS)}")
    return KINDS[name]
