"""Containers: what there is, and making one from a specification."""

from collections.abc import Mapping, Sequence
from typing import Any

from vpsctl.docker_engine.connection import Connection, label_filters
from vpsctl.docker_engine.decode import decode_container, decode_summary
from vpsctl.docker_engine.encode import encode_container
from vpsctl.docker_engine.refusals import LISTS
from vpsctl.docker_engine.types import Container, ContainerSpec, ContainerSummary
from vpsctl.errors import NotFound


class Containers(Connection):
    """Reading and creating containers."""

    def summaries(self, labels: Mapping[str, str] | None = None) -> list[ContainerSummary]:
        """Every container with these labels, in whatever state, newest first: one request."""
        with self.asking() as api:
            return [decode_summary(body) for body in api.containers(all=True, filters=label_filters(labels))]

    def containers(self, labels: Mapping[str, str] | None = None) -> list[Container]:
        """As `summaries`, in full: one more request for each. One that vanishes meanwhile is left out."""
        found = (self.find_container(summary.id) for summary in self.summaries(labels))
        return [container for container in found if container is not None]

    def container(self, ref: str) -> Container:
        """By id, the start of an id, or name. Raises NotFound."""
        return decode_container(self.inspect(ref))

    def find_container(self, ref: str) -> Container | None:
        try:
            return self.container(ref)
        except NotFound:
            return None

    def inspect(self, ref: str) -> dict[str, Any]:
        """The Engine's own document on one container. It holds the environment in clear: never print it whole."""
        with self.asking("container", ref) as api:
            body: dict[str, Any] = api.inspect_container(ref)
            return body

    def create(self, spec: ContainerSpec) -> str:
        """Make a container, attached to all its networks, not started; returns its id.

        Raises Conflict when the name exists, NotFound when the image or a network is missing, Invalid for what
        the Engine refuses. Nothing is left behind by a failure.
        """
        joined = spec.attachments if spec.network_mode is None else ()
        self._known([attachment.network for attachment in joined])
        with self.asking("container", spec.name) as api:
            body = encode_container(spec)
            made: str = api.create_container_from_config(body, spec.name)["Id"]  # type: ignore[no-untyped-call]
        try:
            for attachment in joined[1:]:
                self.connect(attachment.network, made, aliases=attachment.aliases)
        except BaseException:
            with self.asking("container", spec.name) as api:
                api.remove_container(made, force=True, v=True)
            raise
        return made

    def _known(self, networks: list[str]) -> None:
        """The Engine takes an unknown network at creation, and complains at the start."""
        with self.asking() as api:
            known = {body["Name"] for body in api.networks(filters={"name": networks})} if networks else set()
        for network in networks:
            if network not in known:
                raise NotFound(f"no network {network} on this engine", hint=LISTS["network"])

    def rename(self, ref: str, name: str) -> None:
        """Raises Conflict when another container has that name."""
        with self.asking("container", ref) as api:
            api.rename(ref, name)

    def connect(self, network: str, ref: str, *, aliases: Sequence[str] = ()) -> None:
        """Attach a container to one more network, reachable there under its name and the aliases."""
        with self.asking("network", network) as api:
            api.connect_container_to_network(ref, network, aliases=list(aliases))

    def disconnect(self, network: str, ref: str, *, force: bool = False) -> None:
        with self.asking("network", network) as api:
            api.disconnect_container_from_network(ref, network, force=force)
