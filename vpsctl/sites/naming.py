"""The names and labels of everything a site has on the engine: how we find it again with Postgres down."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from vpsctl.errors import Invalid

INSTANCE = "vpsctl.instance"
SITE = "vpsctl.site"
IMAGE_INSTANCE = "vpsctl.image.instance"
"""On images we build. A container inherits its image's labels: with the containers' own label on an image, one that the
operator runs from it by hand would pass for the site's, and be removed with it."""
SERVICE = "vpsctl.service"
RELEASE = "vpsctl.release"
ROLE = "vpsctl.role"
"""web and service: what a site runs. pre-deploy, backup: containers of a moment, which count for nothing else.
foundation: what all sites stand on."""
BACKUP_ROLE = "backup"
"""A container that a dump, its verification or a drill runs in: of a site, and of none of its services."""
CONFIG = "vpsctl.config"
DOMAINS = "vpsctl.domains"
PORT = "vpsctl.port"
REPLICAS = "vpsctl.replicas"
TLS = "vpsctl.tls"
MEMORY = "vpsctl.memory"
"""The memory cap in bytes: the Engine's list does not tell it, and `status` asks for no more than the list."""
CPUS = "vpsctl.cpus"
"""The processor cap in cores, for the same reason."""
ORDER = "vpsctl.order"
"""How its service is replaced (compose.roles.Order), or "once": going back knows by it which containers may run at once."""
ADOPTED = "vpsctl.adopted"
"""On no container: stands for "we took it over and did not make it", where labels are synthesised (adopt.record)."""


@dataclass(frozen=True)
class Names:
    """The names of one site in one installation."""

    instance: str
    site: str

    def container(self, service: str, release: int, replica: int) -> str:
        """Also the host name that Caddy dials, so it obeys DNS: raises Invalid over 63 characters."""
        name = f"{self.instance}-{self.site}-{service}-r{release}-{replica}"
        if len(name) > 63:
            raise Invalid(
                f"the container name {name!r} is longer than the 63 characters DNS allows",
                hint="shorten the service's name in compose.yaml",
            )
        return name

    def network(self, key: str = "default") -> str:
        return f"{self.instance}-{self.site}" if key == "default" else f"{self.instance}-{self.site}-{key}"

    def volume(self, key: str) -> str:
        return f"{self.instance}-{self.site}-{key}"

    def image(self, service: str, release: int) -> str:
        return f"{image_name(self.instance, self.site, service)}:r{release}"

    def image_pattern(self) -> str:
        """The repositories of all the site's images, as the Engine's `reference` filter wants it."""
        return f"{self.instance}/{self.site}/*"

    def labels(self, **more: str) -> dict[str, str]:
        """The labels that say it is ours, and of this site."""
        return {INSTANCE: self.instance, SITE: self.site, **more}


def ingress(instance: str) -> str:
    return f"{instance}-ingress"


def release_of(labels: Mapping[str, str]) -> int:
    """The release number in a container's labels; 0 for an adopted container, which belongs to none."""
    text = labels.get(RELEASE, "")
    return int(text) if text.isdigit() else 0


def image_name(instance: str, site: str, service: str) -> str:
    """The repository part of the tag; a service's name that an image cannot have is told apart by its hash."""
    plain = re.sub(r"[^a-z0-9]+", "-", service.lower()).strip("-") or "service"
    if plain != service:
        plain = f"{plain}-{sha256(service.encode()).hexdigest()[:6]}"
    return f"{instance}/{site}/{plain}"
