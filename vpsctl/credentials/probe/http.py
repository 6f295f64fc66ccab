"""One GET with a credential in a header, which is never sent to another origin than the one it is for."""

import base64
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit, urlunsplit

from vpsctl.credentials.probe.outcome import Outcome, sentence

REDIRECTS = 5
BODY = 4096
"""Bytes read of an answer."""
PORTS = {"http": 80, "https": 443}


class Unanswered(Exception):
    """No answer came, or `reached` none that counts; the message goes on where the name of the host ends."""

    def __init__(self, message: str, *, reached: bool = False) -> None:
        super().__init__(message)
        self.reached = reached


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str


def basic(username: str, password: str) -> str:
    """The Authorization header of RFC 7617, in UTF-8."""
    return f"Basic {base64.b64encode(f'{username}:{password}'.encode()).decode()}"


def try_http(url: str, header: str, content: str, seconds: float) -> Outcome:
    """Whether `url`, which holds no credential, lets in who sends this header, and only who sends it."""
    where, deadline = origin(url), time.monotonic() + seconds
    try:
        answer = _follow(url, {header: content}, deadline)
        outcome = _judge(where, answer, url)
        if outcome.ok and _judge(where, _follow(url, {}, deadline), url).ok:
            told = f"{where} answers {answer.status} without the credential as well, which proves nothing"
            return Outcome(None, f"{told}: --url must be a page that needs it")
    except Unanswered as error:
        return Outcome(False, f"{where} {error}", error.reached)
    return outcome


def get(url: str, headers: Mapping[str, str], seconds: float) -> Answer:
    """One request, redirects not followed. Raises Unanswered."""
    import httpx

    deadline = time.monotonic() + seconds
    try:
        with (
            httpx.Client(timeout=seconds) as client,
            client.stream("GET", url, headers={"Accept-Encoding": "identity", **headers}) as response,
        ):
            body = b""
            for chunk in response.iter_raw(BODY):
                body += chunk
                if len(body) >= BODY or time.monotonic() > deadline:
                    break
            return Answer(response.status_code, dict(response.headers), body[:BODY].decode("utf-8", "replace"))
    except httpx.TimeoutException:
        raise Unanswered(f"did not answer within {seconds:g} s") from None
    except (httpx.LocalProtocolError, httpx.InvalidURL, UnicodeError):  # their messages quote the header or the URL
        raise Unanswered("was not asked: the request cannot be written", reached=True) from None
    except (httpx.HTTPError, OSError) as error:
        raise Unanswered(f"cannot be reached: {sentence(error)}") from None


def origin(url: str) -> str:
    """Scheme, host and port, the port only where it is not the usual one. Paths and queries may hold secrets."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    usual = parts.port in (None, PORTS.get(parts.scheme))
    return f"{parts.scheme}://{host}{'' if usual else f':{parts.port}'}"


def without_login(url: str) -> str:
    """The URL without the user and password before its host."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _follow(url: str, headers: Mapping[str, str], deadline: float) -> Answer:
    """The first answer that sends nowhere else within the origin; else the last redirect."""
    for _ in range(REDIRECTS):
        answer = get(url, headers, max(deadline - time.monotonic(), 0.1))
        target = _target(url, answer)
        if not target or origin(target) != origin(url):
            return answer
        url = target
    raise Unanswered(f"redirects more than {REDIRECTS} times", reached=True)


def _target(url: str, answer: Answer) -> str:
    """Where a redirect leads, "" for other answers. Raises Unanswered for one that leads nowhere."""
    location = answer.headers.get("location", "")
    if not 300 <= answer.status < 400 or not location:
        return ""
    try:
        target = urljoin(url, location)
        origin(target)
    except ValueError:
        raise Unanswered("redirects to what is no address", reached=True) from None
    return target


def _judge(where: str, answer: Answer, url: str) -> Outcome:
    if answer.status in (401, 403):
        return Outcome(False, f"{where}: the credential was refused (status {answer.status})")
    target = _target(url, answer)
    if target and origin(target) != where:
        told = f"{where} redirects to {origin(target)}, where the credential is not sent"
        return Outcome(False, f"{told}: if that is the right place, give it as --url")
    told = f"{where} answered {answer.status}"
    return Outcome(200 <= answer.status < 400, told if answer.status < 400 else f"{told}, which is neither yes nor no")
