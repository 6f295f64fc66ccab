"""`make images`: the base images that tests and the quickstart stand on, pulled where a registry answers, else made here.

usage: python -m tests.images [NAME ...]
"""

import sys
import time
from queue import Empty, SimpleQueue
from threading import Thread

import docker
import requests
from docker.errors import DockerException

from tests.images.apt import AptFailed
from tests.images.recipes import IMAGES
from tests.images.standin import Unsupported, archives

ANSWER_SECONDS = 5
"""A registry that has not begun to answer after this long counts as none."""
SILENCE_SECONDS = 60


def say(text: str) -> None:
    print(f"images: {text}", file=sys.stderr, flush=True)


def missing(client: docker.DockerClient, names: list[str]) -> list[str]:
    tags = {tag for image in client.images.list() for tag in image.tags}
    return [name for name in names if name not in tags]


def pull(client: docker.DockerClient, name: str) -> str:
    """Pulls one image. Returns what went wrong, or nothing.

    The lines are read in a thread of their own, because docker-py pulls with `timeout=None` (its api/image.py).
    """
    lines: SimpleQueue[str | None] = SimpleQueue()

    def read() -> None:
        try:
            for line in client.api.pull(name, stream=True, decode=True):
                lines.put(str(line.get("error", "")))
        except (DockerException, requests.RequestException) as error:
            lines.put(getattr(error, "explanation", "") or str(error))
        lines.put(None)

    Thread(target=read, daemon=True).start()
    wait = ANSWER_SECONDS
    try:
        while (error := lines.get(timeout=wait)) is not None:
            if error:
                return error
            wait = SILENCE_SECONDS
    except Empty:
        return f"no answer for {wait} s"
    return ""


def pull_all(client: docker.DockerClient, names: list[str]) -> list[str]:
    """The names that could not be had. The first failure ends it: what one image waited for, the next ones would too."""
    for position, name in enumerate(names):
        if error := pull(client, name):
            say(f"no image registry answers for {name}: {error}")
            return names[position:]
        say(f"pulled {name}")
    return []


def load(client: docker.DockerClient, names: list[str]) -> None:
    for name, path in archives(names).items():
        began = time.monotonic()
        with path.open("rb") as file:
            client.images.load(file)
        say(f"loaded {name:<20} {path.stat().st_size / 1e6:6.1f} MB in {time.monotonic() - began:.1f} s")


def main() -> int:
    names = sys.argv[1:] or list(IMAGES)
    unknown = sorted(set(names) - set(IMAGES))
    if unknown:
        say(f"no image {unknown[0]}; there are {', '.join(IMAGES)}")
        return 2
    try:
        client = docker.DockerClient.from_env(timeout=120)
        wanted = pull_all(client, missing(client, names))
        if wanted:
            say(f"so these are stand-ins, made from Debian packages: {', '.join(wanted)}")
            load(client, wanted)
    except (Unsupported, AptFailed, FileNotFoundError, DockerException, requests.RequestException) as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
