"""A service account, tried on a token endpoint that checks its signature, and on what stands in for BigQuery."""

import base64
import json
import time
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import parse_qs

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.contract.probe.pages import Asked, Page, Site
from vpsctl.credentials.probe.probe import Probe, probe
from vpsctl.secret import Secret

EMAIL, PROJECT, TOKEN = "reader@shop-reports.iam.gserviceaccount.com", "shop-reports", "ya29.cAnArY4MfXz"
QUERIES = f"/bigquery/v2/projects/{PROJECT}/queries"


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


class Google:
    """A token endpoint, which knows the public half of one key, and jobs.query for the tokens it gave."""

    def __init__(self) -> None:
        self.key: RSAPrivateKey = generate_private_key(65537, 2048)
        self.site = Site(self.answer)
        self.refuses_queries = False

    def answer(self, asked: Asked) -> Page:
        if asked.path == "/token":
            return self.token(parse_qs(asked.body))
        if asked.path == QUERIES and asked.headers.get("authorization") == f"Bearer {TOKEN}":
            return self.query(json.loads(asked.body))
        return Page(401)

    def token(self, form: dict[str, list[str]]) -> Page:
        signed, _, signature = form["assertion"][0].rpartition(".")
        header, claims = (json.loads(decoded(part)) for part in signed.split("."))
        try:
            self.key.public_key().verify(decoded(signature), signed.encode(), PKCS1v15(), SHA256())
        except InvalidSignature:
            return Page(400, body=json.dumps({"error": "invalid_grant", "error_description": "Invalid JWT Signature."}))
        assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
        assert header["alg"] == "RS256"
        assert claims["iss"] == EMAIL
        assert claims["aud"] == "https://oauth2.googleapis.com/token"  # whatever token_uri says (google-auth)
        assert claims["exp"] > time.time()
        assert claims["scope"] == "https://www.googleapis.com/auth/bigquery"
        return Page(body=json.dumps({"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"}))

    def query(self, query: dict[str, object]) -> Page:
        if self.refuses_queries:
            return Page(403, body=json.dumps({"error": {"message": "BigQuery API has not been used in this project"}}))
        assert query == {"query": "SELECT 1", "dryRun": True, "useLegacySql": False}
        return Page(body=json.dumps({"jobComplete": True, "totalBytesProcessed": "0"}))

    def account(self, key: RSAPrivateKey | None = None, token_uri: str = "") -> str:
        pem = (key or self.key).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        document = {"type": "service_account", "project_id": PROJECT, "private_key": pem, "private_key_id": "1"}
        return json.dumps({**document, "client_email": EMAIL, "token_uri": token_uri or f"{self.site.url}/token"}, indent=2)


@pytest.fixture(scope="module")
def known() -> Iterator[Google]:
    google = Google()
    with closing(google.site):
        yield google


@pytest.fixture
def google(known: Google) -> Google:
    known.refuses_queries = False
    known.site.asked.clear()
    return known


def tried(account: str, endpoint: str, seconds: float = 5) -> Probe:
    done = probe("service-account", Secret(account), {"endpoint": endpoint}, seconds=seconds)
    assert "cAnArY" not in done.told
    assert not any(line in done.told for line in json.loads(account)["private_key"].splitlines())
    return done


def test_the_key_gets_a_token_and_the_token_a_query(google: Google) -> None:
    done = tried(google.account(), google.site.url)
    assert (done.ok, done.told) == (True, f"BigQuery lets {EMAIL} query in project {PROJECT}")
    assert [asked.path for asked in google.site.asked] == ["/token", QUERIES]


def test_another_key_is_refused(google: Google) -> None:
    done = tried(google.account(generate_private_key(65537, 2048)), google.site.url)
    assert done.ok is False
    assert f"the key of {EMAIL} was refused" in done.told
    assert "Invalid JWT Signature" in done.told


def test_bigquery_refuses_what_google_knows(google: Google) -> None:
    google.refuses_queries = True
    done = tried(google.account(), google.site.url)
    assert done.ok is False
    assert f"the key of {EMAIL} is good, but BigQuery answered 403" in done.told
    assert "has not been used" in done.told


def test_ports_where_nobody_listens(google: Google, closed_port: int) -> None:
    nobody = f"http://127.0.0.1:{closed_port}"
    done = tried(google.account(token_uri=f"{nobody}/token"), google.site.url)
    assert (done.ok, done.reached) == (False, False)
    assert f"{nobody} cannot be reached" in done.told
    done = tried(google.account(), nobody)
    assert (done.ok, done.reached) == (False, False)
    assert f"is good, but {nobody} cannot be reached" in done.told


def test_servers_that_never_answer(google: Google, silent_port: int) -> None:
    nobody = f"http://127.0.0.1:{silent_port}"
    for done in (tried(google.account(token_uri=f"{nobody}/token"), google.site.url, 1), tried(google.account(), nobody, 1)):
        assert (done.ok, done.reached) == (False, False)
        assert "did not answer within 1 s" in done.told
        assert done.seconds < 2
