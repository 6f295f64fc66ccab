"""The process's settings: one frozen value, read once from a TOML file under `VPSCTL_*` variables.

Nothing else in vpsctl reads the environment.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, get_args, get_type_hints
from urllib.parse import urlsplit

from vpsctl.errors import Invalid
from vpsctl.secret import Secret

DEFAULT_CONFIG = Path("/etc/vpsctl/config.toml")
INSTANCE = re.compile(r"[a-z][a-z0-9-]{0,29}")
SIZE = re.compile(r"[0-9]{1,15}(\.[0-9]{1,6})? ?([kmgt]i?)?b?", re.IGNORECASE)
ALLOWANCES = ("privileged", "host_namespaces", "docker_socket", "outside_binds", "public_ports")


@dataclass(frozen=True)
class Settings:
    """Each field is a key of config.toml, and `VPSCTL_<FIELD>` overrides it; lists are comma-separated there."""

    home: Path = Path("/var/lib/vpsctl")
    """The state directory: master key, the proxy's files, sources, build logs."""
    instance: str = "vpsctl"
    """Prefix of every container, network and volume, so that two installations share one engine unharmed."""
    docker_host: str = "unix:///var/run/docker.sock"
    postgres_url: Secret | None = None
    """None: the foundation's own Postgres."""
    redis_url: Secret | None = None
    caddy_admin: str | None = None
    """`http://host:port` or `unix//path` of a Caddy that exists already; None: the foundation's."""
    http_port: int = 80
    https_port: int = 443
    acme_email: str | None = None
    acme_ca: str | None = None
    network_pool: str = "10.231.0.0/16"
    """Site networks (a /27 each) and the ingress network (a /22) are cut from it."""
    port_first: int = 3002
    port_last: int = 3999
    allow: tuple[str, ...] = ()
    """Named permissions for compose files: see ALLOWANCES."""
    builder_memory: str = "1G"
    builder_cpus: float = 1.0
    disk_floor: str = "1G"
    """A deploy does not start with less free space than this on the engine's disk."""
    key_file: Path | None = None
    """The file that holds the master key or says where it is; None: `{home}/master.key`."""
    credentials_directory: Path | None = None
    """Where systemd puts a unit's credentials: $CREDENTIALS_DIRECTORY, which systemd itself sets."""
    public_url: str = "http://127.0.0.1:8484"
    """Where people reach the dashboard: what login links begin with."""
    debug: bool = field(default=False)


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from `$VPSCTL_CONFIG` (default /etc/vpsctl/config.toml, may be absent) under `VPSCTL_*`.

    Raises Invalid naming the key, and the file or variable it stands in.
    """
    environ = os.environ if environ is None else environ
    named = environ.get("VPSCTL_CONFIG")
    path = config_path(environ)
    if named and not path.is_file():
        raise Invalid(f"no settings file at {path} ($VPSCTL_CONFIG)", hint="unset VPSCTL_CONFIG, or write that file")
    document = _read(path) if path.is_file() else {}
    known = {item.name for item in fields(Settings)}
    values: dict[str, Any] = {}
    for key, value in document.items():
        if key not in known:
            raise Invalid(f"{path}: unknown key {key!r}", hint=f"known keys: {', '.join(sorted(known))}")
        values[key] = _convert(key, value, f"{path}: {key}")
    for key in sorted(known):
        variable = f"VPSCTL_{key.upper()}"
        if variable in environ:
            values[key] = _convert(key, environ[variable], f"${variable}")
    if "docker_host" not in values and environ.get("DOCKER_HOST"):
        values["docker_host"] = environ["DOCKER_HOST"]
    if "credentials_directory" not in values and environ.get("CREDENTIALS_DIRECTORY"):
        values["credentials_directory"] = Path(environ["CREDENTIALS_DIRECTORY"])
    return _checked(Settings(**values))


def config_path(environ: Mapping[str, str] | None = None) -> Path:
    """The settings file: `$VPSCTL_CONFIG`, or /etc/vpsctl/config.toml; it need not exist."""
    named = (os.environ if environ is None else environ).get("VPSCTL_CONFIG")
    return Path(named) if named else DEFAULT_CONFIG


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Invalid(f"cannot read the settings in {path}: {error}", hint=f"correct {path}") from error


def _convert(key: str, value: Any, where: str) -> Any:
    hint = get_type_hints(Settings)[key]
    kinds = [kind for kind in (get_args(hint) or (hint,)) if kind is not type(None)]
    if hint == tuple[str, ...]:
        items = value.split(",") if isinstance(value, str) else value
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            raise Invalid(f"{where} must be a list of names", hint=f"known names: {', '.join(ALLOWANCES)}")
        return tuple(item.strip() for item in items if item.strip())
    kind = kinds[0]
    if kind is bool:
        return _boolean(value, where)
    try:
        if kind in (int, float) and isinstance(value, bool):
            raise ValueError("a boolean")
        return kind(value)
    except (TypeError, ValueError) as error:
        raise Invalid(f"{where} must be {kind.__name__}, not {value!r}", hint="correct it and try again") from error


def _boolean(value: Any, where: str) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).lower()
    if text in ("1", "true", "yes", "on"):
        return True
    if text in ("0", "false", "no", "off", ""):
        return False
    raise Invalid(f"{where} must be true or false, not {value!r}", hint="correct it and try again")


def _checked(settings: Settings) -> Settings:
    unknown = sorted(set(settings.allow) - set(ALLOWANCES))
    if unknown:
        raise Invalid(f"allow: unknown permission {unknown[0]!r}", hint=f"known names: {', '.join(ALLOWANCES)}")
    for key in ("http_port", "https_port", "port_first", "port_last"):
        if not 1 <= getattr(settings, key) <= 65535:
            raise Invalid(f"{key} must be from 1 to 65535, not {getattr(settings, key)}", hint="correct it and try again")
    if settings.port_first > settings.port_last:
        raise Invalid("port_first is above port_last", hint="correct the range and try again")
    if not settings.home.is_absolute():
        raise Invalid(f"home must be an absolute path, not {settings.home}", hint="write it from / on")
    if not INSTANCE.fullmatch(settings.instance):
        raise Invalid(
            f"instance cannot be {settings.instance!r}", hint="1 to 30 small letters, digits and -, a letter first"
        )
    checked_public_url(settings.public_url, "public_url")
    _check_amounts(settings)
    return settings


def checked_public_url(url: str, where: str) -> str:
    """`url` when it is an address that paths can be added to. Raises Invalid naming `where` it stands."""
    try:
        parts = urlsplit(url)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, brackets that do not close
        whole = False
    if not whole or not url.isprintable() or any(character in url for character in " ?#@\\"):
        raise Invalid(f"{where} is not an http or https address: {url!r}", hint="write it like https://panel.example.com")
    return url


def _check_amounts(settings: Settings) -> None:
    for key in ("builder_memory", "disk_floor"):
        if not SIZE.fullmatch(getattr(settings, key)):
            raise Invalid(f"{key} is no size: {getattr(settings, key)!r}", hint="write it like 512M or 1.5G")
    if not 0.01 <= settings.builder_cpus <= 1024:
        raise Invalid(
            f"builder_cpus must be from 0.01 to 1024, not {settings.builder_cpus}", hint="correct it and try again"
        )
