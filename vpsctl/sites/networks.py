"""Networks cut from our own address pool: Docker's own end at 31, and know nothing of the host's routes."""

import fcntl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from ipaddress import IPv4Address, IPv4Network, ip_network
from pathlib import Path

from vpsctl.app import App
from vpsctl.docker_engine.types import Network
from vpsctl.errors import Conflict, Invalid
from vpsctl.sites import naming
from vpsctl.sites.naming import Names

SITE_PREFIX = 27
INGRESS_PREFIX = 22
ATTEMPTS = 20
ROUTES = Path("/proc/net/route")


def next_subnet(pool: IPv4Network, prefix: int, taken: Iterable[IPv4Network]) -> IPv4Network | None:
    """The lowest subnet of `pool` with this prefix length that overlaps none of `taken`; None when none is left."""
    size = 1 << (32 - prefix)
    blocks = [(int(item.network_address), int(item.broadcast_address)) for item in taken if item.overlaps(pool)]
    start = int(pool.network_address)
    while start + size - 1 <= int(pool.broadcast_address):
        ends = [last for first, last in blocks if first < start + size and last >= start]
        if not ends:
            return IPv4Network((start, prefix))
        start = (max(ends) // size + 1) * size
    return None


def routed_subnets(routes: str) -> list[IPv4Network]:
    """The destinations in a `/proc/net/route`, without the default route (which overlaps everything).

    The kernel prints addresses as little-endian hex: 0000E70A is 10.231.0.0.
    """
    rows = [line.split() for line in routes.splitlines()[1:]]
    pairs = [(_address(row[1]), _address(row[7])) for row in rows if len(row) > 7]
    return [IPv4Network((int(network), int(mask).bit_count()), strict=False) for network, mask in pairs if int(mask)]


def _address(little_endian: str) -> IPv4Address:
    return IPv4Address(int.from_bytes(bytes.fromhex(little_endian), "little"))


def ensure_site_network(app: App, site: str, *, key: str = "default", internal: bool = False) -> Network:
    """The site's network, made with a /27 of our pool when there is none. `key` is its name in the compose file.

    Raises Conflict when the pool is used up, or when a network of that name is not ours.
    """
    names = Names(app.settings.instance, site)
    return _ensure(app, names.network(key), SITE_PREFIX, names.labels(), internal=internal)


def ensure_ingress(app: App) -> Network:
    """The network between Caddy and the web containers of every site: a /22, so about 1000 of them."""
    instance = app.settings.instance
    labels = {naming.INSTANCE: instance, naming.ROLE: "foundation"}
    return _ensure(app, naming.ingress(instance), INGRESS_PREFIX, labels, internal=False)


def _ensure(app: App, name: str, prefix: int, labels: Mapping[str, str], *, internal: bool) -> Network:
    pool = _pool(app.settings.network_pool)
    refused: list[IPv4Network] = []
    with _one_at_a_time(app.settings.home):
        for attempt in range(1, ATTEMPTS + 1):
            found = app.engine.find_network(name)
            if found is not None:
                return _ours(found, labels)
            subnet = next_subnet(pool, prefix, [*_taken(app), *refused])
            if subnet is None:
                raise Conflict(
                    f"no /{prefix} is left in the network pool {pool} for {name}",
                    hint="set network_pool in the settings to a larger range that this machine does not route to",
                )
            try:
                return app.engine.create_network(name, subnet=str(subnet), labels=labels, internal=internal)
            except Conflict:
                # Another installation on this engine, whose lock is in another home, is taking the subnet just now: the
                # engine refuses it before it lists it.
                refused.append(subnet)
                if attempt == ATTEMPTS:
                    raise
    raise AssertionError("unreachable")


def _pool(text: str) -> IPv4Network:
    try:
        return IPv4Network(text)
    except ValueError as error:
        raise Invalid(f"network_pool {text!r} is not an IPv4 network: {error}", hint="write it as 10.231.0.0/16") from error


def _taken(app: App) -> list[IPv4Network]:
    subnets = [ip_network(item.subnet, strict=False) for item in app.engine.networks() if item.subnet]
    return [item for item in subnets if isinstance(item, IPv4Network)] + routed_subnets(ROUTES.read_text())


def _ours(network: Network, labels: Mapping[str, str]) -> Network:
    """Raises Conflict for a stranger's network, and for another site's whose name comes out the same."""
    if any(network.labels.get(key) != value for key, value in labels.items()):
        raise Conflict(
            f"the network {network.name} exists and was not made for this",
            hint=f"docker network rm {network.name}, or set another instance in the settings",
        )
    return network


@contextmanager
def _one_at_a_time(home: Path) -> Iterator[None]:
    """Held while a subnet is chosen and taken; released by the kernel if we are killed."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (home / "networks.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
