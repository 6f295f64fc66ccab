"""Every key of a service: each form the Compose Specification gives it, and what it comes to."""

from datetime import timedelta
from typing import Any

import pytest

from tests.unit.compose.reading import ALL, app, service, site
from vpsctl.sites.compose.spec import (
    Build,
    Healthcheck,
    Logging,
    Port,
    Resources,
    Ulimit,
    VolumeMount,
)

MEMORY = 512 * 1024**2

KEYS: list[tuple[str, str, Any]] = [
    # command and entrypoint
    ("command: npm run 'start it'", "command", ("npm", "run", "start it")),
    ("command: [npm, run, 3, true, 1.0, 012]", "command", ("npm", "run", "3", "true", "1.0", "012")),
    ("command:", "command", None),
    ('command: ""', "command", ()),
    ("command: []", "command", ()),
    ("command: sh -c 'a && b > c'", "command", ("sh", "-c", "a && b > c")),
    ("command: echo a#b # a comment", "command", ("echo", "a#b")),
    ("command: |\n  a\n  b c\n", "command", ("a", "b", "c")),
    ("entrypoint: /bin/run -x", "entrypoint", ("/bin/run", "-x")),
    ("entrypoint: ['']", "entrypoint", ("",)),
    # ports
    ("ports: [3000]", "ports", (Port(3000),)),
    ("ports: ['8080:80']", "ports", (Port(80, 8080),)),
    ("ports:\n  - 22:22", "ports", (Port(22, 22),)),
    ("ports: ['127.0.0.1:8080:80/udp']", "ports", (Port(80, 8080, "127.0.0.1", "udp"),)),
    ("ports: ['127.0.0.1::80']", "ports", (Port(80, None, "127.0.0.1"),)),
    ("ports: ['[::1]:8080:80']", "ports", (Port(80, 8080, "::1"),)),
    ("ports: ['9000-9001:80-81']", "ports", (Port(80, 9000), Port(81, 9001))),
    (
        "ports:\n  - {target: 80, published: '8080', host_ip: 127.0.0.1, protocol: udp}",
        "ports",
        (Port(80, 8080, "127.0.0.1", "udp"),),
    ),
    ("ports:\n  - target: 80", "ports", (Port(80),)),
    # volumes and tmpfs
    ("volumes: [data:/data]", "volumes", (VolumeMount("volume", "/data", "data"),)),
    ("volumes: [data:/data/:ro]", "volumes", (VolumeMount("volume", "/data", "data", True),)),
    ("volumes: [/data]", "volumes", (VolumeMount("volume", "/data"),)),
    ("volumes: ['./a/../conf:/etc/app']", "volumes", (VolumeMount("bind", "/etc/app", "conf"),)),
    ("volumes: ['.:/app:rw']", "volumes", (VolumeMount("bind", "/app", "."),)),
    (
        "volumes:\n  - {type: volume, source: data, target: /data, read_only: true}",
        "volumes",
        (VolumeMount("volume", "/data", "data", True),),
    ),
    ("volumes:\n  - {type: bind, source: ./c, target: /c}", "volumes", (VolumeMount("bind", "/c", "c"),)),
    (
        "volumes:\n  - {type: tmpfs, target: /t, tmpfs: {size: 64m}}",
        "volumes",
        (VolumeMount("tmpfs", "/t", tmpfs_size=64 * 1024**2),),
    ),
    ("volumes:\n  - {type: tmpfs, target: /t}", "volumes", (VolumeMount("tmpfs", "/t"),)),
    ("tmpfs: /run", "tmpfs", ("/run",)),
    ("tmpfs: [/run, '/tmp:size=64m,mode=1777']", "tmpfs", ("/run", "/tmp:size=64m,mode=1777")),
    # health check
    ("healthcheck: {test: curl -f localhost}", "healthcheck", Healthcheck(("CMD-SHELL", "curl -f localhost"))),
    ("healthcheck: {test: [CMD, curl, localhost]}", "healthcheck", Healthcheck(("CMD", "curl", "localhost"))),
    ("healthcheck: {test: [CMD-SHELL, 'a | b']}", "healthcheck", Healthcheck(("CMD-SHELL", "a | b"))),
    ("healthcheck: {test: [NONE]}", "healthcheck", Healthcheck(("NONE",))),
    ("healthcheck: {disable: true, test: a}", "healthcheck", Healthcheck(("NONE",))),
    (
        "healthcheck: {interval: 1m30s, timeout: 500ms, retries: 3, start_period: 1.5h, disable: false}",
        "healthcheck",
        Healthcheck((), timedelta(seconds=90), timedelta(milliseconds=500), 3, timedelta(minutes=90)),
    ),
    # restart: an unquoted no is the word
    ("restart: no", "restart", "no"),
    ("restart: 'no'", "restart", "no"),
    ("restart: always", "restart", "always"),
    ("restart: on-failure:5", "restart_retries", 5),
    ("restart: on-failure", "restart", "on-failure"),
    ("{}", "restart", "unless-stopped"),
    # labels
    ("labels: {a.b: 1.0, c: yes, d: }", "labels", {"a.b": "1.0", "c": "yes", "d": ""}),
    ("labels: [a=b=c, d]", "labels", {"a": "b=c", "d": ""}),
    # resources
    (
        "deploy: {resources: {limits: {memory: 512M, cpus: '0.5', pids: 100}, reservations: {memory: 256m}}}",
        "resources",
        Resources(MEMORY, 0.5, MEMORY // 2, 100),
    ),
    ("mem_limit: 512m\ncpus: 0.5", "resources", Resources(MEMORY, 0.5)),
    ("mem_limit: 0.5g\ndeploy: {resources: {limits: {memory: 512M}}}", "resources", Resources(MEMORY)),
    ("deploy: {replicas: 3}", "replicas", 3),
    ("deploy: {replicas: 0}", "replicas", 0),
    # the rest
    ("logging: {driver: local, options: {max-size: 10m, max-file: 3}}", "logging", Logging("local",
     {"max-size": "10m", "max-file": "3"})),
    ("logging: {options: {max-size: 1m}}", "logging", Logging("json-file", {"max-size": "1m"})),
    ("stop_grace_period: 1m", "stop_grace_period", timedelta(minutes=1)),
    ("stop_signal: SIGINT", "stop_signal", "SIGINT"),
    ("stop_signal: SIGRTMIN+3", "stop_signal", "SIGRTMIN+3"),
    ("stop_signal: 15", "stop_signal", "15"),
    ("user: 33:33", "user", "33:33"),
    ("user: www-data", "user", "www-data"),
    ("working_dir: /app/", "working_dir", "/app"),
    ("read_only: true", "read_only", True),
    ("read_only: 'false'", "read_only", False),
    ("init: true", "init", True),
    ("cap_drop: [ALL, NET_RAW]", "cap_drop", ("ALL", "NET_RAW")),
    ("security_opt: ['no-new-privileges:true']", "security_opt", ("no-new-privileges=true",)),
    ("security_opt: [no-new-privileges]", "security_opt", ("no-new-privileges=true",)),
    ("security_opt: ['apparmor:docker-default']", "security_opt", ("apparmor=docker-default",)),
    ("extra_hosts: ['db:10.0.0.1', 'gate=host-gateway', 'six:::1']", "extra_hosts", ("db:10.0.0.1",
     "gate:host-gateway", "six:::1")),
    ("extra_hosts: {db: 10.0.0.1}", "extra_hosts", ("db:10.0.0.1",)),
    ("shm_size: 64mb", "shm_size", 64 * 1024**2),
    ("shm_size: 67108864", "shm_size", 64 * 1024**2),
    ("ulimits: {nproc: 100, nofile: {soft: 1, hard: 2}, core: -1}", "ulimits", (Ulimit("nproc", 100, 100),
     Ulimit("nofile", 1, 2), Ulimit("core", -1, -1))),
    ("networks: [default, back]", "networks", {"default": (), "back": ()}),
    ("networks: {back: {aliases: [store]}, default: }", "networks", {"back": ("store",), "default": ()}),
    ("depends_on: [db]", "depends_on", {"db": "service_started"}),
    ("depends_on: {db: {condition: service_healthy}}", "depends_on", {"db": "service_healthy"}),
    ("x-note: {anything: [goes]}", "image", "busybox"),
    ("network_mode: none", "network_mode", "none"),
    ("privileged: false", "privileged", False),
]  # fmt: skip


@pytest.mark.parametrize(("body", "attribute", "expected"), KEYS, ids=[f"{a}:{b}" for b, a, _ in KEYS])
def test_a_key_comes_to(body: str, attribute: str, expected: Any) -> None:
    body = "" if body == "{}" else body
    rest = "  db: {image: postgres}\nvolumes: {data: {}}\nnetworks: {back: {}}\nx-vpsctl: {web: false}"
    value = getattr(site(app(body, rest)).services["app"], attribute)
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("body", "attribute", "expected"),
    [
        ("privileged: true", "privileged", True),
        ("network_mode: host", "network_mode", "host"),
        ("pid: host", "pid_mode", "host"),
        ("ipc: host", "ipc_mode", "host"),
        ("security_opt: ['seccomp:unconfined']", "security_opt", ("seccomp=unconfined",)),
        ("volumes: ['/srv/data:/data']", "volumes", (VolumeMount("bind", "/data", "/srv/data"),)),
        ("volumes: ['../shared:/data']", "volumes", (VolumeMount("bind", "/data", "../shared"),)),
        (
            "volumes: ['/var/run/docker.sock:/s:ro']",
            "volumes",
            (VolumeMount("bind", "/s", "/var/run/docker.sock", True),),
        ),
        ("ports: ['0.0.0.0:80:80']", "ports", (Port(80, 80, "0.0.0.0"),)),
    ],
)
def test_what_the_operator_allows_is_read(body: str, attribute: str, expected: Any) -> None:
    assert getattr(service(body, allow=ALL), attribute) == expected


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        ("build: .", Build(".")),
        ("build: ./web/", Build("web")),
        ("build: {dockerfile: docker/Web}", Build(".", "docker/Web")),
        ("build: {context: web, dockerfile: ../Dockerfile}", Build("web", "../Dockerfile")),
        ("build: {context: web, target: prod, args: {A: 1.0, B: x}}", Build("web", None, "prod", {"A": "1.0", "B": "x"})),
        ("build: {args: [A=b=c, HOST]}", Build(".", None, None, {"A": "b=c", "HOST": "h"})),
    ],
)
def test_build(build: str, expected: Build) -> None:
    spec = site(f"name: a\nservices:\n  app:\n    {build}\n", {"HOST": "h"})
    assert spec.services["app"].build == expected
    assert spec.services["app"].image is None


def test_a_service_knows_its_line() -> None:
    assert [item.line for item in site(app("init: true", "  db:\n    image: postgres")).services.values()] == [3, 6]


@pytest.mark.parametrize(
    ("declared", "external"),
    [
        ("data:", None),
        ("data: {}", None),
        ("data: {driver: local}", None),
        ("data: {external: true}", "data"),
        ("data: {external: true, name: old_data}", "old_data"),
        ("data: {external: false}", None),
    ],
)
def test_declared_volumes(declared: str, external: str | None) -> None:
    volumes = site(app(rest=f"volumes:\n  {declared}")).volumes
    assert list(volumes) == ["data"]
    assert volumes["data"].external == external


def test_declared_networks() -> None:
    networks = site(app(rest="networks:\n  a:\n  b: {internal: true}\n  c: {driver: bridge}")).networks
    assert {name: item.internal for name, item in networks.items()} == {"a": False, "b": True, "c": False}


def test_anchors_and_merge_keys() -> None:
    text = """\
x-base: &base
  image: busybox
  restart: always
  environment: &env {A: 1, B: 2}
x-more: &more {restart: "no", init: true}
name: shop
services:
  one:
    <<: [*base, *more]
    user: "5"
  two:
    <<: *base
    restart: on-failure
    environment:
      <<: *env
      B: 3
"""
    one, two = site(text).services.values()
    assert (one.restart, one.init, one.user, one.environment) == ("always", True, "5", {"A": "1", "B": "2"})
    assert (two.restart, two.init, two.environment) == ("on-failure", None, {"A": "1", "B": "3"})


def test_a_service_that_others_wait_for_to_complete_does_not_start_again() -> None:
    rest = "    depends_on: {migrate: {condition: service_completed_successfully}}\n  migrate: {image: busybox}"
    services = site(app(rest=rest)).services
    assert services["migrate"].restart == "no"
    assert services["app"].restart == "unless-stopped"
