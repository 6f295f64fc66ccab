"""Images: what there is, pulling, tagging, removing."""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import requests
from docker import auth
from docker.errors import APIError
from docker.utils import parse_repository_tag

from vpsctl.docker_engine.connection import Connection, label_filters
from vpsctl.docker_engine.decode import decode_image
from vpsctl.docker_engine.refusals import FOREIGN, timed_out, words
from vpsctl.docker_engine.types import Image
from vpsctl.errors import Conflict, Failed, Invalid, NotFound, Unavailable, VpsctlError
from vpsctl.secret import Secret

PULL_DEADLINE = timedelta(minutes=10)
SILENCE_SECONDS = 60.0
"""How long a registry may say nothing before the pull is given up."""
_NOISE = ("Downloading", "Extracting", "Waiting", "Verifying Checksum", "Pulling fs layer")
_DENIED = re.compile(r"unauthorized|authentication required|no basic auth|\bdenied\b|403 Forbidden", re.I)
_UNKNOWN = re.compile(r"manifest unknown|not found|does not exist|name unknown", re.I)
_UNREACHED = re.compile(
    r"no such host|server misbehaving|refused|timeout|timed out|unreachable|no route|reset by peer|EOF|deadline|x509|tls:",
    re.I,
)


class Images(Connection):
    """The Engine's images and where they come from."""

    def find_image(self, ref: str) -> Image | None:
        try:
            return self.image(ref)
        except NotFound:
            return None

    def image(self, ref: str) -> Image:
        """By id, tag or digest. Raises NotFound."""
        with self.asking("image", ref) as api:
            return decode_image(api.inspect_image(ref))  # type: ignore[no-untyped-call]

    def images(self, labels: Mapping[str, str] | None = None) -> list[Image]:
        with self.asking() as api:
            listed = api.images(filters=label_filters(labels))
        found = (self.find_image(body["Id"]) for body in listed)
        return [image for image in found if image is not None]

    def image_names(self, repositories: str) -> set[str]:
        """The names, tag included, of the images in these repositories ("shop/*"): one request, however many."""
        with self.asking() as api:
            listed = api.images(filters={"reference": repositories})
        return {name for body in listed for name in body["RepoTags"] or ()}

    def image_sizes(self, repositories: Sequence[str]) -> dict[str, int]:
        """Bytes by image id, of all images in any of these repositories ("shop/*"): one request, however many."""
        with self.asking() as api:
            listed = api.images(filters={"reference": list(repositories)}) if repositories else []
        return {body["Id"]: body["Size"] for body in listed}

    def tag(self, ref: str, name: str) -> None:
        """Give an image one more name; another image that had it loses it."""
        repository, tag = parse_repository_tag(name)
        with self.asking("image", ref) as api:
            api.tag(ref, repository, tag or "latest", force=True)

    def remove_image(self, ref: str, *, force: bool = False) -> bool:
        """False when a container or another tag still holds it; by a tag, only that name goes while there are others."""
        try:
            with self.asking("image", ref) as api:
                api.remove_image(ref, force=force)
        except Conflict:
            return False
        return True

    def pull(
        self,
        ref: str,
        *,
        on_line: Callable[[str], None],
        username: str | None = None,
        password: Secret | None = None,
        deadline: timedelta = PULL_DEADLINE,
    ) -> Image:
        """Fetch an image; `on_line` hears each layer's start and end. Without a username: the credentials of `docker login`.

        Raises NotFound for an image the registry does not have, Invalid when it refuses the credentials, Unavailable
        when it does not answer (60 s of silence at most) or the deadline has passed.
        """
        for line in self._pulled(ref, _given(username, password), deadline.total_seconds()):
            on_line(line)
        return self.image(ref)

    def _pulled(self, ref: str, given: dict[str, str], seconds: float) -> Iterator[str]:
        """The lines of a pull. A generator, so that what the caller's `on_line` raises is not taken for the Engine's."""
        repository, tag = parse_repository_tag(ref)
        if tag and ":" not in tag and ":" in repository.rpartition("/")[2]:
            # The Engine would take the second tag and forget the first.
            raise _unpulled(ref, "invalid reference")
        query = {"fromImage": repository, "tag": tag or "latest"}
        until = time.monotonic() + seconds
        with self.asking("image", ref):
            try:
                options: dict[str, Any] = {"params": query, "timeout": min(SILENCE_SECONDS, seconds)}
                options["headers"] = _credentials(repository, given)
                with self.streaming("POST", "/images/create", **options) as response:
                    yield from _pull_lines(ref, response, until, known=bool(given))
            except APIError as error:
                raise _unpulled(ref, words(error), known=bool(given)) from error
            except FOREIGN as error:
                if not timed_out(error):
                    raise
                raise _unpulled(ref, "it did not answer before the timeout") from error


def _given(username: str | None, password: Secret | None) -> dict[str, str]:
    return {} if username is None or password is None else {"username": username, "password": password.reveal()}


def _credentials(repository: str, given: dict[str, str]) -> dict[str, str]:
    """The header with the credentials given, else with those of `docker login` for this registry."""
    if not given:
        registry, _ = auth.resolve_repository_name(repository)
        given = auth.load_config().resolve_authconfig(registry) or {}
    return {"X-Registry-Auth": auth.encode_header(given).decode()} if given else {}


def _pull_lines(ref: str, response: requests.Response, until: float, *, known: bool) -> Iterator[str]:
    said: set[str] = set()
    for message in read_messages(response):
        if "error" in message:
            raise _unpulled(ref, " ".join(str(message["error"]).split()), known=known)
        status = str(message.get("status", ""))
        line = f"{message['id']}: {status}" if message.get("id") else status
        if line and line not in said and not status.startswith(_NOISE):
            said.add(line)
            yield line
        if time.monotonic() > until:
            raise Unavailable(f"image {ref} was not pulled before the deadline", hint="try again: the layers it has stay")


def read_messages(response: requests.Response) -> Iterator[dict[str, Any]]:
    """The JSON documents, one to a line, with which the Engine reports a pull or a build."""
    for line in response.iter_lines(chunk_size=None):
        if line.strip():
            message: dict[str, Any] = json.loads(line)
            yield message


def _unpulled(ref: str, said: str, *, known: bool = False) -> VpsctlError:
    """`known`: credentials were given. Engine 26 says "may require 'docker login'" even to one who did log in."""
    if _DENIED.search(said) and (known or "may require 'docker login'" not in said):
        return Invalid(f"the registry refuses image {ref}: {said}", hint="check the credentials: vpsctl cred list")
    if _UNREACHED.search(said):
        return Unavailable(f"cannot pull image {ref}, its registry does not answer: {said}", hint="try again when it does")
    if _UNKNOWN.search(said) or "pull access denied" in said:
        hint = "check its name; a private one needs credentials: vpsctl cred set"
        return NotFound(f"no image {ref} to be had: {said}", hint=hint)
    if "invalid reference" in said:
        return Invalid(f"{ref!r} is not an image reference", hint="write it as name:tag or name@sha256:…")
    return Failed(f"cannot pull image {ref}: {said}", hint="see vpsctl doctor")
