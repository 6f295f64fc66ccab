"""Single files in and out of a container, running or not."""

import base64
import io
import json
import posixpath
import tarfile
import time
from typing import Any

from docker.errors import APIError

from vpsctl.docker_engine.connection import Connection
from vpsctl.docker_engine.refusals import shorten
from vpsctl.errors import Invalid, NotFound

STAT = "X-Docker-Container-Path-Stat"
_LINK = 1 << 27
_IRREGULAR = 1 << 31 | _LINK | 1 << 26 | 1 << 25 | 1 << 24 | 1 << 21 | 1 << 19
"""Go's file mode bits: directory, link, device, pipe, socket, character device, irregular."""


class Files(Connection):
    """By the Engine's archive API: it needs no program in the container, and sees no tmpfs."""

    def put_file(self, ref: str, path: str, data: bytes, *, mode: int = 0o644) -> None:
        """Write a file, owned by root, whose directory exists. Raises NotFound for the container or the directory."""
        directory, name = posixpath.split(path)
        member = tarfile.TarInfo(name)
        member.size, member.mode, member.mtime = len(data), mode, int(time.time())
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            tar.addfile(member, io.BytesIO(data))
        with self.asking("container", ref):
            self.request("PUT", f"/containers/{ref}/archive", params={"path": directory or "/"}, data=archive.getvalue())

    def get_file(self, ref: str, path: str) -> bytes:
        """The content of a regular file, through a link too. Raises NotFound for the container or the file, Invalid for
        anything else."""
        with self.asking("container", ref):
            found = self._stat(ref, path)
            if found["mode"] & _LINK:
                path = found["linkTarget"]
                found = self._stat(ref, path)
            if found["mode"] & _IRREGULAR:
                raise Invalid(f"{path} in container {shorten(ref)} is not a regular file", hint="name a file")
            archive = self.request("GET", f"/containers/{ref}/archive", params={"path": path}).content
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            content = tar.extractfile(tar.getmembers()[0])
            return content.read() if content is not None else b""

    def _stat(self, ref: str, path: str) -> dict[str, Any]:
        """Asked first: the archive of a directory is everything under it."""
        try:
            answer = self.request("HEAD", f"/containers/{ref}/archive", params={"path": path})
        except APIError as error:
            if error.response is None or error.response.status_code != 404:
                raise
            # This answer has no body to tell whether it is the container or the file that is missing.
            self.connected().inspect_container(ref)
            raise NotFound(f"no file {path} in container {shorten(ref)}", hint="name one that is there") from error
        if STAT not in answer.headers:
            raise ConnectionError("an answer without what was asked for")
        found: dict[str, Any] = json.loads(base64.b64decode(answer.headers[STAT]))
        return found
