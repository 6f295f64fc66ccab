"""How each kind of service is replaced at a deploy."""

import pytest

from tests.unit.compose.reading import ALL, app, site
from vpsctl.sites.compose.roles import is_stateful, update_order
from vpsctl.sites.compose.spec import Service

WEB = "x-vpsctl: {web: {service: app, port: 3000}}"
VOLUMES = "volumes: {data: {}}\n"


@pytest.mark.parametrize(
    ("text", "name", "order"),
    [
        (app(rest=WEB), "app", "start-first"),
        (app("volumes: ['data:/uploads']", VOLUMES + WEB), "app", "start-first"),
        (app("ports: ['3000:3000']", WEB), "app", "start-first"),
        (app("ports: ['3000:3000', '8443:8443']", WEB), "app", "stop-first"),
        (app("ports: [3000, 8443]", WEB), "app", "stop-first"),
        (app(rest="x-vpsctl: {web: {service: app, port: 3000}, update: {order: stop-first}}"), "app", "stop-first"),
        (app(rest="x-vpsctl: {web: {service: app, port: 3000}, update: {order: start-first}}"), "app", "start-first"),
        (app(rest="  worker: {image: w}\n" + WEB), "worker", "start-first"),
        (app(rest="  worker: {image: w, ports: [9000]}\n" + WEB), "worker", "stop-first"),
        (app(rest="  worker: {image: w, volumes: ['data:/d']}\n" + VOLUMES + WEB), "worker", "recreate"),
        (app(rest="  worker: {image: w, volumes: ['data:/d:ro']}\n" + VOLUMES + WEB), "worker", "start-first"),
        (app(rest="  worker: {image: w, volumes: ['./d:/d']}\n" + WEB), "worker", "recreate"),
        (app(rest="  worker: {image: w, volumes: [/cache], tmpfs: /t}\n" + WEB), "worker", "start-first"),
        (app(rest="  worker: {image: w, network_mode: host}\n" + WEB), "worker", "stop-first"),
        (app(rest="  db: {image: postgres:15-alpine, volumes: ['data:/d']}\n" + VOLUMES + WEB), "db", "recreate"),
        (app(rest="  cache: {image: redis:7-alpine}\n" + WEB), "cache", "recreate"),
        ("name: a\nservices: {db: {image: couchdb}}\nx-vpsctl: {web: {port: 5984}}", "db", "stop-first"),
        (app(), "app", "start-first"),
    ],
)
def test_order(text: str, name: str, order: str) -> None:
    spec = site(text, allow=ALL)
    assert update_order(spec, spec.services[name]) == order


@pytest.mark.parametrize(
    ("image", "stateful"),
    [
        ("postgres:15-alpine", True),
        ("postgres", True),
        ("library/postgres@sha256:" + "0" * 64, True),
        ("registry.example:5000/mysql", True),
        ("bitnami/postgresql:16", True),
        ("mcr.example/mssql/server:2022", True),
        ("pgvector/pgvector:pg16", True),
        ("clickhouse/clickhouse-server", True),
        ("acme/postgres-backup", False),
        ("mongo-express", False),
        ("nginx:alpine", False),
        ("sha256:" + "a" * 64, False),
        (None, False),
    ],
)
def test_a_database_is_known_by_its_image(image: str | None, stateful: bool) -> None:
    assert is_stateful(Service("x", image=image)) is stateful
