"""Whether a part of the foundation really answers, and waiting until it does."""

import time
from contextlib import suppress
from datetime import timedelta

import httpx
import redis

from vpsctl.app import App
from vpsctl.docker_engine.types import ContainerSpec
from vpsctl.errors import Conflict, Failed, Invalid, Unavailable
from vpsctl.hosts.foundation import container_name, own_services
from vpsctl.proxy.admin import version_from
from vpsctl.proxy.proxy import MINIMUM_VERSION
from vpsctl.settings import Settings
from vpsctl.sites import naming

DEADLINE = timedelta(minutes=2)
"""The first start of Postgres writes a whole cluster; on a slow disk that takes a minute."""
CRASHES = 3


def wait_until_ready(app: App, spec: ContainerSpec, *, deadline: timedelta = DEADLINE) -> None:
    """Until the service in this container answers. Raises Failed with its last lines when it ends, crashes or is late.

    Raises Invalid at once for a Caddy too old, which would run and never answer.
    """
    service = spec.labels[naming.SERVICE]
    if service == "caddy":
        with suppress(Conflict):  # it is between two starts
            caddy_version(app)
    crashes = app.engine.container(spec.name).restart_count
    until = time.monotonic() + deadline.total_seconds()
    while not _answers(app, spec):
        found = app.engine.container(spec.name)
        if found.state in ("exited", "dead") or found.restart_count >= crashes + CRASHES:
            raise _gave_up(app, spec.name, f"{service} ended with code {found.exit_code}")
        if time.monotonic() > until:
            raise _gave_up(app, spec.name, f"{service} does not answer after {deadline.total_seconds():g} s")
        time.sleep(0.1)


def _answers(app: App, spec: ContainerSpec) -> bool:
    if spec.labels[naming.SERVICE] == "caddy":
        return _caddy_answers(app)
    if spec.healthcheck is None:
        raise Invalid(f"{spec.name} has no healthcheck in foundation.yaml", hint="install vpsctl again")
    try:
        return app.engine.exec(spec.name, spec.healthcheck.test[1:]).exit_code == 0
    except Conflict:
        return False  # it is between two starts


def _caddy_answers(app: App) -> bool:
    """By its admin socket, and by the port that the world will use; any status will do."""
    try:
        app.proxy.ping()
        httpx.get(f"http://127.0.0.1:{app.settings.http_port}/", timeout=2.0, trust_env=False)
    except (Unavailable, httpx.TransportError):
        return False
    return True


def _gave_up(app: App, name: str, what: str) -> Failed:
    lines = [line.text for line in app.engine.logs(name, tail=5)]
    said = f"; its last lines: {' | '.join(lines)}" if lines else ""
    return Failed(f"{what}{said}", hint=f"vpsctl container logs {name}, then vpsctl init again")


def caddy_version(app: App) -> tuple[int, int, int]:
    """Raises Invalid when it is too old to switch traffic by files, Unavailable when yours does not answer.

    In the foundation's container the program itself is asked: one too old may not even run with our configuration.
    """
    if "caddy" in own_services(app.settings):
        version = version_from(app.engine.exec(container_name(app.settings, "caddy"), ["caddy", "version"]).output)
        hint = "docker pull caddy:2-alpine, then vpsctl init"
    else:
        version, hint = app.proxy.ping(), "upgrade your Caddy, then vpsctl init"
    if version < MINIMUM_VERSION:
        message = f"Caddy {dotted(version)} cannot switch traffic by files: {dotted(MINIMUM_VERSION)} or newer is needed"
        raise Invalid(message, hint=hint)
    return version


def dotted(version: tuple[int, int, int]) -> str:
    return ".".join(str(part) for part in version)


def redis_url(settings: Settings) -> str:
    """The settings', or the foundation's behind its Unix socket."""
    if settings.redis_url is not None:
        return settings.redis_url.reveal()
    return f"unix://{settings.home}/redis/redis.sock"


def check_redis(settings: Settings) -> str:
    """Redis's version. Raises Unavailable when it does not answer, Invalid for a URL that is none."""
    try:
        with redis.Redis.from_url(redis_url(settings), socket_connect_timeout=5.0, socket_timeout=5.0) as client:
            return str(client.info("server")["redis_version"])
    except ValueError as error:
        raise Invalid("redis_url is not a URL of Redis", hint="write it as redis://:password@host:6379/0") from error
    except redis.RedisError as error:
        # The error may quote the address, which does not hold the password.
        hint = "vpsctl init" if settings.redis_url is None else "correct redis_url: vpsctl init --redis-url URL"
        raise Unavailable(f"Redis cannot be reached: {error}", hint=hint) from error
