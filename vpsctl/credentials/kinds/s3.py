"""Keys of an S3 store: Amazon's, or any that speaks its protocol. Endpoint and bucket are no secrets and stand beside."""

import re
from collections.abc import Mapping

from vpsctl.credentials.kinds.keyvalue import split_keyvalue
from vpsctl.credentials.kinds.kind import Field
from vpsctl.credentials.kinds.text import write_object
from vpsctl.errors import Invalid

FIELDS = (
    Field("access_key_id", secret=False),
    Field("secret_access_key"),
    Field("session_token", optional=True),
    Field("region", secret=False, optional=True),
)
SHAPES = {
    "access_key_id": (r"[\w.+/=-]{3,128}", "3 to 128 letters, digits and . _ + / = -"),
    "secret_access_key": (r"[!-~]{8,256}", "8 to 256 visible ASCII characters"),
    "session_token": (r"[!-~]{8,8192}", "8 to 8192 visible ASCII characters"),
    "region": (r"[A-Za-z0-9-]{1,64}", "letters, digits and -, such as eu-central-1"),
}
HINT = "give access_key_id=… and secret_access_key=… on a line each, or both as a JSON object"


def check_s3(text: str) -> str:
    """Also takes the names as Amazon's tools write them: AWS_ACCESS_KEY_ID, aws_session_token. Raises Invalid."""
    if "=" not in text and not text.lstrip().startswith("{"):
        raise Invalid("the value is neither lines of key=value nor a JSON object", hint=HINT)
    return join_s3({_plain(key): value for key, value in split_keyvalue(text).items()})


def split_s3(text: str) -> Mapping[str, str]:
    return split_keyvalue(text)


def join_s3(fields: Mapping[str, str]) -> str:
    """Optional fields that are empty are left out. Raises Invalid."""
    unknown = len(fields.keys() - SHAPES.keys())
    if unknown:
        hint = f"its keys are {', '.join(SHAPES)}; endpoint and bucket are given beside it: --endpoint, --bucket"
        raise Invalid(f"the value holds {unknown} key{'s' * (unknown > 1)} that S3 keys do not have", hint=hint)
    kept = {field.name: fields[field.name] for field in FIELDS if fields.get(field.name)}
    for field in FIELDS:
        if field.name not in kept and not field.optional:
            raise Invalid(f"the value has no {field.name}", hint=HINT)
        shape, told = SHAPES[field.name]
        if field.name in kept and not re.fullmatch(shape, kept[field.name], re.ASCII):
            raise Invalid(f"the value's {field.name} is not of the shape of one", hint=f"it is {told}")
    return write_object(kept)


def _plain(key: str) -> str:
    lower = key.lower().removeprefix("aws_")
    return "region" if lower == "default_region" else lower
