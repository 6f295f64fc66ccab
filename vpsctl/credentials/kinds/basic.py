"""Basic authentication: `username:password`, as RFC 7617 joins them."""

from collections.abc import Mapping

from vpsctl.credentials.kinds.text import check_line, make_text
from vpsctl.errors import Invalid

HINT = "give it as username:password"


def check_basic(text: str) -> str:
    """One of the two may be empty: some services take an API key for the one and nothing for the other. Raises Invalid."""
    check_line(text)
    if ":" not in text:
        raise Invalid("the value has no colon between a username and a password", hint=HINT)
    if text == ":":
        raise Invalid("the value has neither a username nor a password", hint=HINT)
    return text


def split_basic(text: str) -> Mapping[str, str]:
    username, _, password = text.partition(":")
    return {"username": username, "password": password}


def join_basic(fields: Mapping[str, str]) -> str:
    if ":" in fields["username"]:
        raise Invalid("the username holds a colon, which Basic authentication cannot carry", hint="give one without a colon")
    return f"{fields['username']}:{fields['password']}"


def make_basic(old: str | None) -> str:
    """The same username with a new password. Raises Invalid without an old value."""
    if old is None:
        hint = "store it once as username:password; from then on vpsctl can make new passwords"
        raise Invalid("a new password needs a username, and there is no value yet to take it from", hint=hint)
    return f"{split_basic(old)['username']}:{make_text()}"
