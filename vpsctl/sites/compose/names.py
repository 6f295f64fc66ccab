"""What the names in a compose file must look like: patterns, and the parsers that raise ValueError with half a sentence."""

import re
from signal import Signals

import idna

SITE = re.compile(r"[a-z][a-z0-9-]{0,29}")
SERVICE = re.compile(r"[a-z][a-z0-9_-]{0,29}")
VOLUME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,99}")
NETWORK = re.compile(r"[a-z0-9][a-z0-9_-]{0,29}")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
CREDENTIAL = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
ENVIRONMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,255}")
"""Wider than a shell's: Elasticsearch and Java programs want `discovery.type`."""
USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,63})?")
CAPABILITY = re.compile(r"[A-Z][A-Z_]{1,40}")
ALIAS = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9_.-]{0,61}[a-zA-Z0-9])?")
IMAGE = re.compile(
    # The distribution reference grammar: [host[:port]/]path[:tag][@digest], or the id of an image.
    r"sha256:[0-9a-f]{64}|"
    r"((?=[^/]*[.:]|localhost/)[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?(:[0-9]{1,5})?/)?"
    r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*"
    r"(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?"
)
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_REALTIME = re.compile(r"RT(MIN(\+[0-9]{1,2})?|MAX(-[0-9]{1,2})?)")


def parse_image(text: str) -> str:
    # The bound comes first: the path's repetition costs more than linear time on a long text that does not match.
    if len(text) > 255 or not IMAGE.fullmatch(text):
        raise ValueError("is not an image reference: write it like postgres:15-alpine or host.name/team/app:1.4")
    return text


def parse_domain(text: str) -> str:
    """A host name in lower-case ASCII (IDNA 2008, as browsers map it), or `*.` before one."""
    if "://" in text or "/" in text or ":" in text:
        raise ValueError("is not a host name: write it without https://, port or path")
    star, name = ("*.", text[2:]) if text.startswith("*.") else ("", text)
    try:
        ascii_name = idna.encode(name.removesuffix("."), uts46=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError):
        raise ValueError("is not a host name") from None
    labels = ascii_name.split(".")
    if len(star + ascii_name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("is not a host name")
    if labels[-1].isdigit():
        raise ValueError("is an address: a certificate and a route need a host name")
    if len(labels) == 1 and (star or labels[0] != "localhost"):
        raise ValueError("is not a full host name: it has no dot")
    return star + ascii_name


def parse_signal(text: str) -> str:
    """`SIGTERM`, `TERM`, `SIGRTMIN+3` or a number, as the Engine takes it."""
    name = text.removeprefix("SIG")
    numbers = {str(int(item)) for item in Signals}
    if text not in numbers and f"SIG{name}" not in Signals.__members__ and not _REALTIME.fullmatch(name):
        raise ValueError("is not a signal: write it like SIGTERM or SIGINT")
    return text
