"""How a service's container runs: command, health check, restart, logging, limits of the kernel, and isolation."""

import ipaddress
import re
import shlex
from collections.abc import Collection
from typing import Literal, cast

from vpsctl.sites.compose.field import Field, shown
from vpsctl.sites.compose.names import ALIAS, CAPABILITY
from vpsctl.sites.compose.spec import Healthcheck, Logging, Restart, Ulimit
from vpsctl.sites.compose.units import parse_duration

_DRIVERS = ("json-file", "local", "journald", "syslog", "gelf", "fluentd", "splunk", "awslogs", "gcplogs", "none")
_ULIMITS = (
    "as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio",
    "rttime", "sigpending", "stack",
)  # fmt: skip
_QUOTED = re.compile(r"""\\.|'[^']*'|"(?:\\.|[^"\\])*\"""", re.DOTALL)
_OPERATOR = re.compile(r"[;&|<>()`]")
_RESTART = re.compile(r"(no|always|unless-stopped|on-failure)(?::(0|[1-9][0-9]{0,3}))?")
_PROFILE = re.compile(r"(label|apparmor|seccomp)[:=]([A-Za-z0-9_.:/-]+)")
_NO_NEW_PRIVILEGES = re.compile(r"no-new-privileges(?:[:=](true|false))?")
_PRIVATE_LABEL = "vpsctl."


def read_command(field: Field) -> tuple[str, ...] | None:
    """A list, or a string that is split as a shell would; null keeps the image's own, an empty one clears it."""
    if field.null:
        return None
    if field.listed:
        return field.texts()
    text = field.text()
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise field.invalid(
            f"{shown(text)} cannot be split into words: {str(error).lower()}", "write it as a list"
        ) from None
    if _OPERATOR.search(_QUOTED.sub("", text)):
        # Docker Compose cuts the command off there without a word; a shell would obey it; neither happens here.
        raise field.invalid(
            f"{shown(text)} has one of ; & | < > ( ) ` in it, and no shell reads it",
            'write ["sh", "-c", "…"], or put it in quotes',
        )
    return tuple(words)


def read_healthcheck(field: Field) -> Healthcheck:
    advice = {"start_interval": "remove it: engines before 25 do not know it"}
    keys = field.keys(("test", "interval", "timeout", "retries", "start_period", "disable"), advice)
    test = _test(keys["test"]) if "test" in keys else ()
    if "disable" in keys and keys["disable"].boolean():
        return Healthcheck(("NONE",))
    return Healthcheck(
        test,
        interval=keys["interval"].parsed(parse_duration) if "interval" in keys else None,
        timeout=keys["timeout"].parsed(parse_duration) if "timeout" in keys else None,
        retries=keys["retries"].integer(1, 1000) if "retries" in keys else None,
        start_period=keys["start_period"].parsed(parse_duration) if "start_period" in keys else None,
    )


def _test(field: Field) -> tuple[str, ...]:
    if not field.listed:
        text = field.text()
        if not text.strip():
            raise field.invalid("is empty", "write a command, or disable: true")
        return ("CMD-SHELL", text)
    words = field.texts()
    sizes: dict[str, Collection[int]] = {"NONE": (1,), "CMD-SHELL": (2,), "CMD": range(2, 1000)}
    if not words or len(words) not in sizes.get(words[0], ()):
        raise field.invalid("is not a test", 'write ["CMD", "program", "argument"] or ["CMD-SHELL", "a command"]')
    return words


def read_restart(field: Field) -> tuple[Restart, int | None]:
    """The policy, and how often at most for `on-failure:5`."""
    text = field.text()
    match = _RESTART.fullmatch(text)
    if match is None or (match[2] and match[1] != "on-failure"):
        raise field.invalid(f"{shown(text)} is not one of no, always, unless-stopped, on-failure, on-failure:N")
    return cast(Restart, match[1]), int(match[2]) if match[2] else None


def read_labels(field: Field) -> dict[str, str]:
    labels = {}
    for key, item in field.pairs().items():
        if key.startswith(_PRIVATE_LABEL):
            raise item.invalid(f"labels that begin with {_PRIVATE_LABEL} are vpsctl's own", "choose another name")
        if not key or not key.isprintable():
            raise item.invalid(f"{shown(key)} is not a label's name", "write name: value")
        labels[key] = "" if item.null else item.text()
    return labels


def read_logging(field: Field) -> Logging:
    keys = field.keys(("driver", "options"))
    options = keys["options"].entries() if "options" in keys else {}
    return Logging(
        keys["driver"].choice(_DRIVERS) if "driver" in keys else "json-file",
        {key: item.text() for key, item in options.items()},
    )


def read_ulimits(field: Field) -> tuple[Ulimit, ...]:
    """One number for both, or {soft, hard}; -1 is unlimited."""
    limits = []
    for name, item in field.keys(_ULIMITS).items():
        if item.scalar:
            both = item.integer(-1, 2**62)
            limits.append(Ulimit(name, both, both))
            continue
        keys = item.keys(("soft", "hard"))
        if len(keys) != 2:
            raise item.invalid("needs soft and hard", "write one number, or {soft: …, hard: …}")
        soft, hard = keys["soft"].integer(-1, 2**62), keys["hard"].integer(-1, 2**62)
        if hard != -1 and not -1 < soft <= hard:
            raise keys["soft"].invalid("the soft limit is above the hard one", "lower it")
        limits.append(Ulimit(name, soft, hard))
    return tuple(limits)


def read_capabilities(field: Field) -> tuple[str, ...]:
    return tuple(item.matching(CAPABILITY, "a capability: write it like NET_RAW or ALL") for item in field.items())


def read_security(field: Field) -> tuple[str, ...]:
    """Options as `key=value`. Those that open the container need the operator's `privileged`."""
    options = []
    for item in field.items():
        text = item.text()
        gain, profile = _NO_NEW_PRIVILEGES.fullmatch(text), _PROFILE.fullmatch(text)
        if gain:
            options.append(f"no-new-privileges={gain[1] or 'true'}")
        elif profile:
            if profile[2] in ("unconfined", "disable"):
                item.require(item.scope.allow.privileged, "privileged", shown(text))
            elif profile[1] == "seccomp":
                raise item.invalid(
                    "a seccomp profile of its own is not supported", "remove it: the engine's default applies"
                )
            options.append(f"{profile[1]}={profile[2]}")
        else:
            raise item.invalid(f"{shown(text)} is not a security option", "write no-new-privileges:true or apparmor=NAME")
    return tuple(options)


def read_hosts(field: Field) -> tuple[str, ...]:
    """`name:address` each, from a map or from a list with `:` or `=`."""
    if not field.listed:
        return tuple(_host(item, name, item.text()) for name, item in field.entries().items())
    hosts = []
    for item in field.items():
        text = item.text()
        name, separator, address = text.partition("=" if "=" in text else ":")
        if not separator:
            raise item.invalid(f"{shown(text)} is not a host", 'write it like "db.internal:10.0.0.5"')
        hosts.append(_host(item, name, address))
    return tuple(hosts)


def _host(item: Field, name: str, address: str) -> str:
    bare = address.strip("[]")
    if not ALIAS.fullmatch(name) or not (bare == "host-gateway" or _is_address(bare)):
        raise item.invalid(
            f"{shown(f'{name}:{address}')} is not a host name and an address", 'write it like "db.internal:10.0.0.5"'
        )
    return f"{name}:{bare}"


def read_network_mode(field: Field) -> Literal["host", "none"]:
    """`none` is no network at all, which anyone may ask for."""
    return "none" if field.text() == "none" else read_host_namespace(field)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def read_host_namespace(field: Field) -> Literal["host"]:
    """`pid` and `ipc`: only the host's, and only where the operator allows it."""
    text = field.text()
    if text != "host":
        raise field.invalid(f"vpsctl does not support {shown(text)} here", "remove it or prefix it with x-")
    field.require(field.scope.allow.host_namespaces, "host_namespaces", f"{field.path.rpartition('.')[2]}: host")
    return "host"
