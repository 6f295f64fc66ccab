"""Whatever stands in a compose file: a SiteSpec or Invalid, never another exception, and never a secret in a message."""

import copy
from typing import Any

import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.compose.reading import ALL
from vpsctl.errors import Invalid
from vpsctl.secret import Secret
from vpsctl.sites.compose.read import env_files, read_site, variables_wanted
from vpsctl.sites.compose.roles import update_order
from vpsctl.sites.compose.spec import Allowances, SiteSpec

CANARY = "canary-7f3a-canary"
VARIABLES: dict[str, str | Secret] = {"S": Secret(CANARY), "V": "plain", "PORT": "80"}

WHOLE: dict[str, Any] = yaml.safe_load("""
name: shop
services:
  app:
    build: {context: ., dockerfile: Dockerfile, target: x, args: {A: 1, B: $V}}
    command: npm start
    entrypoint: [run]
    environment: {A: $S, B: "${S:-x}", C: null}
    env_file: [{path: a.env, required: false}]
    volumes: ["data:/data", "./c:/c:ro", {type: tmpfs, target: /t, tmpfs: {size: 1m}}]
    ports: ["3000", "127.0.0.1:8080:80/udp", {target: 90, published: 9090}]
    networks: {back: {aliases: [a]}}
    depends_on: {db: {condition: service_healthy}}
    healthcheck: {test: [CMD, a], interval: 1s, retries: 3, disable: false}
    restart: always
    labels: [a=b]
    deploy: {replicas: 1, resources: {limits: {memory: 64m, cpus: "1", pids: 9}, reservations: {memory: 32m}}}
    mem_limit: 64m
    cpus: "1"
    logging: {driver: local, options: {max-size: 1m}}
    stop_grace_period: 1s
    stop_signal: SIGTERM
    user: a:b
    working_dir: /app
    read_only: true
    tmpfs: ["/run:size=1m"]
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    extra_hosts: ["a:1.1.1.1"]
    init: true
    shm_size: 1m
    ulimits: {nofile: {soft: 1, hard: 2}, core: 0}
    profiles: [p]
    privileged: false
  db: {image: "postgres:15", network_mode: none, volumes: ["data:/d"]}
volumes: {data: {external: true, name: d}}
networks: {back: {internal: true}}
x-vpsctl:
  project: acme
  web: {service: app, port: 3000, domains: [a.example], tls: auto}
  healthcheck: {path: /, interval: 1s, timeout: 1s, expect_status: 2xx, success_threshold: 1}
  secrets: [S, {name: T, services: [app]}]
  update: {order: auto, deploy_timeout: 1s, drain_timeout: 1s, bake: 1s, retain: 1}
  pre_deploy: {command: a, timeout: 1s, service: app}
  backup: {schedule: "0 2 * * *", keep: {daily: 1}, verify: weekly}
  profiles: [p]
""")
ENVIRONMENT = {**VARIABLES, "C": "c"}

words = st.sampled_from([
    "", "$S", "a$S", "${S}:/x", "$S=1", "S", "80", "$PORT", "-1", "012", "true", "host", "none", "app", "db", "data", "/",
    "..", "1s", "1m", "a:b:c", "127.0.0.1:1:2", "[::1]:1:2", "${", "${S:?$S}", "$V", "service_healthy", "sh -c 'a'", "*.a.b",
    "2xx", "a.example", "a b", "é", "::", "1-2", "/a:/b", "./a:/b:ro", "SIGTERM", "A=1", "a=b=c", "x" * 300, "9" * 40,
])  # fmt: skip
scalars = words | st.none() | st.booleans() | st.integers() | st.floats() | st.dates() | st.text(max_size=8)
keys = st.sampled_from(
    [
        "image",
        "build",
        "target",
        "source",
        "type",
        "condition",
        "soft",
        "hard",
        "name",
        "path",
        "required",
        "x-a",
        "app",
        "A",
        "<<",
    ]
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys | st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = list(node.items()) if isinstance(node, dict) else list(enumerate(node)) if isinstance(node, list) else []
    return [path, *(place for key, child in inner for place in places(child, (*path, key)))]


PLACES = [place for place in places(WHOLE) if place]


def changed(edits: list[tuple[tuple[Any, ...], Any]]) -> Any:
    """The document with a value put at each place that is still there after the edits before it."""
    document = copy.deepcopy(WHOLE)
    for path, value in edits:
        if path in places(document):
            node = document
            for key in path[:-1]:
                node = node[key]
            node[path[-1]] = value
    return document


def read(text: str, allow: Allowances) -> SiteSpec | None:
    """The spec, or None for what is properly refused."""
    try:
        variables_wanted(text)
        env_files(text)
    except Invalid as error:
        assert CANARY not in error.message + error.hint
    try:
        spec = read_site(text, variables=ENVIRONMENT, files={"a.env": "A=$S\nB='x'"}, allow=allow)
    except Invalid as error:
        assert CANARY not in f"{error.message} {error.hint} {error!r} {error.__cause__}"
        assert error.message.startswith("compose.yaml") and error.hint
        return None
    assert {update_order(spec, service) for service in spec.services.values()} <= {"start-first", "stop-first", "recreate"}
    return spec


def test_the_document_that_is_changed_is_a_good_one() -> None:
    assert read(yaml.safe_dump(WHOLE), Allowances()) is not None


@settings(max_examples=120, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PLACES), anything), min_size=1, max_size=3), st.booleans())
@example([(("services", "app", "ports"), ["$S"])], False)
def test_any_change_to_a_document(edits: list[tuple[tuple[Any, ...], Any]], allowed: bool) -> None:
    read(yaml.safe_dump(changed(edits), allow_unicode=True), ALL if allowed else Allowances())


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(sorted(WHOLE["services"]["app"])), anything)
def test_any_value_of_any_key(key: str, value: Any) -> None:
    service = {"image": "a", key: value} if key != "build" else {key: value}
    spec = read(yaml.safe_dump({"name": "a", "services": {"app": service}}), ALL)
    assert spec is None or list(spec.services) == ["app"]


@settings(max_examples=120, deadline=None)
@given(st.text(max_size=60) | st.text("ab:-[]{}&*!|>'\"%@`#?,<\n\t $S0~\\x", max_size=80))
@example('"\\U99999999"')
@example("%YAML 1." + "9" * 5000 + "\n---\na")
@example("[" * 5000)
@example("- " * 5000)
@example("a: " * 5000)
@example("? " * 5000)
@example("&a [*a]")
@example("<<: &a {<<: *a}")
def test_any_text(text: str) -> None:
    read(text, Allowances())
    read(f"name: a\nservices:\n  app:\n    image: b\n    labels: {text}", Allowances())
