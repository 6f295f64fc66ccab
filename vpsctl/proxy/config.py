"""The Caddy configuration as a pure function of the settings and the routes, and the way back.

Measured on Caddy 2.11.7 (ARCHITECTURE.md, "The proxy"): a `{file.…}` upstream is read anew for each request and each
retry, so swapping the files switches the traffic without a reload, and a request that waits for an upstream that
refuses sees the new one within `TRY_INTERVAL`.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from vpsctl.errors import Conflict, Failed
from vpsctl.proxy.types import Route, Tls
from vpsctl.proxy.upstreams import CURRENT, MAINTENANCE, SITE, SLOTS
from vpsctl.secret import Secret

MOUNT = "/run/vpsctl"
"""Where Caddy sees `{home}/proxy`, in the foundation's container and on any other Caddy."""
ADMIN_LISTEN = f"unix/{MOUNT}/admin.sock|0600"
MARK_HEADER = "X-Vpsctl-Token"
UPSTREAM_HEADER = "X-Vpsctl-Upstream"
UPSTREAM_HOSTPORT = "{http.reverse_proxy.upstream.hostport}"
TRY_INTERVAL = "100ms"
POLICY = "random"
"""With one of two replicas gone, round robin keeps step with requests that retry together and sends them to the dead
slot again (worst of 100: 4.4 s, random 0.5 s); the shares over 4,000 requests differ by 5 %."""
DIAL_TIMEOUT = "1s"
UPSTREAM_IDLE = "1500ms"
"""Shorter than what applications keep idle connections for (gunicorn 2 s, node and uvicorn 5 s), so that Caddy closes
first and no POST meets a closing connection; and an application that waits for its idle connections stops sooner."""
STREAM_CLOSE_DELAY = "24h"
"""How long WebSockets outlive a reload. Without it every reload closes those of every site."""
GRACE = "5s"
RETRY_AFTER = "60"
SITE_ID = "vpsctl-"
PLAIN_ID = ":plain"
FRAME_ID = "vpsctl:"
HTTP, HTTPS = "vpsctl_http", "vpsctl_https"

SECURED: tuple[Tls, ...] = ("auto", "internal")

Json = dict[str, Any]


@dataclass(frozen=True)
class Frame:
    """What stands around the routes, from the settings."""

    token: Secret
    https_port: int = 443
    """The published port, for the redirect; inside the container it is always 443."""
    acme_email: str | None = None
    acme_ca: str | None = None
    acme_root: bool = False
    """`{home}/proxy/acme-root.pem` holds the root certificate of a private ACME server."""


def bare(frame: Frame) -> Json:
    """The whole configuration of the foundation's Caddy, without a route."""
    shared = {"protocols": ["h1", "h2"], "routes": [_not_found()]}
    http = {"listen": [":80"], "automatic_https": {"disable": True}, **shared}
    https = {
        "listen": [":443"],
        "automatic_https": {"disable_redirects": True},
        "tls_connection_policies": [{}],
        "strict_sni_host": True,
        **deepcopy(shared),
    }
    return {
        "admin": {"listen": ADMIN_LISTEN, "config": {"persist": False}},
        # admin.api writes a line for each call, and draining makes 20 a second
        "logging": {"logs": {"default": {"encoder": _encoder(), "exclude": ["admin.api"]}}},
        "apps": {
            "http": {"grace_period": GRACE, "servers": {HTTP: http, HTTPS: https}},
            "pki": {"certificate_authorities": {"local": {"install_trust": False}}},
        },
    }


def _encoder() -> Json:
    """Caddy logs the headers of a request that failed: not our token's."""
    fields = {f"request>headers>{MARK_HEADER}": {"filter": "delete"}}
    return {"format": "filter", "wrap": {"format": "json"}, "fields": fields}


def install(base: Json, routes: Sequence[Route], frame: Frame) -> Json:
    """`base` with exactly these sites' routes before its own; what is not ours stays as it was.

    Raises Conflict when two sites, or a site and a route that is not ours, want one domain.
    """
    config = _stripped(base)
    ordered = sorted(routes, key=lambda route: (any("*" in domain for domain in route.domains), route.site))
    servers = config.setdefault("apps", {}).setdefault("http", {}).setdefault("servers", {})
    http, https = _server(servers, 80, HTTP), _server(servers, 443, HTTPS)
    _check_domains(ordered, [*http["routes"], *https["routes"]])
    secured = [route for route in ordered if route.tls != "off"]
    http["routes"] = [_plain(route, frame) for route in ordered] + http["routes"]
    https["routes"] = [_secure(route, frame) for route in secured] + https["routes"]
    policies = [policy for tls in SECURED if (policy := _policy(tls, secured, frame))]
    if policies:
        automation = config["apps"].setdefault("tls", {}).setdefault("automation", {})
        automation["policies"] = policies + automation.get("policies", [])
    return config


def merge(running: Sequence[Route], routes: Sequence[Route], remove: Iterable[str]) -> list[Route]:
    """The routes that stand afterwards: `routes` replace those of their sites. Raises Conflict for a site given twice."""
    sites = [route.site for route in routes]
    twice = next((site for site in sites if sites.count(site) > 1), None)
    if twice:
        raise Conflict(f"two routes were given for the site {twice}", hint="vpsctl proxy show")
    gone = {*sites, *remove}
    return [route for route in running if route.site not in gone] + list(routes)


def routes_of(config: Json | None, *, skip: Collection[str] = ()) -> list[Route]:
    """The sites' routes in a configuration made by `install`, by site, but for `skip`.

    Raises Failed when one of ours was altered by hand.
    """
    kinds: dict[str, Tls] = {
        subject: tls
        for policy in ((config or {}).get("apps", {}).get("tls", {}).get("automation", {}).get("policies") or [])
        for tls in SECURED
        if policy.get("@id") == FRAME_ID + tls
        for subject in policy["subjects"]
    }
    found = {}
    for route in _all_routes(config):
        site = str(route.get("@id", "")).removeprefix(SITE_ID)
        if route.get("@id") == SITE_ID + site and SITE.fullmatch(site) and site not in skip:
            found[site] = _read(site, route, kinds)
    return [found[site] for site in sorted(found)]


def _read(site: str, route: Json, kinds: Mapping[str, Tls]) -> Route:
    try:
        domains = tuple(route["match"][0]["host"])
        balancing = route["handle"][0]["routes"][-1]["handle"][0]["load_balancing"]
        hold = timedelta(microseconds=balancing.get("try_duration", 0) // 1000)
        return Route(site, domains, kinds.get(domains[0], "off"), hold)
    except (LookupError, TypeError) as error:
        raise Failed(f"the route of {site} in Caddy was altered by hand", hint="vpsctl proxy sync") from error


def _plain(route: Route, frame: Frame) -> Json:
    """Port 80: the site itself without TLS, else the redirect.

    Requests with our token pass by the redirect, so that a deploy is confirmed before the first certificate is there.
    """
    match = [{"host": list(route.domains)}]
    if route.tls == "off":
        return {"@id": SITE_ID + route.site, "match": match, "handle": [_subroute(_serve(route, frame))], "terminal": True}
    port = "" if frame.https_port == 443 else f":{frame.https_port}"
    ours = {"match": _with_token(frame), "handle": [_subroute(_serve(route, frame, proto="https"))], "terminal": True}
    location = f"https://{{http.request.host}}{port}{{http.request.uri}}"
    redirect = {"handle": [{"handler": "static_response", "status_code": 308, "headers": {"Location": [location]}}]}
    return {
        "@id": SITE_ID + route.site + PLAIN_ID,
        "match": match,
        "handle": [_subroute([ours, redirect])],
        "terminal": True,
    }


def _secure(route: Route, frame: Frame) -> Json:
    return {
        "@id": SITE_ID + route.site,
        "match": [{"host": list(route.domains)}],
        "handle": [_subroute(_serve(route, frame))],
        "terminal": True,
    }


def _subroute(routes: list[Json]) -> Json:
    return {"handler": "subroute", "routes": routes}


def _with_token(frame: Frame) -> list[Json]:
    return [{"header": {MARK_HEADER: [frame.token.reveal()]}}]


def _serve(route: Route, frame: Frame, *, proto: str | None = None) -> list[Json]:
    folder = f"{MOUNT}/upstreams/{route.site}"
    shown = {"file": {"root": folder, "try_files": [MAINTENANCE]}, "not": _with_token(frame)}
    named = {"handler": "headers", "response": {"deferred": True, "set": {UPSTREAM_HEADER: [UPSTREAM_HOSTPORT]}}}
    return [
        {"match": [shown], "handle": [_maintenance(folder)], "terminal": True},
        {"match": _with_token(frame), "handle": [named]},
        {"handle": [_reverse_proxy(route, folder, proto)]},
    ]


def _maintenance(folder: str) -> Json:
    """Not the file server: it answers POST with 405 and a conditional GET with 304."""
    headers = {
        "Content-Type": ["text/html; charset=utf-8"],
        "Cache-Control": ["no-store"],
        "Retry-After": [RETRY_AFTER],
    }
    body = f"{{file.{folder}/{MAINTENANCE}}}"
    return {"handler": "static_response", "status_code": 503, "headers": headers, "body": body}


def _reverse_proxy(route: Route, folder: str, proto: str | None) -> Json:
    balancing: Json = {"selection_policy": {"policy": POLICY}}
    if route.hold:
        balancing |= {"try_duration": _nanoseconds(route.hold), "try_interval": TRY_INTERVAL}
    headers: Json = {"delete": [MARK_HEADER]}
    if proto:
        headers["set"] = {"X-Forwarded-Proto": [proto]}
    return {
        "handler": "reverse_proxy",
        "upstreams": [{"dial": f"{{file.{folder}/{CURRENT}/{slot}}}"} for slot in range(SLOTS)],
        "load_balancing": balancing,
        "flush_interval": -1,
        "stream_close_delay": STREAM_CLOSE_DELAY,
        "headers": {"request": headers},
        "transport": {"protocol": "http", "dial_timeout": DIAL_TIMEOUT, "keep_alive": {"idle_timeout": UPSTREAM_IDLE}},
    }


def _nanoseconds(duration: timedelta) -> int:
    return duration // timedelta(microseconds=1) * 1000


def _not_found() -> Json:
    """The last route: a host that no site has."""
    headers = {"Content-Type": ["text/plain; charset=utf-8"]}
    body = "No site is served under this name.\n"
    return {"handle": [{"handler": "static_response", "status_code": 404, "headers": headers, "body": body}]}


def _policy(tls: Tls, routes: Sequence[Route], frame: Frame) -> Json | None:
    subjects = [domain for route in routes if route.tls == tls for domain in route.domains]
    if not subjects:
        return None
    issuer: Json = {"module": "internal" if tls == "internal" else "acme"}
    if tls == "auto":
        issuer |= {key: value for key, value in (("email", frame.acme_email), ("ca", frame.acme_ca)) if value}
        if frame.acme_root:
            issuer["trusted_roots_pem_files"] = [f"{MOUNT}/acme-root.pem"]
    return {"@id": FRAME_ID + tls, "subjects": subjects, "issuers": [issuer]}


def _stripped(base: Json) -> Json:
    config = deepcopy(base)
    for server in _servers(config):
        server["routes"] = [route for route in server.get("routes") or [] if not _ours(route)]
    automation = config.get("apps", {}).get("tls", {}).get("automation", {})
    if "policies" in automation:
        automation["policies"] = [policy for policy in automation["policies"] if not _ours(policy)]
    return config


def _ours(item: Json) -> bool:
    return str(item.get("@id", "")).startswith((SITE_ID, FRAME_ID))


def _servers(config: Json | None) -> list[Json]:
    return list(((config or {}).get("apps", {}).get("http", {}).get("servers") or {}).values())


def _all_routes(config: Json | None) -> Iterator[Json]:
    for server in _servers(config):
        yield from server.get("routes") or []


def _server(servers: dict[str, Json], port: int, name: str) -> Json:
    """The server that listens on the port, on whichever address; made when there is none."""
    for server in servers.values():
        if any(address.endswith(f":{port}") for address in server.get("listen") or []):
            return server
    return servers.setdefault(name, {"listen": [f":{port}"], "routes": []})


def _check_domains(routes: Sequence[Route], foreign: Iterable[Json]) -> None:
    owners: dict[str, str] = {}
    for route in foreign:
        for match in route.get("match") or []:
            owners |= {host.lower(): "" for host in match.get("host") or []}
    for site in routes:
        for domain in site.domains:
            owner = owners.setdefault(domain.lower(), site.site)
            if not owner:
                raise Conflict(
                    f"{domain} is served by a route of this Caddy that vpsctl did not make", hint="vpsctl proxy show"
                )
            if owner != site.site:
                first, second = sorted((owner, site.site))
                raise Conflict(f"{domain} is wanted by two sites, {first} and {second}", hint="vpsctl proxy show")
