"""The top-level `volumes:` and `networks:` of a site."""

from vpsctl.sites.compose.field import Field, shown
from vpsctl.sites.compose.names import NETWORK, VOLUME
from vpsctl.sites.compose.spec import Network, Volume

_VOLUME_ADVICE = {
    "driver_opts": "bind a directory in the service instead",
    "labels": "remove it",
}
_NETWORK_ADVICE = {
    "external": "remove it: a site has its own network, so that no name means another site's service",
    "name": "remove it: vpsctl names networks after the site",
    "ipam": "remove it: vpsctl hands out addresses from its own pool",
    "driver_opts": "remove it",
}


def read_volumes(field: Field) -> dict[str, Volume]:
    """By key. `external: true` means a volume that exists; its engine name is `name:`, or the key."""
    return {} if field.null else {key: _volume(key, item) for key, item in field.entries().items()}


def _volume(key: str, field: Field) -> Volume:
    if not VOLUME.fullmatch(key):
        raise field.invalid(f"{shown(key)} is not a volume's name", "use letters, digits, - and _")
    if field.null:
        return Volume(key)
    keys = field.keys(("external", "name", "driver"), _VOLUME_ADVICE)
    if "driver" in keys and keys["driver"].text() != "local":
        raise keys["driver"].invalid(f"the volume driver {shown(keys['driver'].text())} is not supported", "remove it")
    external = keys["external"].boolean() if "external" in keys else False
    if "name" in keys and not external:
        raise keys["name"].invalid("vpsctl names volumes after the site", "remove it, or add external: true")
    name = keys["name"].matching(VOLUME, "a volume's name") if "name" in keys else key
    return Volume(key, name if external else None)


def read_networks(field: Field) -> dict[str, Network]:
    """By key. The site's own network is there without being declared; its key is `default`."""
    return {} if field.null else {key: _network(key, item) for key, item in field.entries().items()}


def _network(key: str, field: Field) -> Network:
    if not NETWORK.fullmatch(key):
        raise field.invalid(f"{shown(key)} is not a network's name", "use lower-case letters, digits, - and _")
    if field.null:
        return Network(key)
    keys = field.keys(("internal", "driver"), _NETWORK_ADVICE)
    if "driver" in keys and keys["driver"].text() != "bridge":
        raise keys["driver"].invalid(f"the network driver {shown(keys['driver'].text())} is not supported", "remove it")
    return Network(key, keys["internal"].boolean() if "internal" in keys else False)
