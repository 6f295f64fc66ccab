"""A container that is to be taken over, as the Engine tells it. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from vpsctl.docker_engine.decode import decode_container
from vpsctl.docker_engine.types import Container, Image
from vpsctl.sites.compose.roles import is_stateful
from vpsctl.sites.compose.spec import Service

HOST_NAME = re.compile(r"[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?")
"""What Docker's DNS and Go's resolver in Caddy both take; no dot, which could mean a host of the outside."""


@dataclass(frozen=True)
class Found:
    body: Mapping[str, Any]
    """The Engine's document (`inspect`)."""
    image: Image
    """What it was made from."""
    reference: str
    """How the compose file names that image: as the container does, or by id where that name means another one by now."""
    usage: int = 0
    """Bytes of memory it uses now."""
    neighbours: tuple[str, ...] = ()
    """Containers on the same networks that are not taken over."""

    @cached_property
    def container(self) -> Container:
        return decode_container(self.body)

    @property
    def id(self) -> str:
        return self.container.id

    @property
    def name(self) -> str:
        return self.container.name

    @property
    def config(self) -> Mapping[str, Any]:
        config: Mapping[str, Any] = self.body["Config"]
        return config

    @property
    def host(self) -> Mapping[str, Any]:
        host: Mapping[str, Any] = self.body["HostConfig"]
        return host

    @property
    def dial(self) -> str:
        """The name that Caddy reaches it by. Docker answers to the short id as well, on every network but its default."""
        return self.name if HOST_NAME.fullmatch(self.name) else self.id[:12]

    @property
    def joins_networks(self) -> bool:
        """False for the host's network and for none: the Engine attaches such a container to nothing else."""
        return self.host.get("NetworkMode") not in ("host", "none")

    @property
    def exposed(self) -> tuple[int, ...]:
        """TCP ports that it or its image declares, published or not, lowest first."""
        declared = (self.config.get("ExposedPorts") or {}).keys()
        own = {int(key.partition("/")[0]) for key in declared if key.endswith("/tcp") or key.isdigit()}
        return tuple(sorted(own | set(self.image.exposed_ports)))

    @property
    def published(self) -> tuple[int, ...]:
        """TCP ports of the container that are published on this machine."""
        return tuple(sorted({port.container_port for port in self.container.ports if port.protocol == "tcp"}))

    @property
    def stateful(self) -> bool:
        """Whether it is a known database, by any name of its image."""
        return any(is_stateful(Service("x", image=name)) for name in (self.container.image, *self.image.tags))

    @cached_property
    def environment(self) -> dict[str, str]:
        """What was set for it: the image's own variables are left out."""
        pairs = (item.partition("=") for item in self.config.get("Env") or ())
        return {name: value for name, _, value in pairs if name and self.image.environment.get(name) != value}


@dataclass
class Sketch:
    """A service while it is inferred: its keys in the compose file, and what is to be said about them."""

    entries: dict[str, Any] = field(default_factory=dict)
    volumes: dict[str, str] = field(default_factory=dict)
    """Key in the compose file to the Engine's name."""
    notes: list[str] = field(default_factory=list)
