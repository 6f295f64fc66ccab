"""What a site's compose file says, as frozen values: every service key we support, and the intent of `x-vpsctl`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from vpsctl.secret import Secret

Value = str | Secret
Condition = Literal["service_started", "service_healthy", "service_completed_successfully"]
Restart = Literal["no", "always", "on-failure", "unless-stopped"]


@dataclass(frozen=True)
class Build:
    context: str
    """A directory, relative to the compose file."""
    dockerfile: str | None = None
    target: str | None = None
    args: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Port:
    target: int
    published: int | None = None
    host_ip: str | None = None
    protocol: Literal["tcp", "udp"] = "tcp"


@dataclass(frozen=True)
class VolumeMount:
    kind: Literal["volume", "bind", "tmpfs"]
    target: str
    source: str | None = None
    """A volume's key in `volumes:`, or a bind's path relative to the site's directory (absolute if allowed).
    None: anonymous."""
    read_only: bool = False
    tmpfs_size: int | None = None
    """Bytes."""


@dataclass(frozen=True)
class Healthcheck:
    test: tuple[str, ...]
    """As the Engine takes it: ("CMD", …), ("CMD-SHELL", command) or ("NONE",)."""
    interval: timedelta | None = None
    timeout: timedelta | None = None
    retries: int | None = None
    start_period: timedelta | None = None


@dataclass(frozen=True)
class Resources:
    memory: int | None = None
    """Bytes."""
    cpus: float | None = None
    memory_reservation: int | None = None
    pids: int | None = None


@dataclass(frozen=True)
class Logging:
    driver: str
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Ulimit:
    name: str
    soft: int
    hard: int


@dataclass(frozen=True)
class Service:
    name: str
    image: str | None = None
    build: Build | None = None
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    environment: Mapping[str, Value] = field(default_factory=dict)
    """Complete: env_file merged under environment, interpolated; a Secret where a credential took part."""
    volumes: tuple[VolumeMount, ...] = ()
    ports: tuple[Port, ...] = ()
    networks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Network key to extra aliases; empty means the site's default network."""
    depends_on: Mapping[str, Condition] = field(default_factory=dict)
    healthcheck: Healthcheck | None = None
    restart: Restart = "unless-stopped"
    restart_retries: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    replicas: int = 1
    resources: Resources = field(default_factory=Resources)
    logging: Logging | None = None
    stop_grace_period: timedelta | None = None
    stop_signal: str | None = None
    user: str | None = None
    working_dir: str | None = None
    read_only: bool = False
    tmpfs: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ()
    extra_hosts: tuple[str, ...] = ()
    """As "name:address"."""
    init: bool | None = None
    shm_size: int | None = None
    """Bytes."""
    ulimits: tuple[Ulimit, ...] = ()
    profiles: tuple[str, ...] = ()
    privileged: bool = False
    network_mode: Literal["host", "none"] | None = None
    pid_mode: Literal["host"] | None = None
    ipc_mode: Literal["host"] | None = None
    line: int = 0


@dataclass(frozen=True)
class Volume:
    name: str
    external: str | None = None
    """The Engine's name of a volume that exists already (`external: true`, `name: …`): never created, never removed."""


@dataclass(frozen=True)
class Network:
    name: str
    internal: bool = False


@dataclass(frozen=True)
class Web:
    service: str
    port: int
    domains: tuple[str, ...]
    tls: Literal["auto", "internal", "off"] = "auto"


@dataclass(frozen=True)
class Probe:
    path: str = "/"
    interval: timedelta = timedelta(seconds=1)
    timeout: timedelta = timedelta(seconds=5)
    expect_status: tuple[int, int] = (200, 399)
    """Lowest and highest status that counts as an answer, both included."""
    success_threshold: int = 2


@dataclass(frozen=True)
class Update:
    order: Literal["auto", "start-first", "stop-first"] = "auto"
    deploy_timeout: timedelta = timedelta(seconds=60)
    drain_timeout: timedelta = timedelta(seconds=30)
    bake: timedelta = timedelta(seconds=30)
    retain: int = 5


@dataclass(frozen=True)
class PreDeploy:
    command: tuple[str, ...]
    timeout: timedelta = timedelta(minutes=5)
    service: str | None = None
    """Whose image and environment it runs with; None: the web service."""


@dataclass(frozen=True)
class BackupIntent:
    schedule: str = "0 2 * * *"
    keep: Mapping[str, int] = field(default_factory=dict)
    verify: str = "weekly"


@dataclass(frozen=True)
class Grant:
    """A credential a site uses, and the services that get it in their environment (empty: the web service)."""

    name: str
    services: tuple[str, ...] = ()


@dataclass(frozen=True)
class Intent:
    """The `x-vpsctl` section."""

    project: str | None = None
    web: Web | None = None
    probe: Probe = field(default_factory=Probe)
    secrets: tuple[Grant, ...] = ()
    update: Update = field(default_factory=Update)
    pre_deploy: PreDeploy | None = None
    backup: BackupIntent | None = None
    profiles: tuple[str, ...] = ()
    """Compose profiles that are on here; a service whose profiles are all off is not in `SiteSpec.services`."""


@dataclass(frozen=True)
class SiteSpec:
    name: str
    services: Mapping[str, Service]
    volumes: Mapping[str, Volume] = field(default_factory=dict)
    networks: Mapping[str, Network] = field(default_factory=dict)
    intent: Intent = field(default_factory=Intent)


@dataclass(frozen=True)
class Allowances:
    """What the operator lets a compose file ask for, by named flags in the settings; all closed by default."""

    privileged: bool = False
    host_namespaces: bool = False
    docker_socket: bool = False
    outside_binds: bool = False
    public_ports: bool = False
