"""What git's words mean to the operator: one sentence and the next command. Pure."""

import re

from vpsctl.errors import Failed, Invalid, NotFound, Unavailable, VpsctlError
from vpsctl.secret import Secret, redact
from vpsctl.sites.sources.source import Source, shown, transport

_RULES: tuple[tuple[str, type[VpsctlError], str, str], ...] = (
    (
        r"host key verification failed|remote host identification has changed",
        Invalid,
        "the host of {place} shows another key than before",
        "if that is right, remove its line from sources/known_hosts in the state directory",
    ),
    (r"no space left on device|disk quota", Failed, "no space is left to fetch {place}", "vpsctl doctor shows the disk"),
    (
        r"dubious ownership",
        Invalid,
        "{place} belongs to another user, so git does not read it",
        "chown -R root {place}, or use its ssh URL",
    ),
    (
        r"transport '[\w+-]+' not allowed",
        Invalid,
        "{place} leads to a transport that is not allowed: {last}",
        "use an https or ssh URL",
    ),
    (
        r"authentication failed|could not read (username|password)|terminal prompts disabled|permission denied \("
        r"|returned error: 40[13]|access denied|invalid (username|credentials)|load key|too many authentication failures",
        Invalid,
        "{place} did not accept {proof}",
        "{access}",
    ),
    (
        r"returned error: 404|repository .*not found|does not appear to be a git repository|does not exist",
        NotFound,
        "no repository at {place}, or no right to see it",
        "{access}",
    ),
    (
        r"could not resolve|connection (refused|timed out|reset|closed)|failed to connect|couldn't connect|unreachable"
        r"|no route to host|timed out|operation too slow|early eof|rpc failed|hung up|returned error: 5\d\d"
        r"|ssl|certificate|tls",
        Unavailable,
        "cannot reach {place}: {last}",
        "look at the network, DNS and the URL, then try again",
    ),
    (r"", Failed, "git could not read {place}: {last}", "try it by hand: git ls-remote {place}"),
)
"""From the special to the general: the first that matches git's stderr speaks."""


def explain(source: Source, words: str, secrets: tuple[Secret, ...] = ()) -> VpsctlError:
    """The error for what git (or ssh under it) said on stderr while it read `source`."""
    words = redact(words, secrets)
    facts = {
        "place": shown(source.location),
        "last": _telling_line(words),
        "proof": f"the credential {source.credential}" if source.credential else "us without a credential",
        "access": _access_hint(source),
    }
    _, kind, message, hint = next(rule for rule in _RULES if re.search(rule[0], words, re.IGNORECASE))
    return kind(message.format_map(facts), hint=hint.format_map(facts))


def _access_hint(source: Source) -> str:
    if source.credential:
        return f"vpsctl cred set {source.credential} stores one that may read it"
    key = transport(source.location) == "ssh"
    name, what = ("GIT_KEY", "deploy key") if key else ("GIT_TOKEN", "token")
    return f"vpsctl cred set {name} stores a {what}; name it with --credential {name} when you add the site"


def _telling_line(words: str) -> str:
    """git's first `fatal:` or `error:`, or what ssh said before it; at most 300 characters."""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(("fatal:", "error:", "ssh:", "remote:"))]
    line = (telling or lines or ["no reason given"])[0]
    return line.removeprefix("fatal: ").removeprefix("error: ")[:300]
