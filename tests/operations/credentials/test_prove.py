"""`cred test`: really connected, on record before, and nothing of the value in what is told."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.contract.probe.pages import Page, Site
from vpsctl.app import App
from vpsctl.audit.list import AuditRow, Wanted, list_audit
from vpsctl.credentials.prove import prove_credential
from vpsctl.credentials.set import Traits, set_credential
from vpsctl.credentials.show import show_credential
from vpsctl.encoding import to_json
from vpsctl.errors import Invalid, NotFound
from vpsctl.secret import Secret

TAKEN = "Basic YXBpOmh1bnRlcjIy"
"""api:hunter22"""


def uses(app: App) -> list[AuditRow]:
    return list_audit(app, Wanted(action="credential.use"))


@pytest.fixture
def page() -> Iterator[Site]:
    """Lets in who sends TAKEN."""
    with closing(Site(lambda asked: Page(200 if asked.headers.get("authorization") == TAKEN else 401))) as site:
        yield site


def test_a_page_is_really_asked(app: App, page: Site) -> None:
    traits = Traits(kind="basic", details={"url": page.url})
    set_credential(app, "YESPO", Secret("api:hunter22"), project="acme", traits=traits)
    proof = prove_credential(app, "YESPO", project="acme")
    assert (proof.ok, proof.version, proof.project) == (True, 1, "acme"), proof
    assert page.asked[0].headers["authorization"] == TAKEN
    assert proof.seconds > 0
    (row,) = uses(app)
    assert row.fields == {"names": ["YESPO"], "versions": [1], "program": "vpsctl cred test"}
    assert row.target == "credential:acme/YESPO"
    assert show_credential(app, "YESPO", project="acme").last_used_at is not None
    set_credential(app, "YESPO", Secret("api:hunter33"), project="acme")
    refused = prove_credential(app, "YESPO", project="acme")
    assert (refused.ok, refused.version) == (False, 2), refused
    assert "hunter" not in to_json([proof, refused, *uses(app)])


def test_a_place_that_is_given_comes_before_its_own_and_is_on_record(app: App, page: Site) -> None:
    own = "http://127.0.0.1:1/nobody"
    set_credential(app, "YESPO", Secret("api:hunter22"), traits=Traits(kind="basic", details={"url": own}))
    assert prove_credential(app, "YESPO").ok is False
    assert prove_credential(app, "YESPO", details={"url": page.url}).ok is True
    assert [row.fields.get("host") for row in uses(app)] == ["127.0.0.1", None]
    assert show_credential(app, "YESPO").details == {"url": own}


def test_where_there_is_nothing_to_connect_to_it_says_so(app: App) -> None:
    set_credential(app, "KEYS", Secret("API_KEY=hunter22"), traits=Traits(kind="keyvalue"))
    proof = prove_credential(app, "KEYS")
    assert proof.ok is None
    assert proof.told == "a key-value set is not connected to anything; it holds API_KEY"
    assert len(uses(app)) == 1


def test_what_cannot_be_tried_is_not_opened(app: App) -> None:
    set_credential(app, "TOKEN", Secret("hunter22"))
    with pytest.raises(Invalid, match="has no use for --bucket"):
        prove_credential(app, "TOKEN", details={"bucket": "x"})
    with pytest.raises(Invalid, match="--url holds a password"):
        prove_credential(app, "TOKEN", details={"url": "postgresql://u:hunter33@localhost/d"})
    with pytest.raises(NotFound):
        prove_credential(app, "OTHER")
    assert uses(app) == []
