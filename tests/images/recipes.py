"""What each stand-in image holds: paths of Debian packages and wheels, and the image's own configuration."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PACKAGES = (
    "busybox-static", "postgresql-15", "redis-server", "nginx-light", "caddy", "python3", "ca-certificates",
    "tzdata", "libc-bin", "util-linux", "python3-pip-whl", "libstdc++6",
)  # fmt: skip
CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Recipe:
    """One image on top of the base layer."""

    paths: tuple[str, ...] = ()
    """Globs in the packages' tree; what the ELF files among them need comes along."""
    drop: tuple[str, ...] = ()
    """Regular expressions of paths left out."""
    directories: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Path -> owner's uid, mode."""
    links: Mapping[str, str] = field(default_factory=dict)
    """Path -> target."""
    files: Mapping[str, tuple[bytes, int]] = field(default_factory=dict)
    """Path -> content, mode."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """The image's configuration in the Engine's own words: Cmd, Env, ExposedPorts, …"""


def ports(*numbers: int) -> dict[str, dict[str, str]]:
    return {f"{number}/tcp": {} for number in numbers}


BASE = Recipe(
    paths=(
        "/bin/busybox", "/usr/lib/x86_64-linux-gnu/libc.so.6", "/usr/share/zoneinfo/UTC", "/usr/share/zoneinfo/Europe",
        "/usr/lib/locale/C.utf8",
    ),
    directories={"/root": (0, 0o755), "/var/run": (0, 0o755), "/dev": (0, 0o755), "/proc": (0, 0o755), "/sys": (0, 0o755),
                 "/usr/local/bin": (0, 0o755), "/tmp": (0, 0o1777)},
    files={
        "/etc/passwd": (
            b"root:x:0:0:root:/root:/bin/sh\npostgres:x:70:70::/var/lib/postgresql:/bin/sh\nredis:x:999:999::/data:/bin/sh\n"
            b"nginx:x:101:101::/nonexistent:/bin/false\nnode:x:1000:1000::/home/node:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n",
            0o644,
        ),
        "/etc/group": (b"root:x:0:\npostgres:x:70:\nredis:x:999:\nnginx:x:101:\nnode:x:1000:\nnobody:x:65534:\n", 0o644),
        "/etc/nsswitch.conf": (b"passwd: files\ngroup: files\nhosts: files dns\n", 0o644),
    },
)  # fmt: skip

POSTGRES_HOME = "/usr/lib/postgresql/15"
POSTGRES_PROGRAMS = (
    "postgres", "initdb", "pg_ctl", "psql", "pg_dump", "pg_dumpall", "pg_restore", "pg_isready", "createdb", "dropdb",
    "createuser", "vacuumdb", "pg_controldata",
)  # fmt: skip
POSTGRES = Recipe(
    paths=(f"{POSTGRES_HOME}/bin/*", "/usr/share/postgresql/15", f"{POSTGRES_HOME}/lib/*.so", "/usr/bin/setpriv"),
    drop=(
        r"/(llvmjit|plperl|plpython|pltcl).*\.so$",
        r"/bin/(vacuumlo|oid2name|pgbench)",
        r"/bin/pg_(test|basebackup|rewind|receivewal|recvlogical|upgrade|amcheck|waldump|verifybackup|archivecleanup|checksums|resetwal)",
        r"/share/postgresql/15/man",
    ),
    directories={"/var/run/postgresql": (70, 0o3777), "/var/lib/postgresql": (70, 0o755),
                 "/var/lib/postgresql/data": (70, 0o700), "/docker-entrypoint-initdb.d": (0, 0o755)},
    links={f"/usr/local/bin/{program}": f"{POSTGRES_HOME}/bin/{program}" for program in POSTGRES_PROGRAMS},
    files={"/usr/local/bin/docker-entrypoint.sh": ((Path(__file__).parent / "postgres.sh").read_bytes(), 0o755)},
    config={
        "Env": ["LANG=C.UTF-8", "PG_MAJOR=15", "PGDATA=/var/lib/postgresql/data"],
        "Volumes": {"/var/lib/postgresql/data": {}},
        "ExposedPorts": ports(5432),
        "StopSignal": "SIGINT",
        "Entrypoint": ["docker-entrypoint.sh"],
        "Cmd": ["postgres"],
    },
)  # fmt: skip


def caddy(program: str) -> Recipe:
    return Recipe(
        paths=(program, CA_BUNDLE, "/etc/mime.types"),
        directories={"/data": (0, 0o755), "/config": (0, 0o755), "/etc/caddy": (0, 0o755)},
        files={"/etc/caddy/Caddyfile": (b":80\nrespond ok\n", 0o644)},
        config={
            "Env": ["XDG_CONFIG_HOME=/config", "XDG_DATA_HOME=/data"],
            "ExposedPorts": ports(80, 443, 2019),
            "WorkingDir": "/srv",
            "Cmd": ["caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"],
        },
    )


REDIS = Recipe(
    paths=("/usr/bin/redis-server", "/usr/bin/redis-cli"),
    directories={"/data": (999, 0o755)},
    config={
        "Volumes": {"/data": {}},
        "WorkingDir": "/data",
        "ExposedPorts": ports(6379),
        "Cmd": ["redis-server", "--bind", "0.0.0.0", "--protected-mode", "no"],
    },
)
NGINX_CONFIG = b"""user nginx; pid /run/nginx.pid; events {}
http {
  include mime.types; access_log /var/log/nginx/access.log; include conf.d/*.conf;
  server { listen 80 default_server; root /usr/share/nginx/html; }
}
"""
NGINX = Recipe(
    paths=("/usr/sbin/nginx", "/etc/nginx/mime.types"),
    directories={"/var/log/nginx": (0, 0o755), "/var/lib/nginx": (101, 0o755), "/usr/share/nginx/html": (0, 0o755),
                 "/etc/nginx/conf.d": (0, 0o755), "/run": (0, 0o755)},
    links={"/var/log/nginx/access.log": "/dev/stdout", "/var/log/nginx/error.log": "/dev/stderr"},
    files={"/usr/share/nginx/html/index.html": (b"nginx ok\n", 0o644), "/etc/nginx/nginx.conf": (NGINX_CONFIG, 0o644)},
    config={
        "ExposedPorts": ports(80),
        "StopSignal": "SIGQUIT",
        "Cmd": ["nginx", "-g", "daemon off; error_log /dev/stderr;"],
    },
)  # fmt: skip
PIP = b'#!/bin/sh\nwheel=$(echo /usr/share/python-wheels/pip-*.whl)\nexec python3 "$wheel/pip" "$@"\n'
PYTHON = Recipe(
    paths=("/usr/bin/python3.11", "/usr/lib/python3.11", "/usr/lib/python3/dist-packages", "/usr/share/python-wheels/*.whl",
           CA_BUNDLE, "/etc/mime.types"),
    drop=(r"/python3.11/(lib2to3|pydoc_data|idlelib|test|config-)", r"EXTERNALLY-MANAGED", r"__pycache__"),
    directories={"/app": (0, 0o755)},
    links={"/usr/bin/python3": "python3.11", "/usr/bin/python": "python3.11", "/usr/local/bin/pip3": "pip"},
    files={"/usr/local/bin/pip": (PIP, 0o755)},
    config={
        "Env": ["LANG=C.UTF-8", f"PIP_CERT={CA_BUNDLE}", "PIP_NO_CACHE_DIR=1", "PIP_ROOT_USER_ACTION=ignore",
                "PIP_DISABLE_PIP_VERSION_CHECK=1", "PYTHONUNBUFFERED=1"],
        "WorkingDir": "/app",
        "Cmd": ["python3"],
    },
)  # fmt: skip
NODE = Recipe(
    paths=("/usr/local/bin/node", "/usr/local/lib/node_modules/npm", "/usr/lib/x86_64-linux-gnu/libnss_*", CA_BUNDLE),
    drop=(r"/npm/(docs|man)/",),
    directories={"/app": (0, 0o755), "/home/node": (1000, 0o755)},
    links={"/usr/local/bin/npm": "../lib/node_modules/npm/bin/npm-cli.js",
           "/usr/local/bin/npx": "../lib/node_modules/npm/bin/npx-cli.js"},
    config={"Env": [f"NODE_EXTRA_CA_CERTS={CA_BUNDLE}"], "WorkingDir": "/app", "Cmd": ["node"]},
)  # fmt: skip

IMAGES: Mapping[str, Recipe] = {
    "busybox:latest": Recipe(config={"Cmd": ["sh"]}),
    "postgres:15-alpine": POSTGRES,
    "caddy:2-alpine": caddy("/usr/local/bin/caddy"),
    "caddy:2.6.2": caddy("/usr/bin/caddy"),
    "redis:7-alpine": REDIS,
    "nginx:alpine": NGINX,
    "python:3.11-slim": PYTHON,
    "node:22-alpine": NODE,
}
"""caddy:2.6.2 is Debian's own, too old for the traffic switch: the test of that refusal needs it."""


def image_config(recipe: Recipe, diff_ids: list[str]) -> bytes:
    """The image's configuration document (OCI), the same bytes for the same content."""
    config = dict(recipe.config)
    config["Env"] = [f"PATH={SEARCH_PATH}", *config.get("Env", [])]
    return json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "created": "2026-01-01T00:00:00Z",
            "config": config,
            "history": [{"created_by": "stand-in from Debian packages (tests/images)"} for _ in diff_ids],
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        },
        sort_keys=True,
    ).encode()
