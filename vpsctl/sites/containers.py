"""A service of a compose file as the container the Engine is asked for, with the defaults that fit a small VPS."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from vpsctl.docker_engine.types import (
    Attachment,
    ContainerSpec,
    HealthcheckSpec,
    Mount,
    PortBinding,
    UlimitSpec,
)
from vpsctl.encoding import to_plain
from vpsctl.secret import Secret
from vpsctl.sites import naming
from vpsctl.sites.compose.roles import runs_once, update_order
from vpsctl.sites.compose.spec import Port, Service, SiteSpec
from vpsctl.sites.naming import Names

DEFAULT_MEMORY = 512 * 1024**2
DEFAULT_CPUS = 0.5
DEFAULT_PIDS = 512
BOOKKEEPING = (naming.RELEASE, naming.CPUS, naming.REPLICAS, naming.ORDER)
"""Labels that tell of a container without defining it: scaling must not make the others look changed."""
LOG_OPTIONS = {"max-size": "10m", "max-file": "3"}


@dataclass(frozen=True)
class Placement:
    """Where a release's containers go: everything that is not in the compose file."""

    names: Names
    release: int
    images: Mapping[str, str]
    """Service to image id."""
    directory: Path | None = None
    """The site's directory: binds are relative to it."""
    host_ports: Mapping[tuple[str, int, str], int] = field(default_factory=dict)
    """(service, container port, protocol) to the port handed out for it."""


def container_spec(spec: SiteSpec, service: Service, place: Placement, replica: int) -> ContainerSpec:
    """The container of one replica of `service`, without its config label (`with_config_label` adds it)."""
    web = spec.intent.web is not None and spec.intent.web.service == service.name
    limits = service.resources
    return ContainerSpec(
        name=place.names.container(service.name, place.release, replica),
        image=place.images[service.name],
        command=service.command,
        entrypoint=service.entrypoint,
        environment=service.environment,
        labels=_labels(spec, service, place, web=web),
        mounts=_mounts(spec, service, place),
        attachments=() if service.network_mode else _attachments(service, place, web=web),
        ports=_ports(spec, service, place),
        restart=service.restart,
        restart_retries=service.restart_retries,
        user=service.user,
        working_dir=service.working_dir,
        hostname=None,
        read_only=service.read_only,
        tmpfs=service.tmpfs,
        cap_drop=service.cap_drop,
        security_opt=_security(service),
        extra_hosts=service.extra_hosts,
        init=service.init,
        shm_size=service.shm_size,
        ulimits=tuple(UlimitSpec(item.name, item.soft, item.hard) for item in service.ulimits),
        memory=memory_limit(service),
        memory_reservation=limits.memory_reservation,
        nano_cpus=round(cpu_limit(service) * 1e9),
        pids_limit=limits.pids or DEFAULT_PIDS,
        log_driver=service.logging.driver if service.logging else "json-file",
        log_options=service.logging.options if service.logging else LOG_OPTIONS,
        healthcheck=_healthcheck(service),
        stop_grace=service.stop_grace_period,
        stop_signal=service.stop_signal,
        privileged=service.privileged,
        network_mode=service.network_mode,
        pid_mode=service.pid_mode,
        ipc_mode=service.ipc_mode,
    )


def memory_limit(service: Service) -> int:
    """Bytes one container of it may use."""
    return service.resources.memory or DEFAULT_MEMORY


def cpu_limit(service: Service) -> float:
    """Cores one container of it may use."""
    return service.resources.cpus or DEFAULT_CPUS


def with_config_label(spec: ContainerSpec, fingerprint: Callable[[str], str]) -> ContainerSpec:
    """`spec` labelled with the hash of its definition, by which a later deploy sees whether it changed.

    The name and the release do not count. A secret counts by `fingerprint` (a keyed hash), since a plain hash of a
    weak password in a label could be guessed offline.
    """
    bare = replace(
        spec,
        name="",
        labels={key: value for key, value in spec.labels.items() if key not in BOOKKEEPING},
        environment={
            key: f"secret:{fingerprint(value.reveal())}" if isinstance(value, Secret) else value
            for key, value in spec.environment.items()
        },
    )
    text = json.dumps(to_plain(bare), sort_keys=True, ensure_ascii=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return replace(spec, labels={**spec.labels, naming.CONFIG: digest})


def _labels(spec: SiteSpec, service: Service, place: Placement, *, web: bool) -> dict[str, str]:
    ours = place.names.labels(
        **{
            naming.SERVICE: service.name,
            naming.RELEASE: str(place.release),
            naming.ROLE: "web" if web else "service",
            naming.REPLICAS: str(service.replicas),
            naming.MEMORY: str(memory_limit(service)),
            naming.CPUS: f"{cpu_limit(service):g}",
            naming.ORDER: "once" if runs_once(spec, service.name) else update_order(spec, service),
        }
    )
    if web and spec.intent.web is not None:
        ours |= {
            naming.DOMAINS: ",".join(spec.intent.web.domains),
            naming.PORT: str(spec.intent.web.port),
            naming.TLS: spec.intent.web.tls,
        }
    return {**service.labels, **ours}


def _mounts(spec: SiteSpec, service: Service, place: Placement) -> tuple[Mount, ...]:
    mounts = []
    for item in service.volumes:
        source = item.source
        if item.kind == "volume" and source is not None:
            declared = spec.volumes.get(source)
            source = declared.external if declared and declared.external else place.names.volume(source)
        elif item.kind == "bind" and source is not None:
            source = str((place.directory or Path("/")) / source)
        mounts.append(Mount(item.kind, item.target, source, item.read_only, item.tmpfs_size))
    return tuple(mounts)


def _attachments(service: Service, place: Placement, *, web: bool) -> tuple[Attachment, ...]:
    """The site's networks under the service's name; the ingress network under no name but the container's own."""
    wanted = service.networks or {"default": ()}
    inside = [Attachment(place.names.network(key), (service.name, *aliases)) for key, aliases in wanted.items()]
    return (*inside, Attachment(naming.ingress(place.names.instance))) if web else tuple(inside)


def _ports(spec: SiteSpec, service: Service, place: Placement) -> tuple[PortBinding, ...]:
    """Published ports, on 127.0.0.1 unless allowed otherwise; the web port is the proxy's and is not published."""
    return tuple(
        PortBinding(
            port.target,
            place.host_ports.get((service.name, port.target, port.protocol), port.published),
            port.host_ip or "127.0.0.1",
            port.protocol,
        )
        for port in published_ports(spec, service)
    )


def published_ports(spec: SiteSpec, service: Service) -> tuple[Port, ...]:
    """The ports of a service that are really published: all but the web port, which the proxy serves."""
    web = spec.intent.web
    return tuple(port for port in service.ports if web is None or web.service != service.name or port.target != web.port)


def _security(service: Service) -> tuple[str, ...]:
    """Without new privileges, unless the file says otherwise by name or asks for all of them."""
    said = any(option.startswith("no-new-privileges") for option in service.security_opt)
    return service.security_opt if said or service.privileged else (*service.security_opt, "no-new-privileges:true")


def _healthcheck(service: Service) -> HealthcheckSpec | None:
    check = service.healthcheck
    if check is None:
        return None
    return HealthcheckSpec(check.test, check.interval, check.timeout, check.retries, check.start_period)
