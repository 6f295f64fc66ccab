"""What the Engine, the SDK and the wire say when something goes wrong, in the classes of `vpsctl.errors`."""

import http.client
import re
from dataclasses import dataclass

import requests
import urllib3
from docker.errors import APIError, DockerException

from vpsctl.errors import Conflict, Failed, Invalid, NotFound, Unavailable, VpsctlError

FOREIGN = (DockerException, requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError)
"""Everything the SDK and what it stands on raise, from a missing socket to an Engine that dies in mid-answer."""

_BROKEN = (
    ConnectionError,
    http.client.HTTPException,
    urllib3.exceptions.ProtocolError,
    requests.exceptions.ChunkedEncodingError,
)
LISTS = {
    "container": "list them: vpsctl container list --all",
    "image": "list them: docker image ls",
    "network": "list them: docker network ls",
    "volume": "list them: docker volume ls",
}
MAKE_ROOM = "make room: docker image prune; vpsctl doctor shows the disk"
_TAKEN = re.compile(r":(\d+)(?:/\w+)?(?: failed)?: .*(?:port is already allocated|address already in use)")
_STATE = re.compile(r"is (?:not running|not paused|already paused)$")
_RUNTIME = re.compile(r"^.*(?:starting container process caused|unable to start container process): ")


@dataclass(frozen=True)
class Subject:
    """What a request was about, for the sentence: kind is container, image, network, volume or engine."""

    kind: str
    ref: str

    @property
    def hint(self) -> str:
        return LISTS.get(self.kind, "see vpsctl doctor")

    def __str__(self) -> str:
        return shorten(f"{self.kind} {self.ref}".strip())


def shorten(text: str) -> str:
    """In one line, with ids as people write them: their first 12 characters."""
    return re.sub(r"\b([0-9a-f]{12})[0-9a-f]{52}\b", r"\1", " ".join(text.split()))


def words(error: APIError) -> str:
    """The Engine's own words, in one line and without the runtime's preamble."""
    return _RUNTIME.sub("", shorten(str(error.explanation or error))).removesuffix(": unknown")


def refused(error: APIError, subject: Subject) -> VpsctlError:
    status = error.response.status_code if error.response is not None else 500
    said = words(error)
    if status == 404:
        return _missing(said, subject)
    conflict = _conflict(status, said, subject)
    if conflict is not None:
        return conflict
    if status in (400, 401) and not _RUNTIME.search(shorten(str(error.explanation))):
        return Invalid(f"{subject}: {said}", hint="correct it and try again")
    return Failed(f"{subject}: {said}", hint=MAKE_ROOM if disk_full(said) else _next(subject))


def disk_full(said: str) -> bool:
    return "no space left on device" in said.lower()


def _conflict(status: int, said: str, subject: Subject) -> Conflict | None:
    """Known by its words first: the Engine answers 500 for a taken port and for a container in the wrong state."""
    taken = _TAKEN.search(said)
    if taken:
        return Conflict(f"port {taken[1]} is taken, so {subject} cannot use it", hint="see who holds it: vpsctl doctor")
    if "is already in use by container" in said:
        return Conflict(f"there is a container of that name already ({subject})", hint=subject.hint)
    if _STATE.search(said):
        return Conflict(f"{subject}: {said}", hint="see its state: vpsctl container list --all")
    if status in (403, 409):
        return Conflict(f"{subject}: {said}", hint="see what holds it: vpsctl container list --all")
    return None


def _missing(said: str, subject: Subject) -> NotFound:
    """The Engine answers 404 for the thing asked for and for another that it needs (an image, a network)."""
    other = re.search(r"no such (?P<kind>\w+)(?:: (?P<ref>\S+))?|(?P<net>network) (?P<name>\S+) not found", said, re.I)
    if other is None:
        return NotFound(f"{subject}: {said}", hint=subject.hint)
    kind = (other["kind"] or other["net"]).lower()
    named = other["ref"] or other["name"] or subject.ref
    missing = Subject(kind, subject.ref if kind == subject.kind else named)
    return NotFound(f"no {missing} on this engine", hint=missing.hint)


def _next(subject: Subject) -> str:
    if subject.kind == "container":
        return f"see more: vpsctl container logs {shorten(subject.ref)}"
    return "see vpsctl doctor"


def unreachable(error: BaseException, url: str) -> VpsctlError:
    if isinstance(error, DockerException):
        # Not the wire: the SDK's own complaint, about a credential helper for one.
        return Failed(f"the Docker SDK cannot go on: {shorten(str(error))}", hint="see vpsctl doctor")
    chain = _chain(error)
    if any(isinstance(cause, PermissionError) for cause in chain):
        return Unavailable(f"no permission to use the Docker Engine at {url}", hint="run as root, or join the docker group")
    return Unavailable(
        f"cannot reach the Docker Engine at {url}: {_reason(chain)}",
        hint="start it: systemctl start docker, or see vpsctl doctor",
    )


def timed_out(error: BaseException) -> bool:
    kinds = (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError)
    return any(isinstance(cause, kinds) for cause in _chain(error))


def _reason(chain: list[BaseException]) -> str:
    if any(isinstance(cause, FileNotFoundError) for cause in chain):
        return "there is no such socket"
    if any(isinstance(cause, ConnectionRefusedError) for cause in chain):
        return "nothing listens there"
    if timed_out(chain[0]):
        return "it does not answer in time"
    if any(isinstance(cause, _BROKEN) for cause in chain):
        return "it closed the connection half way"
    if isinstance(chain[0], ValueError):
        return "what answers there is not what an Engine says"
    return " ".join(str(chain[-1]).split()) or type(chain[-1]).__name__


def _chain(error: BaseException) -> list[BaseException]:
    """An exception with all it stands for: its causes, and those that requests and urllib3 keep in the arguments."""
    found: list[BaseException] = []
    pending = [error]
    while pending:
        current = pending.pop()
        if current in found:
            continue
        found.append(current)
        inner = (current.__cause__, current.__context__, getattr(current, "reason", None), *current.args)
        pending.extend(item for item in inner if isinstance(item, BaseException))
    return found
