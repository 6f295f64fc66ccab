"""Networks."""

from collections.abc import Mapping
from ipaddress import ip_network

from docker.types import IPAMConfig, IPAMPool

from vpsctl.docker_engine.connection import Connection, label_filters
from vpsctl.docker_engine.decode import decode_network
from vpsctl.docker_engine.types import Network
from vpsctl.errors import Failed, Invalid


class Networks(Connection):
    """Bridge networks, each with the subnet it is given: Docker's default pools end at 31 networks."""

    def networks(self, labels: Mapping[str, str] | None = None) -> list[Network]:
        with self.asking() as api:
            return [decode_network(body) for body in api.networks(filters=label_filters(labels))]

    def find_network(self, name: str) -> Network | None:
        """By its whole name only: never by an id, nor by the start of one."""
        with self.asking() as api:
            found = [decode_network(body) for body in api.networks(filters={"name": [name]}) if body["Name"] == name]
        return found[0] if found else None

    def create_network(self, name: str, *, subnet: str, labels: Mapping[str, str], internal: bool = False) -> Network:
        """Raises Conflict when the name exists or the subnet overlaps another network's."""
        with self.asking("network", name) as api:
            pool = IPAMConfig(pool_configs=[IPAMPool(subnet=subnet, gateway=_first_address(subnet))])
            api.create_network(name, "bridge", ipam=pool, check_duplicate=True, internal=internal, labels=dict(labels))
        made = self.find_network(name)
        if made is None:
            raise Failed(f"network {name} vanished while it was made", hint="try again")
        return made

    def remove_network(self, name: str) -> None:
        """Raises Conflict while containers are attached."""
        with self.asking("network", name) as api:
            api.remove_network(name)


def _first_address(subnet: str) -> str:
    """The gateway the Engine would choose; named, because it then tells it."""
    try:
        return str(ip_network(subnet)[1])
    except (ValueError, IndexError) as error:
        raise Invalid(f"{subnet!r} is not a subnet for containers", hint="write it as 10.231.0.0/27") from error
