"""The one connection to the Docker Engine: version negotiation, deadlines, and its errors in our words."""

import os
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import quote

import requests
from docker import APIClient
from docker.errors import APIError
from docker.utils import version_lt

from vpsctl.docker_engine.refusals import FOREIGN, Subject, refused, unreachable
from vpsctl.docker_engine.unix_socket import ClosingAdapter
from vpsctl.errors import Invalid, NotFound

FLOOR = "1.41"
"""Docker 20.10: the oldest Engine the tests run against."""
CEILING = "1.45"
"""Docker 26: the newest API they have run against. A newer Engine is spoken to in this version, which all of them take."""
CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 60.0
POOL = 64
SCHEMES = ("unix://", "tcp://", "http://")


class Connection:
    """An Engine's address, connected on first use and safe to share between threads."""

    def __init__(self, url: str) -> None:
        if not url.startswith(SCHEMES):
            raise Invalid(
                f"docker_host {url!r} is not an address that vpsctl can use",
                hint=f"use one that starts with {', '.join(SCHEMES)}; reach another machine's socket through `ssh -L`",
            )
        self.url = url
        self._api: APIClient | None = None
        self._opening = threading.Lock()
        self._streams: set[requests.Response] = set()
        self._closed = False

    def close(self) -> None:
        """Close every connection; a stream that another thread reads ends as if the Engine had ended it."""
        self._closed = True
        for response in tuple(self._streams):
            with suppress(OSError, ValueError, AttributeError):
                hang_up(response)
        if self._api is not None:
            self._api.close()
            self._api = None

    def connected(self) -> APIClient:
        with self._opening:
            if self._api is None:
                self._api = self._client(self._negotiated())
                self._closed = False
            return self._api

    def _client(self, version: str) -> APIClient:
        client = APIClient(self.url, version=version, timeout=int(ANSWER_SECONDS), max_pool_size=POOL)
        client.trust_env = False  # no proxy between us and the Engine, whatever the environment says
        if self.url.startswith("unix://"):
            path = "http+" + self.url
            client.mount("http+docker://", ClosingAdapter(path, int(ANSWER_SECONDS), max_pool_size=POOL))
        return client

    def _negotiated(self) -> str:
        """The newest API version both sides know. The SDK's own `auto` takes the Engine's, however new."""
        probe = self._client(FLOOR)
        try:
            answer = probe.get(f"{probe.base_url}/_ping", timeout=(CONNECT_SECONDS, 10.0))
        except FOREIGN as error:
            raise unreachable(error, self.url) from error
        finally:
            probe.close()
        spoken = answer.headers.get("Api-Version", "")
        if not spoken:
            raise Invalid(f"what answers at {self.url} is not a Docker Engine", hint="correct docker_host in the settings")
        if version_lt(spoken, FLOOR):
            raise Invalid(
                f"the Docker Engine at {self.url} speaks API {spoken}; vpsctl needs {FLOOR} (Docker 20.10) or newer",
                hint="upgrade the Docker Engine, then try again",
            )
        return CEILING if version_lt(CEILING, spoken) else spoken

    @contextmanager
    def asking(self, kind: str = "engine", ref: str = "") -> Iterator[APIClient]:
        """The SDK's client, for one request about one thing; what goes wrong comes out as ours, naming that thing."""
        subject = Subject(kind, ref)
        if any(part in ("", ".", "..") for part in ref.split("/")) and kind != "engine":
            # The SDK puts the reference into the path as it is: `..` would address another part of the API.
            raise NotFound(f"no {kind} {ref!r}", hint=subject.hint)
        client = self.connected()
        try:
            yield client
        except APIError as error:
            raise refused(error, subject) from error
        except FOREIGN as error:
            raise unreachable(error, self.url) from error

    def request(
        self, method: str, path: str, *, timeout: float | None = ANSWER_SECONDS, **options: Any
    ) -> requests.Response:
        """One request that the SDK has no method for, or none with a deadline; raises APIError for a refusal.

        `path` is the API's, without the version; `timeout` is the longest silence in seconds (None: no limit).
        Call it inside `asking`.
        """
        client = self.connected()
        url = f"{client.base_url}/v{client.api_version}{quote(path)}"
        # The first of the two also bounds each write, and an Engine may take its time over what it is sent.
        patience = ANSWER_SECONDS if "data" in options else CONNECT_SECONDS
        response = client.request(method, url, timeout=(patience, timeout), **options)
        if response.status_code >= 400:
            with response:
                raise APIError(response.reason, response=response, explanation=_explanation(response))
        return response

    @contextmanager
    def streaming(self, method: str, path: str, **options: Any) -> Iterator[requests.Response]:
        """A response read bit by bit, closed on leaving; `close()` in another thread ends it early but cleanly."""
        response = self.request(method, path, stream=True, **options)
        self._streams.add(response)
        try:
            yield response
        except FOREIGN:
            if not self._closed:
                raise
        finally:
            self._streams.discard(response)
            response.close()


def hang_up(response: requests.Response) -> None:
    with duplicate_socket(response) as wire:
        wire.shutdown(socket.SHUT_RDWR)


def duplicate_socket(response: requests.Response) -> socket.socket:
    """A second handle on the socket of a response, to write to it or shut it; reading stays with the response."""
    return socket.socket(fileno=os.dup(response.raw.fileno()))


def label_filters(labels: Mapping[str, str] | None, **more: list[str]) -> dict[str, list[str]]:
    """The `filters` argument that asks for things which carry all these labels."""
    found = dict(more)
    if labels:
        found["label"] = [f"{key}={value}" for key, value in labels.items()]
    return found


def _explanation(response: requests.Response) -> str:
    try:
        return str(response.json()["message"])
    except (ValueError, KeyError, TypeError):
        return response.text.strip()
