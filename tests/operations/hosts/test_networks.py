"""Networks of the real engine, cut from our pool."""

import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from ipaddress import IPv4Network, ip_network

import docker
import pytest

from vpsctl.app import App
from vpsctl.errors import Conflict, Invalid
from vpsctl.sites.networks import ensure_ingress, ensure_site_network

POOL = f"10.233.{secrets.randbelow(256)}.0/24"
"""Another one each time: two runs of these tests at once share the engine."""


@pytest.fixture
def pooled(app: App) -> App:
    """A pool of eight /27, so that its end is near."""
    return App(replace(app.settings, network_pool=POOL), app.actor)


def test_a_site_network_is_ours_and_made_once(pooled: App) -> None:
    made = ensure_site_network(pooled, "shop")
    assert made.name == f"{pooled.settings.instance}-shop"
    assert made.labels == {"vpsctl.instance": pooled.settings.instance, "vpsctl.site": "shop"}
    assert made.subnet is not None
    assert IPv4Network(made.subnet).subnet_of(IPv4Network(POOL))
    assert ip_network(made.subnet).prefixlen == 27
    assert ensure_site_network(pooled, "shop").id == made.id


def test_a_second_network_of_a_site_may_be_closed_to_the_outside(pooled: App) -> None:
    made = ensure_site_network(pooled, "shop", key="inner", internal=True)
    assert (made.name, made.internal) == (f"{pooled.settings.instance}-shop-inner", True)


def test_the_ingress_network_has_room_for_a_thousand(app: App) -> None:
    made = ensure_ingress(app)
    assert made.subnet is not None
    assert ip_network(made.subnet).num_addresses == 1024


def test_sites_deployed_at_the_same_time_get_different_subnets(pooled: App) -> None:
    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(lambda number: ensure_site_network(pooled, f"s{number % 3}"), range(6)))
    assert len({item.id for item in made}) == 3
    subnets = [ip_network(subnet) for subnet in {item.subnet for item in made if item.subnet}]
    assert not any(one.overlaps(other) for one in subnets for other in subnets if one != other)


def test_a_pool_that_is_used_up_is_told(pooled: App) -> None:
    for number in range(8):
        ensure_site_network(pooled, f"s{number}")
    with pytest.raises(Conflict, match="no /27 is left in the network pool") as error:
        ensure_site_network(pooled, "s8")
    assert "network_pool" in error.value.hint


def test_a_network_of_someone_else_is_left_alone(pooled: App, docker_client: docker.DockerClient) -> None:
    stranger = docker_client.networks.create(f"{pooled.settings.instance}-shop")
    try:
        with pytest.raises(Conflict, match="exists and was not made for this"):
            ensure_site_network(pooled, "shop")
    finally:
        stranger.remove()


def test_a_pool_that_is_none_is_told(app: App) -> None:
    with (
        App(replace(app.settings, network_pool="10.0.0.5/16"), app.actor) as wrong,
        pytest.raises(Invalid, match="network_pool"),
    ):
        ensure_site_network(wrong, "shop")
