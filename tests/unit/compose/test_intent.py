"""The `x-vpsctl` section: every key, the defaults that come from the services, and what is refused."""

from datetime import timedelta
from typing import Any

import pytest

from tests.unit.compose.reading import app, intent, refused, site
from vpsctl.sites.compose.spec import BackupIntent, Grant, Intent, PreDeploy, Probe, Update, Web

WEB = "web: {service: app, port: 3000, domains: [shop.example.com], tls: internal}"

ACCEPTED: list[tuple[str, str, Any]] = [
    ("project: acme-corp", "project", "acme-corp"),
    (WEB, "web", Web("app", 3000, ("shop.example.com",), "internal")),
    ("web: {port: 3000}", "web", Web("app", 3000, ())),
    ("web: {port: 80, domains: [WWW.Example.COM., Bücher.example, straße.example]}", "web",
     Web("app", 80, ("www.example.com", "xn--bcher-kva.example", "xn--strae-oqa.example"))),
    ("web: {port: 80, domains: ['*.example.com', localhost], tls: off}", "web", Web("app", 80, ("*.example.com",
     "localhost"), "off")),
    ("web: false", "web", None),
    ("healthcheck: {}", "probe", Probe("/", timedelta(seconds=1), timedelta(seconds=5), (200, 399), 2)),
    ("healthcheck: {path: '/up?x=1', interval: 500ms, timeout: 2s, success_threshold: 3}", "probe",
     Probe("/up?x=1", timedelta(milliseconds=500), timedelta(seconds=2), (200, 399), 3)),
    ("healthcheck: {expect_status: 2xx-3xx}", "probe", Probe(expect_status=(200, 399))),
    ("healthcheck: {expect_status: 2xx}", "probe", Probe(expect_status=(200, 299))),
    ("healthcheck: {expect_status: 200}", "probe", Probe(expect_status=(200, 200))),
    ("healthcheck: {expect_status: 200-204}", "probe", Probe(expect_status=(200, 204))),
    ("healthcheck: {expect_status: 401-4xx}", "probe", Probe(expect_status=(401, 499))),
    ("secrets: [A, {name: B, services: [app]}, {name: C}]", "secrets", (Grant("A"), Grant("B", ("app",)), Grant("C"))),
    ("update: {order: stop-first, deploy_timeout: 2m, drain_timeout: 0s, bake: 0, retain: 1}", "update",
     Update("stop-first", timedelta(minutes=2), timedelta(0), timedelta(0), 1)),
    ("update: {}", "update", Update("auto", timedelta(seconds=60), timedelta(seconds=30), timedelta(seconds=30), 5)),
    ("pre_deploy: {command: [npm, run, migrate], timeout: 5m}", "pre_deploy", PreDeploy(("npm", "run", "migrate"),
     timedelta(minutes=5))),
    ("pre_deploy: {command: npm run 'a b', service: app}", "pre_deploy", PreDeploy(("npm", "run", "a b"),
     timedelta(minutes=5), "app")),
    ("backup: {schedule: '0 2 * * *', keep: {daily: 7, weekly: 5, monthly: 12}, verify: weekly}", "backup",
     BackupIntent("0 2 * * *", {"daily": 7, "weekly": 5, "monthly": 12}, "weekly")),
    ("backup: {schedule: '*/15 0-6,22 1 jan-mar mon'}", "backup", BackupIntent("*/15 0-6,22 1 jan-mar mon")),
    ("backup: {}", "backup", BackupIntent("0 2 * * *", {}, "weekly")),
    ("profiles: [prod]", "profiles", ("prod",)),
    ("x-mine: 1", "profiles", ()),
]  # fmt: skip


@pytest.mark.parametrize(("body", "attribute", "expected"), ACCEPTED, ids=[row[0] for row in ACCEPTED])
def test_a_key_comes_to(body: str, attribute: str, expected: Any) -> None:
    assert getattr(intent(body), attribute) == expected


def test_an_empty_section_is_the_defaults() -> None:
    assert site(app(rest="x-vpsctl:")).intent == site(app()).intent == Intent()


# (body under x-vpsctl, whose first line is line 6; path; line; words; hint)
REFUSED = [
    ("webb: {}", "webb", 6, "does not support 'webb' here", "did you mean web?"),
    ("project: Acme Corp", "project", 6, "'Acme Corp' is not a project's name", ""),
    ("web: true", "web", 6, "is a mapping, or false", "domains"),
    ("web: {port: 0}", "web.port", 6, "those go from 1 to 65535", ""),
    ("web: {port: 65536}", "web.port", 6, "those go from 1 to 65535", ""),
    ("web: {port: http}", "web.port", 6, "'http' is not a plain whole number", ""),
    ("web: {service: app}", "web", 6, "names no port", "the one app listens on"),
    ("web:\n  service: ap\n  port: 80", "web.service", 7, "there is no service 'ap'", "services: app"),
    ("web: {port: 80, tls: yes}", "web.tls", 6, "'yes' is not one of auto, internal, off", ""),
    ("web: {port: 80, domains: a.example}", "web.domains", 6, "must be a list", ""),
    ("web:\n  port: 80\n  domains:\n  - a.example\n  - https://b.example/", "web.domains[1]", 10, "without https://", ""),
    ("web: {port: 80, domains: ['a.example:80']}", "web.domains[0]", 6, "without https://, port or path", ""),
    ("web: {port: 80, domains: [shop]}", "web.domains[0]", 6, "it has no dot", ""),
    ("web: {port: 80, domains: [a_b.example]}", "web.domains[0]", 6, "is not a host name", ""),
    ("web: {port: 80, domains: ['a.*.example']}", "web.domains[0]", 6, "is not a host name", ""),
    ("web: {port: 80, domains: ['*']}", "web.domains[0]", 6, "is not a host name", ""),
    ("web: {port: 80, domains: ['*.*.example.com'], tls: off}", "web.domains[0]", 6, "is not a host name", ""),
    ("web: {port: 80, domains: [10.0.0.1]}", "web.domains[0]", 6, "is an address", ""),
    ("web: {port: 80, domains: [a.example, A.example]}", "web.domains[1]", 6, "a.example stands there twice", ""),
    ("web: {port: 80, domains: ['*.example.com']}", "web.domains", 6, "a certificate for *.", "tls: internal"),
    ("healthcheck: {path: up}", "healthcheck.path", 6, "'up' is not a path", ""),
    ("healthcheck: {path: '/a b'}", "healthcheck.path", 6, "is not a path", ""),
    ("healthcheck: {interval: 1}", "healthcheck.interval", 6, "'1' is not a duration", ""),
    ("healthcheck: {interval: 0s}", "healthcheck.interval", 6, "longer than nothing", ""),
    ("healthcheck: {timeout: 0s}", "healthcheck.timeout", 6, "longer than nothing", ""),
    ("healthcheck: {expect_status: ok}", "healthcheck.expect_status", 6, "not a range of statuses", ""),
    ("healthcheck: {expect_status: 3xx-2xx}", "healthcheck.expect_status", 6, "higher status first", ""),
    ("healthcheck: {expect_status: 600}", "healthcheck.expect_status", 6, "not a range of statuses", ""),
    ("healthcheck: {success_threshold: 0}", "healthcheck.success_threshold", 6, "not from 1 to 100", ""),
    ("secrets: A", "secrets", 6, "must be a list", ""),
    ("secrets: [db_password]", "secrets[0]", 6, "'db_password' is not a credential's name", "capital letters"),
    ("secrets: [A, A]", "secrets[1]", 6, "A stands there twice", ""),
    ("secrets:\n- A\n- {name: B, services: [b]}", "secrets[1].services[0]", 8, "there is no service 'b'", ""),
    ("secrets: [{services: [app]}]", "secrets[0]", 6, "has no name", ""),
    ("secrets: [{name: A, service: app}]", "secrets[0].service", 6, "does not support", "services"),
    ("secrets: ['${A}']", "secrets[0]", 6, "must be written out", ""),
    ("update: {order: rolling}", "update.order", 6, "not one of auto, start-first, stop-first", ""),
    ("update: {deploy_timeout: 0s}", "update.deploy_timeout", 6, "longer than nothing", ""),
    ("update: {retain: 0}", "update.retain", 6, "0 is not from 1 to 100", ""),
    ("update: {bake: soon}", "update.bake", 6, "'soon' is not a duration", ""),
    ("pre_deploy: {timeout: 5m}", "pre_deploy", 6, "has no command", ""),
    ("pre_deploy: {command: ''}", "pre_deploy", 6, "has no command", ""),
    ("pre_deploy: {command: a && b}", "pre_deploy.command", 6, "no shell reads it", ""),
    ("pre_deploy: {command: a, timeout: 0s}", "pre_deploy.timeout", 6, "longer than nothing", ""),
    ("pre_deploy: {command: a, service: b}", "pre_deploy.service", 6, "there is no service 'b'", ""),
    ("backup: {schedule: daily}", "backup.schedule", 6, "write the five fields of cron", ""),
    ("backup: {schedule: '0 25 * * *'}", "backup.schedule", 6, "'25' goes from 0 to 23", ""),
    ("backup: {schedule: '0 2 * * x'}", "backup.schedule", 6, "'x' goes from 0 to 7", ""),
    ("backup: {keep: {days: 7}}", "backup.keep.days", 6, "does not support 'days'", ""),
    ("backup: {keep: {daily: -1}}", "backup.keep.daily", 6, "-1 is not from 0 to 1000", ""),
    ("backup: {verify: sometimes}", "backup.verify", 6, "not one of daily, weekly, monthly, never", ""),
    ("profiles: prod", "profiles", 6, "must be a list", ""),
]  # fmt: skip


@pytest.mark.parametrize(("body", "path", "line", "words", "hint"), REFUSED, ids=[row[0] for row in REFUSED])
def test_a_key_is_refused(body: str, path: str, line: int, words: str, hint: str) -> None:
    indented = "\n".join("  " + part for part in body.split("\n"))
    error = refused(app(rest=f"x-vpsctl:\n{indented}"))
    assert error.message.startswith(f"compose.yaml: x-vpsctl.{path}, line {line}: ")
    assert words in error.message
    assert hint in error.hint


DB = "  db:\n    image: postgres:15-alpine\n    ports: [5432]\n"
ADMIN = "  admin:\n    image: adminer\n    ports: [8080]\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (app("ports: [3000]"), Web("app", 3000, ())),
        (app("ports: ['8080:3000', '9000/udp']"), Web("app", 3000, ())),
        (app("ports: [3000]", DB), Web("app", 3000, ())),
        (app(rest=DB), None),
        (app(), None),
        (app("ports: ['53/udp']"), None),
        (app("ports: [3000]", DB + "x-vpsctl: {web: {domains: [a.example]}}"), Web("app", 3000, ("a.example",))),
        (app("ports: [3000]", ADMIN + "x-vpsctl: {web: {service: admin}}"), Web("admin", 8080, ())),
        (app("ports: [3000]", ADMIN + "x-vpsctl: {web: false}"), None),
        (app("ports: [3000, 3001]", "x-vpsctl: {web: {port: 3001}}"), Web("app", 3001, ())),
    ],
)
def test_the_web_service_comes_from_the_ports(text: str, expected: Web | None) -> None:
    assert site(text).intent.web == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (app("ports: [3000]", ADMIN), "app (3000) and admin (8080)"),
        (app("ports: [3000, 3001]"), "app (3000, 3001)"),
        (app("ports: [3000]", ADMIN + "x-vpsctl: {web: {domains: [a.example]}}"), "names no service"),
        (app(rest=DB + "x-vpsctl: {web: {service: app}}"), "names no port"),
        (app("network_mode: none", "x-vpsctl: {web: {port: 80}}"), "app is the web service"),
        (app("deploy: {replicas: 0}", "x-vpsctl: {web: {port: 80}}"), "needs one container at least"),
        (
            app("ports: [3000, '8443:8443']", "x-vpsctl: {web: {port: 3000}, update: {order: start-first}}"),
            "app cannot start first: port 8443",
        ),
        (app(rest="  b: {image: c}\nx-vpsctl: {pre_deploy: {command: a}}"), "names no service"),
    ],
)
def test_a_web_service_that_cannot_be(text: str, words: str) -> None:
    assert words in refused(text).message


def test_the_published_web_port_is_the_proxys_so_it_may_have_replicas() -> None:
    spec = site(app("ports: ['3000:3000']\ndeploy: {replicas: 3}"))
    assert spec.intent.web == Web("app", 3000, ())
    assert spec.services["app"].replicas == 3


PROFILES = "  dev:\n    image: adminer\n    privileged: true\n    container_name: ${NOWHERE}\n    profiles: [dev, debug]\n"


def test_a_service_whose_profiles_are_off_is_left_out_unread() -> None:
    assert list(site(app(rest=PROFILES)).services) == ["app"]
    assert list(site(app("profiles: [prod]", "x-vpsctl: {profiles: [prod]}")).services) == ["app"]
    enabled = refused(app(rest=PROFILES + "x-vpsctl: {profiles: [debug]}"))
    assert enabled.message.startswith("compose.yaml: services.dev.container_name, line 8: ")
