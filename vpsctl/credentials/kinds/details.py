"""Check what stands beside a value: where it is tried. It is kept in clear, so no secret may be in it."""

import re
from collections.abc import Mapping

from vpsctl.credentials.kinds.catalogue import find_kind
from vpsctl.credentials.kinds.text import check_line
from vpsctl.credentials.kinds.url import HTTP, SCHEMES, split_url
from vpsctl.errors import Invalid

SCHEMES_OF = {"password": SCHEMES, "token": HTTP, "basic": HTTP, "ssh-key": ("ssh",)}
"""Kind -> schemes that its `url` may have."""
SHAPES = {
    "header": (r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}", "the name of a header, such as X-Api-Key"),
    "bucket": (r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}", "the name of a bucket, without a slash"),
    "region": (r"[A-Za-z0-9-]{1,64}", "a region, such as eu-central-1"),
    "code": (r"[0-9]{6,8}", "the 6 to 8 digits that an authenticator shows"),
}


def check_details(kind: str, details: Mapping[str, str]) -> None:
    """Raises Invalid for a key that the kind has no use for, and for a value that is of no use or holds a password."""
    wanted = find_kind(kind)
    for key, value in details.items():
        if key not in wanted.details:
            told = ", ".join(f"--{name}" for name in wanted.details) or "none"
            raise Invalid(f"kind {kind} has no use for --{key}", hint=f"what it is tested with: {told}")
        check_line(value)
        if key in ("url", "endpoint"):
            _check_address(key, value, SCHEMES_OF.get(kind, HTTP) if key == "url" else HTTP)
        elif key in SHAPES and not re.fullmatch(SHAPES[key][0], value):
            raise Invalid(f"--{key} is not {SHAPES[key][1]}", hint=f"give --{key} anew")
    if kind == "ssh-key" and "url" in details and not split_url(details["url"]).username:
        raise Invalid("--url names no user", hint="give it as ssh://user@host or ssh://user@host:port")


def _check_address(key: str, value: str, schemes: tuple[str, ...]) -> None:
    parts = split_url(value)
    if parts.scheme not in schemes or not (parts.hostname or parts.scheme.startswith("postgres")):
        hint = f"give it as {schemes[-1]}://host; it may begin with {', '.join(schemes)}"
        raise Invalid(f"--{key} is no address of the right kind", hint=hint)
    if parts.password is not None:
        raise Invalid(f"--{key} holds a password, and it is kept in clear", hint=f"leave the password out of --{key}")
    if (parts.hostname or "").startswith("-") or (parts.username or "").startswith("-"):
        raise Invalid(f"--{key} names a host or a user that begins with -", hint=f"give --{key} anew")
