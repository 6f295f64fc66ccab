"""Does each domain of each site lead here?"""

import socket
import threading
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address

from vpsctl.hosts.checks.check import Check, Seen
from vpsctl.hosts.machine import Address, own_addresses
from vpsctl.sites import naming

DEADLINE = 4.0
"""Seconds for all domains together: the resolver has no deadline of its own."""


def check_dns(seen: Seen) -> Iterator[Check]:
    """A domain that leads nowhere gets no certificate; one that leads elsewhere may be behind a NAT or a CDN."""
    domains = {
        domain: item.labels.get(naming.TLS, "auto")
        for item in seen.running()
        if seen.ours(item)
        for domain in item.labels.get(naming.DOMAINS, "").split(",")
        if domain and not _needs_no_dns(domain)
    }
    if not domains:
        yield Check("dns", "skipped", "no site with a domain is deployed")
        return
    own = own_addresses()
    for domain, addresses in sorted(resolve(domains).items()):
        yield judge(domain, domains[domain], addresses, own)


def _needs_no_dns(domain: str) -> bool:
    """A wildcard cannot be asked for; *.localhost is this machine to every browser (RFC 6761) and in no DNS."""
    return domain.startswith("*.") or domain == "localhost" or domain.endswith(".localhost")


def judge(domain: str, tls: str, addresses: frozenset[Address] | None, own: frozenset[Address]) -> Check:
    """`addresses` is empty for a name that does not exist, None when no resolver answered in time."""
    if addresses is None:
        return Check("dns", "warn", f"no answer about {domain} within {DEADLINE:g} s", "see /etc/resolv.conf")
    mend = f"point an A record of {domain} at this machine"
    if not addresses:
        state, why = ("fail", ", so it gets no certificate") if tls == "auto" else ("warn", "")
        return Check("dns", "fail" if state == "fail" else "warn", f"{domain} does not resolve{why}", mend)
    shown = ", ".join(sorted(map(str, addresses)))
    if addresses & own:
        return Check("dns", "ok", f"{domain} leads here ({shown})")
    message = f"{domain} leads to {shown}, which is no address of this machine's interfaces"
    return Check("dns", "warn", message, f"{mend}, unless it is behind a NAT or a CDN")


def resolve(domains: Iterable[str]) -> Mapping[str, frozenset[Address] | None]:
    """The addresses of each, all asked at once."""
    found: dict[str, frozenset[Address] | None] = dict.fromkeys(domains)
    threads = [threading.Thread(target=_resolve, args=(domain, found), daemon=True) for domain in found]
    for thread in threads:
        thread.start()
    waits = threading.Event()
    timer = threading.Timer(DEADLINE, waits.set)
    timer.daemon = True
    timer.start()
    for thread in threads:
        while thread.is_alive() and not waits.is_set():
            thread.join(0.05)
    timer.cancel()
    return dict(found)


def _resolve(domain: str, found: dict[str, frozenset[Address] | None]) -> None:
    try:
        answers = socket.getaddrinfo(domain, 443, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        # EAI_AGAIN: the resolver itself cannot be reached, which says nothing of the name.
        found[domain] = None if error.errno == socket.EAI_AGAIN else frozenset()
    else:
        found[domain] = frozenset(ip_address(str(answer[4][0]).partition("%")[0]) for answer in answers)
