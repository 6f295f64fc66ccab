"""Try a credential where it is used: `cred test`."""

import json
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from urllib.parse import parse_qsl, quote, unquote, urlsplit, urlunsplit

from vpsctl.credentials.kinds.catalogue import find_kind
from vpsctl.credentials.kinds.check import check_value
from vpsctl.credentials.kinds.details import check_details
from vpsctl.credentials.kinds.fields import fields
from vpsctl.credentials.kinds.url import CLICKHOUSE, HTTP, POSTGRES, REDIS
from vpsctl.credentials.probe.outcome import Outcome, needed, sentence, silent
from vpsctl.errors import VpsctlError
from vpsctl.scrub import Scrubber
from vpsctl.secret import Secret

SECONDS = 10.0
UNBOUNDED = ("password", "token", "basic", "url", "service-account", "s3")
"""Kinds whose clients have time limits for single steps only. ssh has one for all, and must not outlive this process."""
PAGE = "give --url https://… of a page that needs it"


@dataclass(frozen=True)
class Probe:
    """`ok` is None where nothing could be proved: the value opens and is well-formed, and `told` says what is missing."""

    ok: bool | None
    told: str
    seconds: float
    reached: bool = True
    """False: no answer came, which tells nothing of the credential."""


def probe(kind: str, value: Secret, details: Mapping[str, str], *, seconds: float = SECONDS) -> Probe:
    """Really connect with a credential, for at most `seconds`. `told` is one sentence without any part of the secret.

    Raises Invalid for a value or details that the kind cannot have and for a detail that is missing, naming its option;
    Unavailable where the program that connects is not on this machine.
    """
    check_details(kind, details)
    checked = check_value(kind, value)
    began, attempt = time.monotonic(), partial(_try, kind, checked, details, seconds)
    try:
        outcome = _within(seconds, attempt) if kind in UNBOUNDED else attempt()
    except VpsctlError:
        raise
    except Exception as error:  # of a client that raises what it does not document: a traceback could quote the value
        outcome = Outcome(False, f"the test broke off: {type(error).__name__}: {sentence(error)}")
    told = _scrubber(kind, checked).text(outcome.told)
    return Probe(outcome.ok, told, time.monotonic() - began, outcome.reached)


def _try(kind: str, value: Secret, details: Mapping[str, str], seconds: float) -> Outcome:
    """What came of it. Each kind's client is imported only when it is needed: together they take a second."""
    text = value.reveal()
    if kind == "url":
        return _try_url(text, seconds)
    if kind == "password":
        return _try_password(text, details, seconds)
    if kind in ("basic", "token"):
        return _try_header(kind, value, details, seconds)
    if kind == "keyvalue":
        keys = ", ".join(sorted(fields(kind, value)))
        return Outcome(None, f"a key-value set is not connected to anything; it holds {keys}")
    return _try_other(kind, value, details, seconds)


def _try_other(kind: str, value: Secret, details: Mapping[str, str], seconds: float) -> Outcome:
    text = value.reveal()
    if kind == "service-account":
        from vpsctl.credentials.probe.google import try_service_account

        return try_service_account(text, details.get("endpoint"), seconds)
    if kind == "s3":
        from vpsctl.credentials.probe.s3 import try_s3

        return try_s3({name: part.reveal() for name, part in fields(kind, value).items()}, details, seconds)
    if kind == "ssh-key":
        from vpsctl.credentials.probe.ssh import try_ssh

        return try_ssh(text, details, seconds)
    from vpsctl.credentials.probe.totp import try_totp

    return try_totp(text, details.get("code"))


def _try_url(url: str, seconds: float) -> Outcome:
    parts = urlsplit(url)
    if parts.scheme in POSTGRES:
        from vpsctl.credentials.probe.postgres import try_postgres

        return try_postgres(url, seconds)
    if parts.scheme in REDIS:
        from vpsctl.credentials.probe.redis import try_redis

        return try_redis(url, seconds)
    if parts.scheme in CLICKHOUSE:
        from vpsctl.credentials.probe.clickhouse import try_clickhouse

        return try_clickhouse(url, seconds)
    assert parts.scheme in HTTP, "check_value lets no other scheme in"
    from vpsctl.credentials.probe.http import basic, try_http, without_login

    login = basic(unquote(parts.username or ""), unquote(parts.password or ""))
    return try_http(without_login(url), "Authorization", login, seconds)


def _try_password(password: str, details: Mapping[str, str], seconds: float) -> Outcome:
    """The password, put into the URL that it belongs to."""
    if not details.get("url"):
        told = "the password opens and is well-formed; give --url, such as postgresql://app@host/db, to try it somewhere"
        return Outcome(None, told)
    parts = urlsplit(details["url"])
    user, _, host = parts.netloc.rpartition("@")
    return _try_url(urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}")), seconds)


def _try_header(kind: str, value: Secret, details: Mapping[str, str], seconds: float) -> Outcome:
    from vpsctl.credentials.probe.http import basic, try_http, without_login

    url = without_login(needed(details, "url", PAGE))
    if kind == "basic":
        parts = fields(kind, value)
        return try_http(url, "Authorization", basic(parts["username"].reveal(), parts["password"].reveal()), seconds)
    header = details.get("header", "Authorization")
    token = value.reveal()
    if not token.isascii() or token != token.strip():
        return Outcome(False, "a header cannot carry the token as it is: it holds ASCII only, and no space around it")
    return try_http(url, header, f"Bearer {token}" if header.lower() == "authorization" else token, seconds)


def _within(seconds: float, attempt: Callable[[], Outcome]) -> Outcome:
    """What `attempt` gives or raises, or that nothing came in time.

    In a thread that is left to its own time limits: no client bounds the look-up of a name, or an answer that drips.
    """
    box: queue.SimpleQueue[Outcome | BaseException] = queue.SimpleQueue()

    def run() -> None:
        try:
            box.put(attempt())
        except BaseException as error:
            box.put(error)

    threading.Thread(target=run, name="credential-probe", daemon=True).start()
    try:
        found = box.get(timeout=seconds)
    except queue.Empty:
        return silent("what the credential is for", seconds)
    if isinstance(found, BaseException):
        raise found
    return found


def _scrubber(kind: str, value: Secret) -> Scrubber:
    """Knows the value, its secret fields, and what a URL holds: the last line of defence, should a library quote them."""
    scrubber = Scrubber()
    text = value.reveal()
    open_fields = {field.name for field in find_kind(kind).fields if not field.secret}
    scrubber.add([value, *(part for name, part in fields(kind, value).items() if name not in open_fields)])
    if kind == "service-account":
        scrubber.add([Secret(json.loads(text)["private_key"])])
    if kind == "url":
        parts = urlsplit(text)
        hidden = [parts.password or "", *(item for key, item in parse_qsl(parts.query) if "pass" in key.lower())]
        scrubber.add(Secret(item) for raw in hidden for item in (raw, unquote(raw)))
    return scrubber
