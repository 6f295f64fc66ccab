"""The Engine's JSON as our frozen types: pure functions."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast

from vpsctl.docker_engine.types import (
    Container,
    ContainerSummary,
    EngineInfo,
    HealthcheckSpec,
    Image,
    Mount,
    Network,
    PortBinding,
    Stats,
    Volume,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def decode_time(text: str | None) -> datetime | None:
    """An aware datetime; None for the year 1, which the Engine writes for "never"."""
    if not text or text.startswith("0001-"):
        return None
    return datetime.fromisoformat(text)


def decode_info(info: Mapping[str, Any], version: Mapping[str, Any], api_version: str) -> EngineInfo:
    return EngineInfo(
        engine_version=version["Version"],
        api_version=api_version,
        cpus=info["NCPU"],
        memory=info["MemTotal"],
        architecture=version["Arch"],
        root_dir=info["DockerRootDir"],
        operating_system=info["OperatingSystem"],
        live_restore=bool(info.get("LiveRestoreEnabled")),
        cgroup_driver=info.get("CgroupDriver", ""),
        cgroup_version=info.get("CgroupVersion", "1"),
    )


def decode_container(body: Mapping[str, Any]) -> Container:
    state, config, host = body["State"], body["Config"], body["HostConfig"]
    return Container(
        id=body["Id"],
        name=body["Name"].removeprefix("/"),
        image=config["Image"],
        image_id=body["Image"],
        state=state["Status"],
        labels=config["Labels"] or {},
        exit_code=state["ExitCode"],
        oom_killed=bool(state["OOMKilled"]),
        restart_count=body.get("RestartCount", 0),
        created=decode_time(body["Created"]) or EPOCH,
        started=decode_time(state["StartedAt"]),
        finished=decode_time(state["FinishedAt"]),
        health=_health(state),
        addresses=_addresses(body["NetworkSettings"]),
        aliases=_aliases(body["NetworkSettings"], body["Id"]),
        ports=tuple(_published(body["NetworkSettings"].get("Ports") or host.get("PortBindings") or {})),
        mounts=tuple(_mounts(body["Mounts"])),
        memory=host.get("Memory") or None,
        nano_cpus=_nano_cpus(host),
        restart=host["RestartPolicy"]["Name"] or "no",
        pid=state["Pid"],
        error=state["Error"],
    )


def _health(state: Mapping[str, Any]) -> Literal["starting", "healthy", "unhealthy"] | None:
    status = (state.get("Health") or {}).get("Status")
    return status if status in ("starting", "healthy", "unhealthy") else None


def _networks(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    return settings.get("Networks") or {}


def _addresses(settings: Mapping[str, Any]) -> dict[str, str]:
    return {name: end["IPAddress"] for name, end in _networks(settings).items() if end.get("IPAddress")}


def _aliases(settings: Mapping[str, Any], container_id: str) -> dict[str, tuple[str, ...]]:
    """The aliases asked for: Engines before 26 add the short id to them."""
    return {
        name: tuple(alias for alias in end.get("Aliases") or () if alias != container_id[:12])
        for name, end in _networks(settings).items()
    }


def _published(ports: Mapping[str, list[Mapping[str, str]] | None]) -> Iterator[PortBinding]:
    for key, bindings in ports.items():
        number, _, protocol = key.partition("/")
        for binding in bindings or ():
            host_port = int(binding["HostPort"]) if binding.get("HostPort") else None
            yield PortBinding(int(number), host_port, binding.get("HostIp") or "0.0.0.0", _protocol(protocol))  # noqa: S104


def _protocol(text: str) -> Literal["tcp", "udp"]:
    return "udp" if text == "udp" else "tcp"


def _mounts(mounts: list[Mapping[str, Any]]) -> Iterator[Mount]:
    for mount in mounts:
        if mount["Type"] in ("volume", "bind", "tmpfs"):
            kind = cast(Literal["volume", "bind", "tmpfs"], mount["Type"])
            source = mount.get("Name") if kind == "volume" else mount.get("Source")
            yield Mount(kind, mount["Destination"], source or None, read_only=not mount["RW"])


def _nano_cpus(host: Mapping[str, Any]) -> int | None:
    """The CPU cap, also of a container that another tool capped by quota."""
    quota, period = host.get("CpuQuota") or 0, host.get("CpuPeriod") or 100_000
    return host.get("NanoCpus") or (quota * 1_000_000_000 // period if quota > 0 else None)


def decode_summary(body: Mapping[str, Any]) -> ContainerSummary:
    names = [name.removeprefix("/") for name in body.get("Names") or ()]
    return ContainerSummary(
        id=body["Id"],
        # A container that others link to has their "other/alias" as names too.
        name=next((name for name in names if "/" not in name), body["Id"][:12]),
        image=body["Image"],
        image_id=body["ImageID"],
        state=body["State"],
        status=body["Status"],
        labels=body.get("Labels") or {},
        created=datetime.fromtimestamp(body["Created"], UTC),
        addresses=_addresses(body.get("NetworkSettings") or {}),
        ports=tuple(
            PortBinding(port["PrivatePort"], port["PublicPort"], port.get("IP") or "0.0.0.0", _protocol(port["Type"]))  # noqa: S104
            for port in body.get("Ports") or ()
            if port.get("PublicPort")
        ),
    )


def decode_image(body: Mapping[str, Any]) -> Image:
    config = body.get("Config") or {}
    ports = (key.partition("/") for key in config.get("ExposedPorts") or ())
    return Image(
        id=body["Id"],
        tags=tuple(body.get("RepoTags") or ()),
        digests=tuple(body.get("RepoDigests") or ()),
        architecture=body["Architecture"],
        size=body["Size"],
        created=decode_time(body.get("Created")) or EPOCH,
        labels=config.get("Labels") or {},
        exposed_ports=tuple(sorted(int(number) for number, _, protocol in ports if protocol in ("", "tcp"))),
        volumes=tuple(sorted(config.get("Volumes") or ())),
        environment=dict(_pair(item) for item in config.get("Env") or ()),
        command=tuple(config.get("Cmd") or ()),
        entrypoint=tuple(config.get("Entrypoint") or ()),
        user=config.get("User") or "",
        stop_signal=config.get("StopSignal") or None,
        working_dir=config.get("WorkingDir") or "",
        healthcheck=decode_healthcheck(config.get("Healthcheck")),
    )


def decode_healthcheck(body: Mapping[str, Any] | None) -> HealthcheckSpec | None:
    """Times are in nanoseconds there; zero is the Engine's default."""
    if not body:
        return None
    return HealthcheckSpec(
        tuple(body.get("Test") or ()),
        interval=_nanoseconds(body.get("Interval")),
        timeout=_nanoseconds(body.get("Timeout")),
        retries=body.get("Retries") or None,
        start_period=_nanoseconds(body.get("StartPeriod")),
    )


def _nanoseconds(count: int | None) -> timedelta | None:
    return timedelta(microseconds=count // 1000) if count else None


def _pair(item: str) -> tuple[str, str]:
    name, _, value = item.partition("=")
    return name, value


def decode_network(body: Mapping[str, Any]) -> Network:
    pools = (body.get("IPAM") or {}).get("Config") or [{}]
    return Network(
        id=body["Id"],
        name=body["Name"],
        labels=body.get("Labels") or {},
        subnet=pools[0].get("Subnet"),
        gateway=pools[0].get("Gateway"),
        internal=bool(body.get("Internal")),
    )


def decode_volume(body: Mapping[str, Any]) -> Volume:
    return Volume(
        name=body["Name"],
        labels=body.get("Labels") or {},
        mountpoint=body["Mountpoint"],
        created=decode_time(body.get("CreatedAt")),
    )


def decode_stats(body: Mapping[str, Any]) -> Stats | None:
    """None for a container that does not run: the Engine answers with an empty sample."""
    if decode_time(body.get("read")) is None:
        return None
    memory = body.get("memory_stats") or {}
    networks = (body.get("networks") or {}).values()
    return Stats(
        container=body["id"],
        name=body["name"].removeprefix("/"),
        cpu_percent=_cpu_percent(body["cpu_stats"], body["precpu_stats"]),
        memory=max(0, memory.get("usage", 0) - _file_cache(memory.get("stats") or {})),
        memory_limit=memory.get("limit", 0),
        pids=(body.get("pids_stats") or {}).get("current", 0),
        network_received=sum(network["rx_bytes"] for network in networks),
        network_sent=sum(network["tx_bytes"] for network in networks),
    )


def _cpu_percent(now: Mapping[str, Any], before: Mapping[str, Any]) -> float:
    system: int = now.get("system_cpu_usage", 0) - before.get("system_cpu_usage", 0)
    used: int = now["cpu_usage"]["total_usage"] - before["cpu_usage"]["total_usage"]
    if system <= 0 or used <= 0:
        return 0.0
    cores: int = now.get("online_cpus") or len(now["cpu_usage"].get("percpu_usage") or ()) or 1
    return used / system * cores * 100.0


def _file_cache(counters: Mapping[str, int]) -> int:
    """The page cache that the kernel drops first, as `docker stats` counts it: cgroup v1's name, then v2's."""
    return counters.get("total_inactive_file", counters.get("inactive_file", 0))
