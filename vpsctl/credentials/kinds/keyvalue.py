"""Key-value sets: several values under one name, given as lines of a .env file or as a JSON object."""

import re
from collections.abc import Mapping

from vpsctl.credentials.kinds.text import check_text, read_object, write_object
from vpsctl.errors import Invalid
from vpsctl.variables.dotenv import parse_dotenv

KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
HINT = 'give lines such as API_KEY=value, or a JSON object of texts such as {"API_KEY": "value"}'


def check_keyvalue(text: str) -> str:
    return join_keyvalue(split_keyvalue(text))


def split_keyvalue(text: str) -> Mapping[str, str]:
    """Raises Invalid, which tells a wrong entry by its place: even its name may be a part of a secret."""
    if text.lstrip().startswith("{"):
        document = read_object(text, HINT)
        if not all(isinstance(value, str) for value in document.values()):
            raise Invalid("the value is a JSON object that holds something other than texts", hint=HINT)
        return document
    return {key: value.reveal() for key, value in parse_dotenv(text, "the value", {}).items()}


def join_keyvalue(fields: Mapping[str, str]) -> str:
    """Raises Invalid for a set without keys, a key that no variable can end in, and a value that no variable can have."""
    if not fields:
        raise Invalid("the value holds no key", hint=HINT)
    for place, (key, value) in enumerate(fields.items(), 1):
        if not KEY.fullmatch(key):
            hint = "a key is 1 to 64 letters, digits and underscores, and does not begin with a digit"
            raise Invalid(f"key number {place} of the value is no name for a variable", hint=hint)
        if value:
            check_text(value)
    return write_object(fields)
