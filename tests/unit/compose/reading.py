"""Compose files for the tests, of which only one key differs."""

import textwrap
from collections.abc import Mapping

import pytest

from vpsctl.errors import Invalid
from vpsctl.secret import Secret
from vpsctl.sites.compose.read import read_site
from vpsctl.sites.compose.spec import Allowances, Intent, Service, SiteSpec

BODY = 5
"""The line on which `body` begins in `app(body)`, and that of `rest` when there is no body."""
ALL = Allowances(True, True, True, True, True)
Variables = Mapping[str, str | Secret]


def app(body: str = "", rest: str = "") -> str:
    inner = textwrap.indent(textwrap.dedent(body).strip("\n"), "    ")
    lines = ["name: shop", "services:", "  app:", "    image: busybox"]
    return "\n".join([*lines, *([inner] if inner else []), rest.strip("\n")]) + "\n"


def site(text: str, variables: Variables | None = None, **more: object) -> SiteSpec:
    return read_site(text, variables=variables or {}, **more)  # type: ignore[arg-type]


def service(body: str, variables: Variables | None = None, **more: object) -> Service:
    return site(app(body), variables, **more).services["app"]


def intent(body: str, services: str = "") -> Intent:
    return site(app(services, "x-vpsctl:\n" + textwrap.indent(textwrap.dedent(body).strip("\n"), "  "))).intent


def refused(text: str, variables: Variables | None = None, **more: object) -> Invalid:
    with pytest.raises(Invalid) as caught:
        site(text, variables, **more)
    assert caught.value.hint, caught.value.message
    assert "\n" not in caught.value.message
    return caught.value
