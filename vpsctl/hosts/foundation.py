"""The foundation stack as containers: compose/foundation.yaml read by our own compose reader."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

from vpsctl.docker_engine.types import ContainerSpec
from vpsctl.errors import NotFound
from vpsctl.secret import Secret
from vpsctl.settings import Settings
from vpsctl.sites import naming
from vpsctl.sites.compose.read import read_site
from vpsctl.sites.compose.spec import Allowances, SiteSpec
from vpsctl.sites.containers import Placement, container_spec, with_config_label
from vpsctl.sites.naming import Names

ALLOWED = Allowances(outside_binds=True, public_ports=True)
"""For this one file, which is ours: Caddy's ports, and the directories of the sockets and of the proxy's files."""
EXTERNAL = {"caddy": "caddy_admin", "postgres": "postgres_url", "redis": "redis_url"}
"""Service to the setting that says one exists already."""
SOCKET_DIRECTORIES = ("postgres", "redis")


@dataclass(frozen=True)
class FoundationNames(Names):
    """`vpsctl-caddy`, `vpsctl-ingress`, `vpsctl-caddy-data`: no release, no replica."""

    def container(self, service: str, release: int, replica: int) -> str:
        return f"{self.instance}-{service}"

    def network(self, key: str = "default") -> str:
        return f"{self.instance}-{key}"

    def volume(self, key: str) -> str:
        return f"{self.instance}-{key}"


def own_services(settings: Settings) -> tuple[str, ...]:
    """The foundation's services that run here as our containers."""
    return tuple(service for service, key in EXTERNAL.items() if getattr(settings, key) is None)


def container_name(settings: Settings, service: str) -> str:
    return f"{settings.instance}-{service}"


def find_foundation() -> Path:
    """`compose/foundation.yaml`, in the installed package or in the checkout. Raises NotFound."""
    package = Path(str(files("vpsctl")))
    places = (package / "_compose" / "foundation.yaml", package.parent / "compose" / "foundation.yaml")
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise NotFound(f"this installation has no foundation.yaml (looked for {places[0]})", hint="install vpsctl again")
    return found


def read_foundation(settings: Settings, password: Secret) -> SiteSpec:
    """The file with our own services only. Raises Invalid for what the compose reader refuses."""
    path = find_foundation()
    variables: dict[str, str | Secret] = {
        "VPSCTL_HOME": str(settings.home),
        "VPSCTL_HTTP_PORT": str(settings.http_port),
        "VPSCTL_HTTPS_PORT": str(settings.https_port),
        "POSTGRES_PASSWORD": password,
    }
    spec = read_site(path.read_text(), variables=variables, allow=ALLOWED, name=path.name)
    own = own_services(settings)
    return replace(spec, services={name: service for name, service in spec.services.items() if name in own})


def wanted_containers(
    settings: Settings, spec: SiteSpec, images: Mapping[str, str], fingerprint: Callable[[str], str]
) -> tuple[ContainerSpec, ...]:
    """What should run: one container a service, with the hash of its definition. `images`: service to image id."""
    names = FoundationNames(settings.instance, "foundation")
    place = Placement(names=names, release=0, images=images)
    return tuple(
        with_config_label(_ours(container_spec(spec, service, place, 1), settings, name), fingerprint)
        for name, service in spec.services.items()
    )


def _ours(spec: ContainerSpec, settings: Settings, service: str) -> ContainerSpec:
    labels = {
        naming.INSTANCE: settings.instance,
        naming.ROLE: "foundation",
        naming.SERVICE: service,
        naming.MEMORY: str(spec.memory),
    }
    return replace(
        spec,
        labels=labels,
        # No alias: on the ingress network only container names resolve.
        attachments=tuple(replace(item, aliases=()) for item in spec.attachments),
        # No address is every address, IPv6 too; the compose file's default would be 127.0.0.1.
        ports=tuple(replace(port, host_ip="") for port in spec.ports),
    )


def wanted_volumes(settings: Settings, spec: SiteSpec) -> tuple[str, ...]:
    """The volumes of our own services, by the Engine's names."""
    names = FoundationNames(settings.instance, "foundation")
    keys = {item.source for service in spec.services.values() for item in service.volumes if item.kind == "volume"}
    return tuple(names.volume(key) for key in sorted(key for key in keys if key))
