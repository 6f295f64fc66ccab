"""What a site gets of its credentials: the project's own before the machine's, and the fields of those that have some."""

import pytest

from vpsctl.app import App
from vpsctl.credentials.set import Traits, set_credential
from vpsctl.secret import Secret
from vpsctl.sites.snapshot import Draft, Resolved, resolve

COMPOSE = """
name: shop
services:
  app:
    image: app
    environment:
      WHO: ${YESPO_USERNAME}
      LOGIN: "${YESPO}"
  worker: {image: app}
x-vpsctl:
  web: {service: app, port: 80, domains: [shop.localhost], tls: off}
  secrets:
    - TOKEN
    - YESPO
    - {name: SETTINGS, services: [worker]}
"""


def resolved(app: App, project: str, versions: dict[str, int]) -> Resolved:
    draft = Draft(
        site="shop",
        project=project,
        compose=COMPOSE,
        source={},
        directory=None,
        files={},
        environment={},
        scale={},
        credentials=versions,
        image=None,
    )
    return resolve(app, draft)


@pytest.fixture
def site(app: App) -> Resolved:
    set_credential(app, "TOKEN", Secret("the machine's"))
    set_credential(app, "TOKEN", Secret("acme's"), project="acme")
    set_credential(app, "YESPO", Secret("sender:hunter22"), traits=Traits(kind="basic"), project="acme")
    set_credential(app, "SETTINGS", Secret('{"STRIPE_KEY": "sk_live_1234"}'), traits=Traits(kind="keyvalue"))
    return resolved(app, "acme", {"TOKEN": 2, "YESPO": 1, "SETTINGS": 1})


def test_it_gets_its_projects_own_and_each_field(site: Resolved) -> None:
    assert site.spec.services["app"].environment == {
        "TOKEN": Secret("acme's"),
        "YESPO": Secret("sender:hunter22"),
        "YESPO_USERNAME": Secret("sender"),
        "YESPO_PASSWORD": Secret("hunter22"),
        "WHO": Secret("sender"),
        "LOGIN": Secret("sender:hunter22"),
    }


def test_a_key_value_set_gives_its_own_names_to_the_services_named(site: Resolved) -> None:
    assert site.spec.services["worker"].environment == {
        "SETTINGS": Secret('{"STRIPE_KEY": "sk_live_1234"}'),
        "STRIPE_KEY": Secret("sk_live_1234"),
    }


def test_every_field_is_kept_out_of_the_runs_log(site: Resolved) -> None:
    assert {Secret("hunter22"), Secret("sk_live_1234"), Secret("acme's")} <= set(site.secrets)
