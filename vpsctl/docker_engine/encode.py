"""Our specifications in the Engine's JSON: pure functions."""

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from vpsctl.docker_engine.types import ContainerSpec, HealthcheckSpec, Mount, PortBinding
from vpsctl.errors import Invalid
from vpsctl.secret import Secret


def encode_environment(environment: Mapping[str, str | Secret]) -> list[str]:
    """`NAME=value` for each, secrets revealed: the result goes to the Engine and nowhere else.

    Raises Invalid for a name or a value that no process can have, naming the variable and not its value.
    """
    return [f"{_named(name)}={_valued(name, value)}" for name, value in environment.items()]


def _named(name: str) -> str:
    if not name or "=" in name or "\0" in name:
        raise Invalid(f"{name!r} is not the name of an environment variable", hint="rename it")
    return name


def _valued(name: str, value: str | Secret) -> str:
    text = value.reveal() if isinstance(value, Secret) else value
    if "\0" in text:
        raise Invalid(f"the value of {name} holds a NUL character, which no environment can carry", hint=f"correct {name}")
    return text


def encode_container(spec: ContainerSpec) -> dict[str, Any]:
    """The body of POST /containers/create; only the first attachment, as API 1.41 takes no more at creation."""
    body: dict[str, Any] = {
        "Image": spec.image,
        "Cmd": _list(spec.command),
        "Entrypoint": _list(spec.entrypoint),
        "Env": encode_environment(spec.environment),
        "Labels": dict(spec.labels),
        "User": spec.user,
        "WorkingDir": spec.working_dir,
        "Hostname": spec.hostname,
        "Tty": spec.tty,
        "StopSignal": spec.stop_signal,
        "StopTimeout": whole_seconds(spec.stop_grace) if spec.stop_grace is not None else None,
        "Healthcheck": _healthcheck(spec.healthcheck) if spec.healthcheck else None,
        "ExposedPorts": {_port_key(port): {} for port in spec.ports},
        "HostConfig": _present(_host(spec) | _limits(spec)),
    }
    if spec.attachments and spec.network_mode is None:
        first = spec.attachments[0]
        body["NetworkingConfig"] = {"EndpointsConfig": {first.network: {"Aliases": list(first.aliases)}}}
    return _present(body)


def _host(spec: ContainerSpec) -> dict[str, Any]:
    return {
        "NetworkMode": spec.network_mode or (spec.attachments[0].network if spec.attachments else "none"),
        "Mounts": [_mount(mount) for mount in spec.mounts],
        "Tmpfs": dict(_tmpfs(item) for item in spec.tmpfs),
        "PortBindings": _bindings(spec.ports),
        "RestartPolicy": _present({"Name": spec.restart, "MaximumRetryCount": spec.restart_retries}),
        "ReadonlyRootfs": spec.read_only,
        "CapDrop": list(spec.cap_drop),
        "SecurityOpt": list(spec.security_opt),
        "ExtraHosts": list(spec.extra_hosts),
        "Init": spec.init,
        "Privileged": spec.privileged,
        "PidMode": spec.pid_mode,
        "IpcMode": spec.ipc_mode,
        "LogConfig": {"Type": spec.log_driver, "Config": dict(spec.log_options)},
    }


def _limits(spec: ContainerSpec) -> dict[str, Any]:
    return {
        "ShmSize": spec.shm_size,
        "Ulimits": [{"Name": limit.name, "Soft": limit.soft, "Hard": limit.hard} for limit in spec.ulimits],
        "Memory": spec.memory,
        "MemoryReservation": spec.memory_reservation,
        "NanoCpus": spec.nano_cpus,
        "PidsLimit": spec.pids_limit,
    }


def _mount(mount: Mount) -> dict[str, Any]:
    body: dict[str, Any] = {"Type": mount.kind, "Target": mount.target, "ReadOnly": mount.read_only}
    if mount.source is not None:
        body["Source"] = mount.source
    if mount.tmpfs_size is not None:
        body["TmpfsOptions"] = {"SizeBytes": mount.tmpfs_size}
    return body


def _tmpfs(item: str) -> tuple[str, str]:
    path, _, options = item.partition(":")
    return path, options


def _port_key(port: PortBinding) -> str:
    return f"{port.container_port}/{port.protocol}"


def _bindings(ports: tuple[PortBinding, ...]) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    for port in ports:
        host_port = "" if port.host_port is None else str(port.host_port)
        found.setdefault(_port_key(port), []).append({"HostIp": port.host_ip, "HostPort": host_port})
    return found


def _healthcheck(check: HealthcheckSpec) -> dict[str, Any]:
    return _present(
        {
            "Test": list(check.test),
            "Interval": _nanoseconds(check.interval),
            "Timeout": _nanoseconds(check.timeout),
            "Retries": check.retries,
            "StartPeriod": _nanoseconds(check.start_period),
        }
    )


def _nanoseconds(duration: timedelta | None) -> int | None:
    return None if duration is None else duration // timedelta(microseconds=1) * 1000


def whole_seconds(duration: timedelta) -> int:
    """Rounded up: the Engine counts a grace in whole seconds, and 0 means to kill at once."""
    return math.ceil(duration.total_seconds())


def _list(items: tuple[str, ...] | None) -> list[str] | None:
    return None if items is None else list(items)


def _present(body: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in body.items() if value is not None}
