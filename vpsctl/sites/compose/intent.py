"""The `x-vpsctl` section: what the operator wants of a site, beyond its containers."""

import re
from collections.abc import Mapping
from typing import Literal, cast

from vpsctl.sites.compose.field import Field, shown
from vpsctl.sites.compose.names import CREDENTIAL, SITE, parse_domain
from vpsctl.sites.compose.roles import is_stateful
from vpsctl.sites.compose.runtime import read_command
from vpsctl.sites.compose.spec import BackupIntent, Grant, Intent, PreDeploy, Probe, Service, Update, Web
from vpsctl.sites.compose.units import parse_duration, parse_port

KEYS = ("project", "web", "healthcheck", "secrets", "update", "pre_deploy", "backup", "profiles")
_STATUS = re.compile(r"([1-5])(xx|[0-9]{2})(?:-([1-5])(xx|[0-9]{2}))?")
_PATH = re.compile(r"/[!-~]{0,1000}")
_CRON = re.compile(r"[0-9A-Za-z*/,-]+")
_CRON_FIELDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_CRON_NAMES = re.compile(r"(?:mon|tue|wed|thu|fri|sat|sun|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)", re.IGNORECASE)
_KEEP = ("last", "hourly", "daily", "weekly", "monthly", "yearly")
_PERIODS = ("daily", "weekly", "monthly", "never")


def read_intent(field: Field | None, root: Field, services: Mapping[str, Service]) -> Intent:
    """`services` are those that run, in the order written. Raises Invalid for a name that is none of them."""
    keys = field.keys(KEYS) if field and not field.null else {}
    return Intent(
        project=keys["project"].matching(SITE, "a project's name") if "project" in keys else None,
        web=_web(keys["web"], services) if "web" in keys else _default_web(root, services),
        probe=_probe(keys["healthcheck"]) if "healthcheck" in keys else Probe(),
        secrets=_secrets(keys["secrets"], services) if "secrets" in keys else (),
        update=_update(keys["update"]) if "update" in keys else Update(),
        pre_deploy=_pre_deploy(keys["pre_deploy"], services) if "pre_deploy" in keys else None,
        backup=_backup(keys["backup"]) if "backup" in keys else None,
        profiles=read_enabled(keys["profiles"]) if "profiles" in keys else (),
    )


def read_enabled(field: Field) -> tuple[str, ...]:
    """The compose profiles whose services run here."""
    return tuple(item.literal() for item in field.items())


def grant_names(field: Field) -> tuple[str, ...]:
    """Names of the credentials under `secrets`, which are written out: they are needed before any variable is known."""
    return tuple(_grant_field(item).literal() for item in field.items())


def _grant_field(item: Field) -> Field:
    if item.scalar:
        return item
    keys = item.keys(("name", "services"))
    if "name" not in keys:
        raise item.invalid("has no name", "add name: with the name of a credential")
    return keys["name"]


def _secrets(field: Field, services: Mapping[str, Service]) -> tuple[Grant, ...]:
    grants: dict[str, Grant] = {}
    for item in field.items():
        named = _grant_field(item)
        name = named.literal()
        if not CREDENTIAL.fullmatch(name):
            raise named.invalid(f"{shown(name)} is not a credential's name", "use capital letters, digits and _")
        if name in grants:
            raise named.invalid(f"{name} stands there twice", "keep one of the two")
        listed = None if item.scalar else item.entries().get("services")
        chosen = tuple(_known(one, services) for one in listed.items()) if listed else ()
        grants[name] = Grant(name, chosen)
    return tuple(grants.values())


def _known(field: Field, services: Mapping[str, Service]) -> str:
    name = field.text()
    if name not in services:
        raise field.invalid(f"there is no service {shown(name)}", f"services: {', '.join(services)}")
    return name


def candidates(services: Mapping[str, Service]) -> list[Service]:
    """Services that might be the web service: those with a TCP port that are no known database."""
    return [item for item in services.values() if _targets(item) and not is_stateful(item)]


def _targets(service: Service) -> list[int]:
    return sorted({port.target for port in service.ports if port.protocol == "tcp"})


def _default_web(root: Field, services: Mapping[str, Service]) -> Web | None:
    """Without `x-vpsctl.web`: the one service with one port; none when no service has ports."""
    found = candidates(services)
    if not found:
        return None
    if len(found) > 1 or len(_targets(found[0])) > 1:
        names = " and ".join(f"{item.name} ({', '.join(map(str, _targets(item)))})" for item in found)
        raise root.invalid(
            f"which port is the site's is not said: {names}",
            f"add x-vpsctl: {{web: {{service: {found[0].name}, port: {_targets(found[0])[0]}}}}}, or web: false",
        )
    return Web(found[0].name, _targets(found[0])[0], ())


def _web(field: Field, services: Mapping[str, Service]) -> Web | None:
    if field.scalar:
        if field.boolean():
            raise field.invalid("is a mapping, or false", "write web: {service: …, port: …, domains: […]}")
        return None
    keys = field.keys(("service", "port", "domains", "tls"))
    name = _known(keys["service"], services) if "service" in keys else _only(field, services)
    tls = keys["tls"].choice(("auto", "internal", "off")) if "tls" in keys else "auto"
    domains = _domains(keys["domains"]) if "domains" in keys else ()
    if tls == "auto" and any(domain.startswith("*.") for domain in domains):
        raise keys["domains"].invalid(
            "a certificate for *. is not to be had over HTTP", "name each domain, or write tls: internal or tls: off"
        )
    port = keys["port"].parsed(parse_port) if "port" in keys else _only_port(field, services[name])
    return Web(name, port, domains, cast(Literal["auto", "internal", "off"], tls))


def _only(field: Field, services: Mapping[str, Service]) -> str:
    found = [item.name for item in candidates(services)] or list(services)
    if len(found) != 1:
        raise field.invalid("names no service", f"add service: with one of {', '.join(found or services)}")
    return found[0]


def _only_port(field: Field, service: Service) -> int:
    targets = _targets(service)
    if len(targets) != 1:
        raise field.invalid("names no port", f"add port: with the one {service.name} listens on")
    return targets[0]


def _domains(field: Field) -> tuple[str, ...]:
    domains: list[str] = []
    for item in field.items():
        domain = item.parsed(parse_domain)
        if domain in domains:
            raise item.invalid(f"{domain} stands there twice", "keep one of the two")
        domains.append(domain)
    return tuple(domains)


def parse_statuses(text: str) -> tuple[int, int]:
    """`200`, `200-204`, `2xx`, `2xx-3xx` to the lowest and the highest status, both included. Raises ValueError."""
    match = _STATUS.fullmatch(text)
    if match is None:
        raise ValueError("is not a range of statuses: write it like 200, 200-204 or 2xx-3xx")
    low = int(match[1] + match[2].replace("xx", "00"))
    high = int((match[3] or match[1]) + (match[4] or match[2]).replace("xx", "99"))
    if low > high:
        raise ValueError("has its higher status first")
    return low, high


def _probe(field: Field) -> Probe:
    keys = field.keys(("path", "interval", "timeout", "expect_status", "success_threshold"))
    default = Probe()
    probe = Probe(
        path=keys["path"].matching(_PATH, "a path: begin it with /") if "path" in keys else default.path,
        interval=keys["interval"].parsed(parse_duration) if "interval" in keys else default.interval,
        timeout=keys["timeout"].parsed(parse_duration) if "timeout" in keys else default.timeout,
        expect_status=keys["expect_status"].parsed(parse_statuses) if "expect_status" in keys else default.expect_status,
        success_threshold=keys["success_threshold"].integer(1, 100) if "success_threshold" in keys else 2,
    )
    for key in ("interval", "timeout"):
        if key in keys and not getattr(probe, key):
            raise keys[key].invalid("must be longer than nothing", "write it like 1s")
    return probe


def _update(field: Field) -> Update:
    keys = field.keys(("order", "deploy_timeout", "drain_timeout", "bake", "retain"))
    default = Update()
    order = keys["order"].choice(("auto", "start-first", "stop-first")) if "order" in keys else default.order
    if "deploy_timeout" in keys and not keys["deploy_timeout"].parsed(parse_duration):
        raise keys["deploy_timeout"].invalid("must be longer than nothing", "write it like 60s")
    times = {
        key: keys[key].parsed(parse_duration) if key in keys else getattr(default, key)
        for key in ("deploy_timeout", "drain_timeout", "bake")
    }
    retain = keys["retain"].integer(1, 100) if "retain" in keys else default.retain
    return Update(order=cast(Literal["auto", "start-first", "stop-first"], order), retain=retain, **times)


def _pre_deploy(field: Field, services: Mapping[str, Service]) -> PreDeploy:
    keys = field.keys(("command", "timeout", "service"))
    command = read_command(keys["command"]) if "command" in keys else None
    if not command:
        raise field.invalid("has no command", "add command: [program, argument]")
    timeout = keys["timeout"].parsed(parse_duration) if "timeout" in keys else PreDeploy(command).timeout
    if not timeout:
        raise keys["timeout"].invalid("must be longer than nothing", "write it like 5m")
    return PreDeploy(command, timeout, _known(keys["service"], services) if "service" in keys else None)


def _backup(field: Field) -> BackupIntent:
    keys = field.keys(("schedule", "keep", "verify"))
    keep = keys["keep"].keys(_KEEP) if "keep" in keys else {}
    default = BackupIntent()
    return BackupIntent(
        schedule=keys["schedule"].parsed(parse_schedule) if "schedule" in keys else default.schedule,
        keep={key: item.integer(0, 1000) for key, item in keep.items()},
        verify=keys["verify"].choice(_PERIODS) if "verify" in keys else default.verify,
    )


def parse_schedule(text: str) -> str:
    """The five fields of cron, each a number, name, range, list or step. Raises ValueError."""
    fields = text.split()
    if len(fields) != len(_CRON_FIELDS) or not all(map(_CRON.fullmatch, fields)):
        raise ValueError('is not a schedule: write the five fields of cron, like "0 2 * * *"')
    for part, (low, high) in zip(fields, _CRON_FIELDS, strict=True):
        for number in _CRON_NAMES.sub(str(low), part).replace("*", str(low)).replace("/", ",").replace("-", ",").split(","):
            if not number.isdigit() or not low <= int(number[:4]) <= high:
                raise ValueError(f"is not a schedule: {part!r} goes from {low} to {high}")
    return " ".join(fields)
