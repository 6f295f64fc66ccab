"""One service: every key vpsctl supports, and what to write instead of the ones it does not."""

from collections.abc import Callable, Mapping
from typing import Any, cast

from vpsctl.sites.compose.build import read_build
from vpsctl.sites.compose.environment import read_environment
from vpsctl.sites.compose.field import Field, shown
from vpsctl.sites.compose.mounts import check_target, read_mounts, read_tmpfs
from vpsctl.sites.compose.names import ALIAS, NETWORK, SERVICE, USER, parse_image, parse_signal
from vpsctl.sites.compose.ports import read_ports
from vpsctl.sites.compose.resources import read_deploy
from vpsctl.sites.compose.runtime import (
    read_capabilities,
    read_command,
    read_healthcheck,
    read_host_namespace,
    read_hosts,
    read_labels,
    read_logging,
    read_network_mode,
    read_restart,
    read_security,
    read_ulimits,
)
from vpsctl.sites.compose.spec import Condition, Service
from vpsctl.sites.compose.units import parse_duration, parse_size

CONDITIONS = ("service_started", "service_healthy", "service_completed_successfully")


def read_depends_on(field: Field) -> dict[str, Condition]:
    """A list of services, or a map of {condition}; without one, started is enough."""
    if field.listed:
        return dict.fromkeys(field.texts(), "service_started")
    wanted: dict[str, Condition] = {}
    for name, item in field.entries().items():
        keys = item.keys(("condition",), {"required": "remove it", "restart": "remove it"})
        condition = keys["condition"].choice(CONDITIONS) if "condition" in keys else "service_started"
        wanted[name] = cast(Condition, condition)
    return wanted


def read_networks(field: Field) -> dict[str, tuple[str, ...]]:
    """A list of networks, or a map of {aliases}."""
    named = {item.text(): None for item in field.items()} if field.listed else field.entries()
    networks: dict[str, tuple[str, ...]] = {}
    for name, item in named.items():
        if not NETWORK.fullmatch(name):
            raise field.invalid(f"{shown(name)} is not a network's name", "use lower-case letters, digits, - and _")
        networks[name] = _aliases(item) if item is not None and not item.null else ()
    return networks


def _aliases(item: Field) -> tuple[str, ...]:
    keys = item.keys(("aliases",), {"ipv4_address": "remove it: containers find each other by name"})
    return tuple(alias.matching(ALIAS, "a host name") for alias in keys["aliases"].items()) if "aliases" in keys else ()


def read_profiles(field: Field) -> tuple[str, ...]:
    return tuple(item.literal() for item in field.items())


def _privileged(field: Field) -> bool:
    value = field.boolean()
    if value:
        field.require(field.scope.allow.privileged, "privileged", "privileged: true")
    return value


def _text(field: Field) -> str:
    text = field.text()
    if not text or not text.isprintable():
        raise field.invalid(f"{shown(text)} is not a value for it")
    return text


_READERS: Mapping[str, Callable[[Field], Any]] = {
    "image": lambda field: field.parsed(parse_image),
    "build": read_build,
    "command": read_command,
    "entrypoint": read_command,
    "volumes": read_mounts,
    "ports": read_ports,
    "networks": read_networks,
    "network_mode": read_network_mode,
    "depends_on": read_depends_on,
    "healthcheck": read_healthcheck,
    "labels": read_labels,
    "logging": read_logging,
    "stop_grace_period": lambda field: field.parsed(parse_duration),
    "stop_signal": lambda field: field.parsed(parse_signal),
    "user": lambda field: field.matching(USER, "a user: write a name, a number, or user:group"),
    "working_dir": lambda field: check_target(field, field.text()),
    "read_only": Field.boolean,
    "tmpfs": read_tmpfs,
    "cap_drop": read_capabilities,
    "security_opt": read_security,
    "extra_hosts": read_hosts,
    "init": Field.boolean,
    "shm_size": lambda field: field.parsed(parse_size),
    "ulimits": read_ulimits,
    "profiles": read_profiles,
    "privileged": _privileged,
}
_NAMESPACES = {"pid": "pid_mode", "ipc": "ipc_mode"}
_ELSEWHERE = ("environment", "env_file", "restart", "deploy", "mem_limit", "cpus")
KEYS = (*_READERS, *_NAMESPACES, *_ELSEWHERE)
_ADVICE = {
    "container_name": "remove it: vpsctl names containers, and the other services reach this one by its service name",
    "hostname": "remove it: the other services reach this one by its service name",
    "links": "remove it: services of a site reach each other by name",
    "expose": "remove it: services of a site reach each other on every port",
    "secrets": "name credentials under x-vpsctl.secrets, and use them as ${NAME} in environment",
    "configs": "bind the file instead: volumes: [./app.conf:/etc/app.conf:ro]",
    "extends": "use an anchor: <<: *name",
    "scale": "write deploy: {replicas: N}",
    "pids_limit": "write deploy: {resources: {limits: {pids: N}}}",
    "mem_reservation": "write deploy: {resources: {reservations: {memory: …}}}",
    "pull_policy": "remove it: vpsctl pulls an image once and keeps its digest with the release",
    "cap_add": "remove it: vpsctl only takes capabilities away",
    "devices": "remove it: vpsctl gives no device to a site",
    "external_links": "remove it: a site has its own network",
    "group_add": "write user: name:group",
}


def read_service(name: str, field: Field) -> Service:
    """Raises Invalid for a key that is unknown, wrong or not allowed."""
    if not SERVICE.fullmatch(name):
        raise field.invalid(
            f"{shown(name)} is not a service's name", "use lower-case letters, digits, - and _, at most 30, a letter first"
        )
    keys = field.keys(KEYS, _ADVICE)
    values: dict[str, Any] = {key: _READERS[key](item) for key, item in keys.items() if key in _READERS}
    values |= {_NAMESPACES[key]: read_host_namespace(item) for key, item in keys.items() if key in _NAMESPACES}
    if "restart" in keys:
        values["restart"], values["restart_retries"] = read_restart(keys["restart"])
    replicas, resources = read_deploy(keys)
    service = Service(
        name=name,
        environment=read_environment(keys.get("environment"), keys.get("env_file")),
        replicas=replicas,
        resources=resources,
        line=field.line,
        **values,
    )
    _check(service, field, keys)
    return service


def _check(service: Service, field: Field, keys: Mapping[str, Field]) -> None:
    if service.image is None and service.build is None:
        raise field.invalid(f"the service {service.name} has neither image nor build", "add image: or build: .")
    if service.image is not None and service.build is not None:
        raise keys["image"].invalid(
            "image and build together leave open which one a deploy takes", "remove image: vpsctl names what it builds"
        )
    for key in ("ports", "networks"):
        if service.network_mode and key in keys:
            raise keys[key].invalid(f"has no meaning beside network_mode: {service.network_mode}", "remove one of the two")
