"""Building images: by BuildKit where it can and may, else by the Engine's own builder."""

import json
import re
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import requests
from docker import auth
from docker.api.build import process_dockerfile
from docker.errors import APIError
from docker.utils.build import tar

from vpsctl.docker_engine.buildkit import find_client, run_build
from vpsctl.docker_engine.connection import Connection
from vpsctl.docker_engine.decode import decode_image
from vpsctl.docker_engine.dockerfile import buildkit_feature
from vpsctl.docker_engine.images import read_messages
from vpsctl.docker_engine.refusals import FOREIGN, MAKE_ROOM, disk_full, shorten, timed_out, words
from vpsctl.docker_engine.types import BuildSpec, Image
from vpsctl.errors import Failed, Invalid

LATE = "it took longer than its deadline"
KEPT_LINES = 20
CPU_PERIOD = 100_000
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_STEP = re.compile(r"^Step \d+/\d+ : (.*)")
_BUILDKIT_STEP = re.compile(r"^ > (?:\[[^\]]*\d+/\d+\] )?(.*?):?$")


class _Stopped(Exception):
    """A build that came to a bad end, with the builder's reason."""


class Builds(Connection):
    """Images from Dockerfiles."""

    def build(self, spec: BuildSpec, *, on_line: Callable[[str], None]) -> Image:
        """Build and tag an image; `on_line` hears the log as it comes.

        Which builder, and what its caps are worth (tried on Engines 20.10 and 26.1):

        * Without `memory` and `cpus`: BuildKit, if a `docker` program on the PATH can do it; else the Engine's own.
        * With them: the Engine's own builder, which caps each step's container. BuildKit in the Engine takes `--memory`
          and `--cpu-quota` and ignores both; `--cgroup-parent` is ignored by 20.10 (its steps run in
          `/docker/buildkit`) and obeyed by 26.1 with buildx, where someone would have to make that group first.
        * With them, and a Dockerfile that only BuildKit can build (`RUN --mount`, `COPY --chmod`, heredocs): BuildKit,
          uncapped, and the first line says so.

        Raises Failed with the failing step and its last lines, Invalid for a context or Dockerfile that is not there
        or needs a BuildKit that is not.
        """
        client, notice = self._builder(spec)
        if notice:
            on_line(notice)
        lines = _by_buildkit(client, spec, self.url) if client else self._by_engine(spec)
        kept: deque[str] = deque(maxlen=KEPT_LINES)
        step = ""
        try:
            with closing(lines):
                for line in lines:
                    on_line(line)
                    kept.append(line)
                    begun = (_BUILDKIT_STEP if client else _STEP).match(line)
                    step = begun[1] if begun else step
        except _Stopped as stop:
            raise _failure(spec, step, str(stop), kept) from None
        with self.asking("image", spec.tag) as api:
            return decode_image(api.inspect_image(spec.tag))  # type: ignore[no-untyped-call]

    def _builder(self, spec: BuildSpec) -> tuple[str | None, str]:
        """The `docker` program to build with, None for the Engine's own builder; and what to tell about it."""
        capped = spec.memory is not None or spec.cpus is not None
        feature = buildkit_feature(_read(spec))
        if feature is None:
            return (None if capped else find_client()), ""
        client = find_client()
        if client is None:
            raise Invalid(
                f"{spec.dockerfile} needs BuildKit for `{feature}`, and no docker program here can build by it",
                hint="install it: apt install docker-buildx, or write that step without it",
            )
        return client, f"`{feature}` needs BuildKit, which cannot be capped: no limit holds for this build" if capped else ""

    def _by_engine(self, spec: BuildSpec) -> Generator[str, None, None]:
        until = time.monotonic() + spec.deadline.total_seconds()
        with _context(spec) as (archive, dockerfile), self.asking("image", spec.tag):
            options: dict[str, Any] = {
                "params": _query(spec, dockerfile),
                "headers": {"Content-Type": "application/x-tar"} | _registries(),
                "data": archive,
                "timeout": spec.deadline.total_seconds(),
            }
            try:
                with self.streaming("POST", "/build", **options) as response:
                    yield from _engine_lines(response, until)
            except APIError as error:
                raise _Stopped(words(error)) from error
            except FOREIGN as error:
                if not timed_out(error):
                    raise
                raise _Stopped(LATE) from error


def _by_buildkit(client: str, spec: BuildSpec, url: str) -> Generator[str, None, None]:
    until = time.monotonic() + spec.deadline.total_seconds()
    last = ""
    with closing(run_build(client, spec, url)) as output:
        for line, code in output:
            if code is None:
                last = line.strip() or last
                yield line
            elif code != 0:
                raise _Stopped(LATE if time.monotonic() >= until else last)


def _engine_lines(response: requests.Response, until: float) -> Iterator[str]:
    pending = ""
    for message in read_messages(response):
        if time.monotonic() > until:
            raise _Stopped(LATE)
        *lines, pending = (pending + _COLOUR.sub("", message.get("stream", ""))).split("\n")
        yield from (line.rstrip("\r") for line in lines)
        if "error" in message:
            if pending:
                yield pending
            raise _Stopped(shorten(str(message["error"])))
    if pending:
        yield pending


def _failure(spec: BuildSpec, step: str, reason: str, lines: Sequence[str]) -> Failed:
    where = f" at `{step}`" if step else ""
    hint = f"correct {spec.dockerfile}"
    if reason == LATE:
        hint = "see in its log what it waited for"
    if re.search(r"(?:exit code|non-zero code): 137", reason):
        hint = "it was killed, perhaps for memory: raise builder_memory in the settings"
    if disk_full("\n".join([reason, *lines])):
        hint = MAKE_ROOM
    return Failed("\n".join([f"the build of {spec.tag} failed{where}: {reason}", *lines]), hint=hint)


def _read(spec: BuildSpec) -> str:
    if not Path(spec.context).is_dir():
        raise Invalid(f"there is no directory {spec.context} to build from", hint="check the build context")
    try:
        return (Path(spec.context) / spec.dockerfile).read_text(errors="replace")
    except OSError as error:
        said = f"cannot read {spec.dockerfile} in {spec.context}: {error.strerror}"
        raise Invalid(said, hint="write one, or name the one there is") from error


def _ignore_file(spec: BuildSpec) -> Path:
    """As BuildKit has it: <Dockerfile>.dockerignore where there is one, in place of the context's own."""
    beside = Path(spec.context) / f"{spec.dockerfile}.dockerignore"
    return beside if beside.is_file() else Path(spec.context) / ".dockerignore"


@contextmanager
def _context(spec: BuildSpec) -> Iterator[tuple[Any, str | None]]:
    """The context as a temporary tar file, less what .dockerignore names; and the name of the Dockerfile in it."""
    ignore = _ignore_file(spec)
    try:
        name, content = process_dockerfile(spec.dockerfile, spec.context)
        patterns = [line.strip() for line in ignore.read_text().splitlines()] if ignore.is_file() else []
        excluded = [pattern for pattern in patterns if pattern and not pattern.startswith("#")]
        archive = tar(Path(spec.context), exclude=excluded, dockerfile=(name, content))
    except OSError as error:
        said = f"cannot read the build context {spec.context}: {error}"
        raise Invalid(said, hint="name what is not needed in .dockerignore") from error
    with closing(archive):
        yield archive, name


def _query(spec: BuildSpec, dockerfile: str | None) -> dict[str, Any]:
    query: dict[str, Any] = {
        "t": spec.tag,
        "dockerfile": dockerfile,
        "rm": 1,
        "forcerm": 1,
        "pull": int(spec.pull),
        "buildargs": json.dumps(dict(spec.args)),
        "labels": json.dumps(dict(spec.labels)),
    }
    if spec.target is not None:
        query["target"] = spec.target
    if spec.memory is not None:
        query |= {"memory": spec.memory, "memswap": spec.memory}
    if spec.cpus is not None:
        query |= {"cpuperiod": CPU_PERIOD, "cpuquota": int(spec.cpus * CPU_PERIOD)}
    return query


def _registries() -> dict[str, str]:
    """The credentials of `docker login`, for the images the Dockerfile starts from."""
    known = auth.load_config().get_all_credentials()  # type: ignore[no-untyped-call]
    return {"X-Registry-Config": auth.encode_header(known).decode()} if known else {}
