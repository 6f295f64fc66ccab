"""Do Caddy, Postgres and Redis run and answer, and are they what this vpsctl needs?"""

from collections.abc import Iterator

from vpsctl.db.migrate import head_version
from vpsctl.errors import Unavailable
from vpsctl.hosts.checks.check import Check, Seen
from vpsctl.hosts.foundation import container_name, own_services
from vpsctl.hosts.ready import caddy_version, check_redis, dotted


def check_containers(seen: Seen) -> Iterator[Check]:
    """Our own containers of it, by the Engine's word."""
    by_name = {item.name: item for item in seen.containers() if seen.ours(item)}
    for service in own_services(seen.settings):
        name = container_name(seen.settings, service)
        found = by_name.get(name)
        if found is None:
            yield Check("foundation", "fail", f"there is no container {name}", "vpsctl init")
        elif found.state != "running":
            yield Check("foundation", "fail", f"{name} is {found.state}", "vpsctl init")
        elif "(unhealthy)" in found.status:
            yield Check("foundation", "fail", f"{name} is unhealthy", f"vpsctl container logs {name} --tail 50")
        else:
            yield Check("foundation", "ok", f"{name}: {found.status}")


def check_caddy_version(seen: Seen) -> Iterator[Check]:
    name = container_name(seen.settings, "caddy")
    own = "caddy" in own_services(seen.settings)
    if own and not any(item.name == name for item in seen.running()):
        yield Check("caddy", "skipped", f"{name} does not run")
    else:
        yield Check("caddy", "ok", f"version {dotted(caddy_version(seen.app))}{'' if own else ', yours'}")


def check_caddy_admin(seen: Seen) -> Iterator[Check]:
    try:
        seen.app.proxy.ping()
    except Unavailable as error:
        yield Check("caddy admin", "fail", error.message, "vpsctl init; then vpsctl container logs for why")
    else:
        yield Check("caddy admin", "ok", "answers")


def check_postgres(seen: Seen) -> Iterator[Check]:
    try:
        seen.schema()
    except Unavailable as error:
        yield Check("postgres", "fail", error.message, "vpsctl init starts it; then vpsctl container logs for why")
    else:
        yield Check("postgres", "ok", "answers")


def check_schema(seen: Seen) -> Iterator[Check]:
    version, head = seen.schema(), head_version()
    if version == head:
        yield Check("schema", "ok", f"version {version}")
    else:
        yield Check("schema", "fail", f"the schema is at {version or 'nothing'}, this vpsctl needs {head}", "vpsctl init")


def check_redis_answers(seen: Seen) -> Iterator[Check]:
    try:
        yield Check("redis", "ok", f"version {check_redis(seen.settings)}")
    except Unavailable as error:
        yield Check("redis", "fail", error.message, error.hint)
