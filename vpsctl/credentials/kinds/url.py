"""Connection URLs: of Postgres, ClickHouse, Redis, and of services behind Basic authentication."""

from urllib.parse import SplitResult, parse_qsl, urlsplit

from vpsctl.credentials.kinds.text import check_line
from vpsctl.errors import Invalid

POSTGRES = ("postgres", "postgresql")
CLICKHOUSE = ("clickhouse", "clickhouses")
REDIS = ("redis", "rediss")
HTTP = ("http", "https")
SCHEMES = (*POSTGRES, *CLICKHOUSE, *REDIS, *HTTP)
HINT = "give it as postgresql://user:password@host:5432/database, or another of " + ", ".join(SCHEMES)
ESCAPE = "write / ? # @ [ ] in a user or password as %2F %3F %23 %40 %5B %5D"


def check_url(text: str) -> str:
    """Raises Invalid for a URL without a known scheme and a host, or an http one that holds no user and no password."""
    check_line(text)
    if " " in text:
        raise Invalid("the value holds a space", hint="write a space in a URL as %20")
    parts = split_url(text)
    if parts.scheme not in SCHEMES:
        raise Invalid("the value does not begin with a known scheme", hint=HINT)
    if "#" in text or ("@" not in parts.netloc and "@" in text):  # or a piece of a password would pass for a host and a port
        raise Invalid("the value's user or password holds a character that ends them", hint=ESCAPE)
    if not parts.hostname and not (parts.scheme in POSTGRES and "host" in dict(parse_qsl(parts.query))):
        raise Invalid("the value names no host", hint=f"{HINT}; {ESCAPE}")
    if parts.scheme in HTTP and not (parts.username or parts.password):
        hint = "give it as https://user:password@host/path; a secret that stands elsewhere in an address is of kind token"
        raise Invalid("the value is a web address that holds no user and no password", hint=hint)
    return text


def split_url(text: str) -> SplitResult:
    """Raises Invalid for what is no URL; the port of the parts is a number or None."""
    try:
        parts = urlsplit(text)
        _ = parts.port  # only the attribute checks it
    except ValueError:
        raise Invalid("the value is no URL that can be taken apart", hint=f"{ESCAPE}, and a port as a number") from None
    return parts
