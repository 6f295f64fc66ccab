"""The frozen values that go into the Docker Engine and come out of it; no SDK type leaves this package."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from vpsctl.secret import Secret


@dataclass(frozen=True)
class EngineInfo:
    engine_version: str
    api_version: str
    cpus: int
    memory: int
    """Bytes."""
    architecture: str
    """As images name it: amd64, arm64."""
    root_dir: str
    operating_system: str
    live_restore: bool
    cgroup_driver: str = ""
    """cgroupfs or systemd."""
    cgroup_version: str = "1"


@dataclass(frozen=True)
class Mount:
    kind: Literal["volume", "bind", "tmpfs"]
    target: str
    source: str | None = None
    read_only: bool = False
    tmpfs_size: int | None = None


@dataclass(frozen=True)
class Attachment:
    network: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class PortBinding:
    container_port: int
    host_port: int | None
    """None: the Engine picks one."""
    host_ip: str = "127.0.0.1"
    protocol: Literal["tcp", "udp"] = "tcp"


@dataclass(frozen=True)
class HealthcheckSpec:
    test: tuple[str, ...]
    interval: timedelta | None = None
    timeout: timedelta | None = None
    retries: int | None = None
    start_period: timedelta | None = None


@dataclass(frozen=True)
class UlimitSpec:
    name: str
    soft: int
    hard: int


@dataclass(frozen=True)
class ContainerSpec:
    name: str
    image: str
    """An image id or reference that the Engine has; creating never pulls."""
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    environment: Mapping[str, str | Secret] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    """The first is the container's own network mode, the rest are connected before it starts; empty: no network."""
    ports: tuple[PortBinding, ...] = ()
    restart: Literal["no", "always", "on-failure", "unless-stopped"] = "no"
    restart_retries: int | None = None
    user: str | None = None
    working_dir: str | None = None
    hostname: str | None = None
    read_only: bool = False
    tmpfs: tuple[str, ...] = ()
    """As "/path" or "/path:options"."""
    cap_drop: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ()
    extra_hosts: tuple[str, ...] = ()
    init: bool | None = None
    shm_size: int | None = None
    ulimits: tuple[UlimitSpec, ...] = ()
    memory: int | None = None
    memory_reservation: int | None = None
    nano_cpus: int | None = None
    pids_limit: int | None = None
    log_driver: str = "json-file"
    log_options: Mapping[str, str] = field(default_factory=dict)
    healthcheck: HealthcheckSpec | None = None
    stop_grace: timedelta | None = None
    stop_signal: str | None = None
    privileged: bool = False
    network_mode: Literal["host", "none"] | str | None = None
    """Set only for the host's network or `container:<id>`; otherwise the attachments decide."""
    pid_mode: Literal["host"] | None = None
    ipc_mode: Literal["host"] | None = None
    tty: bool = False


@dataclass(frozen=True)
class Container:
    """One container as `inspect` tells it."""

    id: str
    name: str
    image: str
    """The reference it was made from."""
    image_id: str
    state: Literal["created", "running", "paused", "restarting", "removing", "exited", "dead"]
    labels: Mapping[str, str]
    exit_code: int
    oom_killed: bool
    restart_count: int
    created: datetime
    started: datetime | None
    finished: datetime | None
    health: Literal["starting", "healthy", "unhealthy"] | None
    addresses: Mapping[str, str]
    """Network name to IPv4 address, only while it runs."""
    aliases: Mapping[str, tuple[str, ...]]
    ports: tuple[PortBinding, ...]
    mounts: tuple[Mount, ...]
    memory: int | None
    nano_cpus: int | None
    restart: str
    pid: int
    error: str
    """The Engine's own words on why it would not start."""


@dataclass(frozen=True)
class ContainerSummary:
    """One container as the list tells it: no inspect, so 100 of them cost one request."""

    id: str
    name: str
    image: str
    image_id: str
    state: str
    status: str
    """The Engine's words: "Up 3 hours (healthy)"."""
    labels: Mapping[str, str]
    created: datetime
    addresses: Mapping[str, str]
    ports: tuple[PortBinding, ...]


@dataclass(frozen=True)
class Image:
    id: str
    tags: tuple[str, ...]
    digests: tuple[str, ...]
    """As "name@sha256:…"; empty for an image built here."""
    architecture: str
    size: int
    created: datetime
    labels: Mapping[str, str]
    exposed_ports: tuple[int, ...]
    volumes: tuple[str, ...]
    """Paths that the image declares as volumes."""
    environment: Mapping[str, str]
    command: tuple[str, ...]
    entrypoint: tuple[str, ...]
    user: str
    stop_signal: str | None
    working_dir: str = ""
    healthcheck: HealthcheckSpec | None = None


@dataclass(frozen=True)
class Network:
    id: str
    name: str
    labels: Mapping[str, str]
    subnet: str | None
    gateway: str | None
    internal: bool


@dataclass(frozen=True)
class Volume:
    name: str
    labels: Mapping[str, str]
    mountpoint: str
    created: datetime | None


@dataclass(frozen=True)
class LogLine:
    at: datetime | None
    stream: Literal["stdout", "stderr"]
    text: str


@dataclass(frozen=True)
class ExecResult:
    exit_code: int
    output: str
    """stdout and stderr as they came, decoded with replacement."""


@dataclass(frozen=True)
class Stats:
    container: str
    """Id."""
    name: str
    cpu_percent: float
    """Of one core: 150 is one and a half cores."""
    memory: int
    """Bytes in use without page cache."""
    memory_limit: int
    pids: int
    network_received: int
    network_sent: int


@dataclass(frozen=True)
class BuildSpec:
    context: str
    """An absolute directory on this machine."""
    dockerfile: str
    """Relative to the context, or absolute for a generated one outside it."""
    tag: str
    target: str | None = None
    args: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    memory: int | None = None
    """Bytes; the cap of each build container."""
    cpus: float | None = None
    pull: bool = False
    deadline: timedelta = timedelta(hours=1)
