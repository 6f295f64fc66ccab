"""Tokens and basic authentication, tried on a real HTTP server: the credential goes where it belongs and nowhere else."""

import base64
from contextlib import closing

import pytest

from tests.contract.probe.pages import Asked, Page, Site
from vpsctl.credentials.probe.probe import Probe, probe
from vpsctl.errors import Invalid
from vpsctl.secret import Secret

TOKEN = "tok-cAnArY4MfXz"
BASIC = "änna:pa:ss-cAnArY4MfXz"
ENCODED = f"Basic {base64.b64encode(BASIC.encode()).decode()}"


def asks_for(header: str, content: str) -> object:
    return lambda asked: Page(200) if asked.headers.get(header) == content else Page(401)


def token(site: Site, path: str = "/me", seconds: float = 5, **details: str) -> Probe:
    return probe("token", Secret(TOKEN), {"url": site.url + path, **details}, seconds=seconds)


@pytest.mark.parametrize(
    ("kind", "value", "details", "header", "content"),
    [
        ("basic", BASIC, {}, "authorization", ENCODED),
        ("token", TOKEN, {}, "authorization", f"Bearer {TOKEN}"),
        ("token", TOKEN, {"header": "X-Api-Key"}, "x-api-key", TOKEN),
    ],
)
def test_a_good_credential_is_let_in_and_a_wrong_one_is_not(
    site: Site, kind: str, value: str, details: dict[str, str], header: str, content: str
) -> None:
    site.answer = asks_for(header, content)  # type: ignore[assignment]
    where = {"url": f"{site.url}/me?page=1", **details}
    done = probe(kind, Secret(value), where)
    assert (done.ok, done.told) == (True, f"{site.url} answered 200")
    assert [asked.path for asked in site.asked] == ["/me?page=1"] * 2
    assert header not in site.asked[1].headers
    wrong = probe(kind, Secret(value + "x"), where)
    assert wrong.ok is False
    assert "was refused (status 401)" in wrong.told


@pytest.mark.parametrize("url", ["http://{login}@{host}/me", "http://{user}@{host}/me"])
def test_a_url_with_basic_authentication(site: Site, url: str) -> None:
    site.answer = asks_for("authorization", ENCODED)  # type: ignore[assignment]
    host = site.url.removeprefix("http://")
    login = "%C3%A4nna:pa%3Ass-cAnArY4MfXz"
    if "{login}" in url:
        done = probe("url", Secret(url.format(login=login, host=host)), {})
    else:
        done = probe("password", Secret("pa:ss-cAnArY4MfXz"), {"url": url.format(user="%C3%A4nna", host=host)})
    assert (done.ok, done.told) == (True, f"{site.url} answered 200")


@pytest.mark.parametrize(
    ("status", "ok", "said"),
    [(204, True, "204"), (401, False, "refused"), (403, False, "refused"), (404, False, "404"), (500, False, "500")],
)
def test_what_a_status_means(site: Site, status: int, ok: bool, said: str) -> None:
    site.answer = lambda asked: Page(status if "authorization" in asked.headers else 401)
    done = token(site)
    assert done.ok is ok
    assert said in done.told


def test_a_page_that_needs_no_credential_proves_nothing(site: Site) -> None:
    done = token(site)
    assert done.ok is None
    assert "proves nothing" in done.told


def test_a_redirect_within_the_origin_is_followed_to_the_answer(site: Site) -> None:
    def answer(asked: Asked) -> Page:
        if asked.path == "/me":
            return Page(301, {"Location": "/me/"})
        return Page(200 if asked.headers.get("authorization") == f"Bearer {TOKEN}" else 401)

    site.answer = answer
    assert token(site).ok is True
    wrong = probe("token", Secret("another"), {"url": f"{site.url}/me"})
    assert wrong.ok is False


def test_a_redirect_to_another_origin_never_gets_the_credential(site: Site) -> None:
    with closing(Site()) as other:
        site.answer = lambda asked: Page(302, {"Location": f"{other.url}/login?next=cAnArY4MfXz"})
        done = token(site)
        assert other.asked == []
    assert done.ok is False
    assert f"redirects to {other.url}, where the credential is not sent" in done.told
    assert "cAnArY4MfXz" not in done.told


@pytest.mark.parametrize(("location", "said"), [("/me", "more than 5 times"), ("http://[x", "no address")])
def test_a_redirect_that_leads_nowhere(site: Site, location: str, said: str) -> None:
    site.answer = lambda asked: Page(302, {"Location": location})
    done = token(site)
    assert done.ok is False
    assert said in done.told


@pytest.mark.parametrize("value", ["tök-cAnArY4MfXz", " cAnArY4MfXz"])
def test_a_token_that_no_header_can_carry_is_not_sent(site: Site, value: str) -> None:
    done = probe("token", Secret(value), {"url": site.url})
    assert done.ok is False
    assert "ASCII" in done.told
    assert site.asked == []
    assert "cAnArY" not in done.told


def test_a_port_where_nobody_listens(closed_port: int) -> None:
    done = probe("token", Secret(TOKEN), {"url": f"https://127.0.0.1:{closed_port}"})
    assert (done.ok, done.reached) == (False, False)
    assert "cannot be reached" in done.told


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_server_that_never_answers(scheme: str, silent_port: int) -> None:
    done = probe("token", Secret(TOKEN), {"url": f"{scheme}://127.0.0.1:{silent_port}"}, seconds=0.5)
    assert (done.ok, done.reached) == (False, False)
    assert "did not answer within 0.5 s" in done.told
    assert done.seconds < 2


@pytest.mark.parametrize("kind", ["token", "basic"])
def test_without_an_address_the_option_is_named(kind: str) -> None:
    with pytest.raises(Invalid, match="--url") as caught:
        probe(kind, Secret(BASIC), {})
    assert "--url" in caught.value.hint
