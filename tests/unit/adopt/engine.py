"""What the Engine says of a container that `docker run` made, to be inferred from."""

from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from vpsctl.docker_engine.types import Image
from vpsctl.sites.adopt.found import Found

MIB = 1024**2


def image(**values: Any) -> Image:
    base: dict[str, Any] = {
        "id": "sha256:" + "a" * 64,
        "tags": ("shop:1.0",),
        "digests": (),
        "architecture": "amd64",
        "size": 1,
        "created": datetime(2026, 1, 1, tzinfo=UTC),
        "labels": {},
        "exposed_ports": (),
        "volumes": (),
        "environment": {"PATH": "/bin"},
        "command": ("serve",),
        "entrypoint": (),
        "user": "",
        "stop_signal": None,
    }
    return Image(**{**base, **values})


def found(name: str = "app", *, made_from: Image | None = None, reference: str = "", **values: Any) -> Found:
    """`config`, `host`, `networks`, `mounts`, `ports` and `state` go over what a plain container has."""
    made_from = made_from or image()
    reference = reference or (made_from.tags[0] if made_from.tags else made_from.id)
    number = sha256(name.encode()).hexdigest()
    config: dict[str, Any] = {
        "Image": reference,
        "Labels": {},
        "Env": [f"{key}={value}" for key, value in made_from.environment.items()],
        "Cmd": list(made_from.command),
        "Entrypoint": list(made_from.entrypoint) or None,
        "User": made_from.user,
        "WorkingDir": made_from.working_dir,
        "Hostname": number[:12],
    }
    host: dict[str, Any] = {
        "RestartPolicy": {"Name": "unless-stopped", "MaximumRetryCount": 0},
        "NetworkMode": "default",
        "Memory": 256 * MIB,
        "NanoCpus": 1_000_000_000,
        "ShmSize": 64 * MIB,
        "LogConfig": {"Type": "json-file", "Config": {}},
        "IpcMode": "private",
        "Runtime": "runc",
    }
    body = {
        "Id": number,
        "Name": f"/{name}",
        "Image": made_from.id,
        "Created": "2026-01-01T00:00:00Z",
        "State": {
            "Status": "running",
            "ExitCode": 0,
            "OOMKilled": False,
            "StartedAt": "2026-01-01T00:00:00Z",
            "FinishedAt": "0001-01-01T00:00:00Z",
            "Pid": 1,
            "Error": "",
            **values.get("state", {}),
        },
        "Config": {**config, **values.get("config", {})},
        "HostConfig": {**host, **values.get("host", {})},
        "NetworkSettings": {
            "Networks": values.get("networks", {"bridge": {"IPAddress": "172.17.0.2", "Aliases": None}}),
            "Ports": values.get("ports", {}),
        },
        "Mounts": values.get("mounts", []),
    }
    return Found(body, made_from, reference, values.get("usage", 10 * MIB), values.get("neighbours", ()))


def env(values: dict[str, str]) -> dict[str, Any]:
    return {"Env": ["PATH=/bin", *(f"{name}={value}" for name, value in values.items())]}


def volume(name: str, target: str, *, writable: bool = True) -> dict[str, Any]:
    return {"Type": "volume", "Name": name, "Source": f"/var/{name}", "Destination": target, "RW": writable}


def bind(source: str, target: str) -> dict[str, Any]:
    return {"Type": "bind", "Source": source, "Destination": target, "RW": True}


def published(port: int, host_port: int, address: str = "0.0.0.0", protocol: str = "tcp") -> dict[str, Any]:
    return {f"{port}/{protocol}": [{"HostIp": address, "HostPort": str(host_port)}]}
