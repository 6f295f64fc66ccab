"""The Caddy configuration: what goes in comes out, and what is not ours stays."""

import json
from copy import deepcopy
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpsctl.errors import Conflict, Failed
from vpsctl.proxy.config import Frame, Json, bare, install, merge, routes_of
from vpsctl.proxy.types import Route
from vpsctl.secret import Secret

FRAME = Frame(Secret("the-token"), acme_email="me@example.com")
NAME = st.from_regex(r"[a-z][a-z0-9]{0,4}(-[a-z0-9]{1,4})?", fullmatch=True)


@st.composite
def route_lists(draw: st.DrawFn) -> list[Route]:
    """Routes of different sites, no domain twice, by site."""
    sites = sorted(draw(st.sets(NAME, max_size=5)))
    return [
        Route(
            site,
            tuple(f"{name}.{site}.test" for name in sorted(draw(st.sets(NAME, min_size=1, max_size=3)))),
            draw(st.sampled_from(["auto", "internal", "off"])),
            draw(st.timedeltas(timedelta(0), timedelta(hours=1))),
        )
        for site in sites
    ]


def foreign() -> Json:
    """What someone else's Caddy may run."""
    server = {"listen": ["0.0.0.0:443", ":80"], "routes": [{"@id": "theirs", "match": [{"host": ["Old.example.com"]}]}]}
    policies = [{"subjects": ["old.example.com"], "issuers": [{"module": "internal"}]}]
    return {
        "admin": {"listen": ":2019"},
        "apps": {"http": {"servers": {"srv0": server}}, "tls": {"automation": {"policies": policies}}, "other": {"a": 1}},
    }


def host_order(config: Json, server: str) -> list[str]:
    routes = config["apps"]["http"]["servers"][server]["routes"]
    return [host for route in routes for match in route.get("match", []) for host in match["host"]]


@given(route_lists())
def test_installed_routes_are_read_back(routes: list[Route]) -> None:
    assert routes_of(json.loads(json.dumps(install(bare(FRAME), routes, FRAME)))) == routes


@given(route_lists(), route_lists())
def test_installing_replaces_ours_and_changes_neither_the_base_nor_what_is_not_ours(
    first: list[Route], second: list[Route]
) -> None:
    base = foreign()
    once = install(base, first, FRAME)
    assert base == foreign()
    kept = deepcopy(once)
    assert install(once, second, FRAME) == install(base, second, FRAME)
    assert once == kept
    cleared = install(once, [], FRAME)
    assert cleared["admin"] == base["admin"]
    assert cleared["apps"]["http"] == base["apps"]["http"]
    assert cleared["apps"]["tls"] == base["apps"]["tls"]
    assert cleared["apps"]["other"] == base["apps"]["other"]


@given(route_lists(), route_lists(), st.sets(NAME, max_size=3))
def test_merge_touches_only_the_named_sites(running: list[Route], routes: list[Route], remove: set[str]) -> None:
    merged = {route.site: route for route in merge(running, routes, remove)}
    given_sites = {route.site: route for route in routes}
    for route in running:
        if route.site in given_sites:
            continue
        assert (merged.get(route.site) == route) is (route.site not in remove)
    assert given_sites.items() <= merged.items()
    assert merged.keys() <= given_sites.keys() | {route.site for route in running}


@given(route_lists())
def test_every_at_id_stands_once(routes: list[Route]) -> None:
    text = json.dumps(install(bare(FRAME), routes, FRAME))
    ids = [part.split('"')[0] for part in text.split('"@id": "')[1:]]
    assert len(ids) == len(set(ids))


def test_a_domain_of_two_sites_names_both() -> None:
    routes = [
        Route("shop", ("shop.test",), "off", timedelta(0)),
        Route("blog", ("x.test", "SHOP.test"), "auto", timedelta(0)),
    ]
    with pytest.raises(Conflict, match=r"(?i)shop\.test is wanted by two sites, blog and shop"):
        install(bare(FRAME), routes, FRAME)


def test_a_domain_of_someone_elses_route_is_not_taken() -> None:
    with pytest.raises(Conflict, match=r"old\.example\.com is served by a route of this Caddy that vpsctl did not make"):
        install(foreign(), [Route("shop", ("old.example.com",), "off", timedelta(0))], FRAME)


def test_a_site_given_twice_is_a_conflict() -> None:
    route = Route("shop", ("shop.test",), "off", timedelta(0))
    with pytest.raises(Conflict, match="two routes were given for the site shop"):
        merge([], [route, route], [])


def test_an_altered_route_is_named() -> None:
    config = install(bare(FRAME), [Route("shop", ("shop.test",), "off", timedelta(0))], FRAME)
    config["apps"]["http"]["servers"]["vpsctl_http"]["routes"][0]["handle"] = []
    with pytest.raises(Failed, match="the route of shop in Caddy was altered by hand"):
        routes_of(config)


def test_a_wildcard_comes_after_the_names_it_covers() -> None:
    routes = [Route("all", ("*.test",), "off", timedelta(0)), Route("shop", ("shop.test",), "off", timedelta(0))]
    assert host_order(install(bare(FRAME), routes, FRAME), "vpsctl_http") == ["shop.test", "*.test"]


def test_the_acme_settings_reach_the_issuer() -> None:
    frame = Frame(Secret("t"), acme_email="me@example.com", acme_ca="https://ca.test/directory", acme_root=True)
    config = install(bare(frame), [Route("shop", ("shop.test",), "auto", timedelta(0))], frame)
    assert config["apps"]["tls"]["automation"]["policies"] == [
        {
            "@id": "vpsctl:auto",
            "subjects": ["shop.test"],
            "issuers": [
                {
                    "module": "acme",
                    "email": "me@example.com",
                    "ca": "https://ca.test/directory",
                    "trusted_roots_pem_files": ["/run/vpsctl/acme-root.pem"],
                }
            ],
        }
    ]


def test_an_empty_caddy_has_no_routes() -> None:
    assert routes_of(None) == []
    assert routes_of({}) == []
