"""A value of each kind that is easy to find again: in texts, in base64 and hex of them, and in what processes show."""

import base64
import json
import os
import re
import secrets
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.unit.credentials.values import service_account
from vpsctl.credentials.kinds.ssh_key import make_ssh_key

CLOSED = "127.0.0.1:1"
"""Where nobody listens."""


@dataclass(frozen=True)
class Canary:
    kind: str
    text: str
    needles: tuple[str, ...]
    """Letters and digits that only its secret parts have: JSON, URLs and shells leave them as they are."""
    details: tuple[str, ...] = ()
    """Options with which it is tried on a port where nobody listens."""

    @property
    def name(self) -> str:
        return f"CANARY_{self.kind.upper().replace('-', '_')}"


def make_canaries() -> list[Canary]:
    """One of each kind, around random texts that nothing else has."""
    password, token, basic, url, key, store = (f"c4n{secrets.token_hex(8)}" for _ in range(6))
    seed = base64.b32encode(secrets.token_bytes(20)).decode()
    ssh, google = make_ssh_key(), service_account(token_uri=f"http://{CLOSED}/token")
    s3 = json.dumps({"access_key_id": "AKIAEXAMPLE", "secret_access_key": f"{store}/+x"})
    return [
        Canary("password", f"{password}/+sec ret&?\"'$x%é", (password,), ("--url", f"postgresql://app@{CLOSED}/shop")),
        Canary("token", f"tok/{token}+=?", (token,), ("--url", f"http://{CLOSED}/")),
        Canary("basic", f"api:pa:{basic}/+é", (basic,), ("--url", f"http://{CLOSED}/")),
        Canary("url", f"postgresql://app:%2F{url}%40@{CLOSED}/shop", (url,)),
        Canary("keyvalue", f"API_KEY={key}/+\nOTHER='two words'", (key,)),
        Canary("s3", s3, (store,), ("--endpoint", f"http://{CLOSED}", "--bucket", "shop", "--region", "eu-1")),
        Canary("totp", seed, (seed,)),
        Canary("ssh-key", ssh, (_run(ssh.splitlines()[-4:-2]),), ("--url", f"ssh://root@{CLOSED}")),
        Canary("service-account", google, (_run(json.loads(google)["private_key"].splitlines()[5:9]),)),
    ]


def _run(lines: Iterable[str]) -> str:
    """The longest run of letters and digits in lines of base64."""
    found: list[str] = sorted(re.findall("[A-Za-z0-9]+", " ".join(lines)), key=len)
    assert len(found[-1]) >= 10
    return found[-1]


def forms(needles: Iterable[str]) -> set[bytes]:
    """How they would look where somebody wrote them down: as they are, in hex, in base64 at each of three offsets."""
    found = set()
    for needle in needles:
        plain = needle.encode()
        found |= {plain, plain.hex().encode()}
        for offset in range(3):
            whole = base64.b64encode(b"x" * offset + plain)
            inner = whole[4 if offset else 0 : len(whole) - 4]  # without what its neighbours have a part in
            found |= {inner, inner.replace(b"+", b"-").replace(b"/", b"_")}
    return found


class Search:
    """`search(text)`: the forms of any canary that stand in it."""

    def __init__(self, canaries: Iterable[Canary]) -> None:
        self._forms = forms(needle for canary in canaries for needle in canary.needles)

    def __call__(self, text: str | bytes) -> list[bytes]:
        data = text.encode() if isinstance(text, str) else text
        return [form for form in self._forms if form in data]


@contextmanager
def watched_processes(search: Search, allowed: str) -> Iterator[list[str]]:
    """What was seen of canaries in processes: in command lines of all, in environments of those that this one started.

    `allowed`: what stands in the command line of a command that is meant to have them in its environment.
    """
    seen: list[str] = []
    end = threading.Event()

    def watch() -> None:
        rounds = 0
        while not end.wait(0.01):
            for pid in _descendants(os.getpid()):
                _look(Path(f"/proc/{pid}"))
            rounds += 1
            if rounds % 20 == 0:
                for place in Path("/proc").glob("[0-9]*"):
                    with suppress(OSError):
                        command = (place / "cmdline").read_bytes()
                        seen.extend(repr(command) for _ in search(command)[:1])

    def _look(place: Path) -> None:
        with suppress(OSError):
            environment = (place / "environ").read_bytes()
            command = (place / "cmdline").read_bytes()  # after it: what has it by then is that command itself
            shown = command if allowed.encode() in command else command + b"\0" + environment
            started.add(command.partition(b"\0")[0])
            seen.extend(repr(shown) for _ in search(shown)[:1])

    started: set[bytes] = set()
    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        end.set()
        thread.join()
    assert started  # it did see processes


def _descendants(pid: int) -> list[int]:
    found = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                for child in (task / "children").read_text().split():
                    found += [int(child), *_descendants(int(child))]
    return found
