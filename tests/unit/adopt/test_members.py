"""Which service a container becomes, and which of them is the site's face."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.adopt.engine import env, found, image, published
from vpsctl.errors import Invalid
from vpsctl.sites.adopt.found import Found
from vpsctl.sites.adopt.members import Front, choose_front, name_services
from vpsctl.sites.compose.names import SERVICE
from vpsctl.sites.naming import Names

DATABASE = found("db", made_from=image(id="sha256:" + "d" * 64, tags=("redis:7",), exposed_ports=(6379,)))


def exposed(name: str, *ports: int) -> Found:
    return found(name, config={"ExposedPorts": {f"{port}/tcp": {} for port in ports}})


def compose(name: str, service: str, project: str = "p", **values: Any) -> Found:
    labels = {"com.docker.compose.project": project, "com.docker.compose.service": service}
    return found(name, config={"Labels": labels}, **values)


@given(
    st.lists(st.from_regex(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{1,70}", fullmatch=True), unique=True, max_size=6), st.integers(1, 30)
)
def test_every_container_gets_a_name_of_its_own_that_fits(names: list[str], length: int) -> None:
    site = "s" * length
    members = name_services([found(name) for name in names], f"vpsctl{site}")
    services = [member.service for member in members]
    assert len(set(services)) == len({member.found.id for member in members})
    for service in services:
        assert SERVICE.fullmatch(service)
        Names("vpsctl", site).container(service, 9999, 12)


def test_composes_own_names_are_taken() -> None:
    members = name_services(
        [compose("shop-app-1", "app"), compose("shop-app-2", "app"), compose("b-app-1", "app", "b")], "vs"
    )
    assert [member.service for member in members] == ["app", "app", "app-2"]


def test_replicas_of_different_images_are_refused() -> None:
    newer = image(id="sha256:" + "e" * 64)
    with pytest.raises(Invalid, match="of different images"):
        name_services([compose("a-1", "a"), compose("a-2", "a", made_from=newer)], "vs")


def front(*founds: Found, web: str | None = None, port: int | None = None, domains: bool = True) -> Front | None:
    return choose_front(name_services(founds, "vs"), web=web, port=port, domains=domains)


@pytest.mark.parametrize(
    ("founds", "asked", "expected"),
    [
        ([found("app"), DATABASE], {"port": 3000}, ("app", 3000)),
        (
            [found("app", ports=published(80, 8080)), exposed("worker", 9)],
            {},
            ("app", 80),
        ),
        ([exposed("app", 443, 80), found("worker")], {}, ("app", 80)),
        ([found("app", config=env({"PORT": "4321"})), DATABASE], {}, ("app", 4321)),
        ([found("a", ports=published(80, 1)), found("b", ports=published(81, 2))], {"port": 81}, ("b", 81)),
        ([found("a", ports=published(80, 1)), found("b", ports=published(81, 2))], {"web": "b"}, ("b", 81)),
        (
            [exposed("a", 80), exposed("b", 7)],
            {},
            ("a", 80),
        ),
        ([DATABASE], {"web": "db"}, ("db", 6379)),
    ],
)
def test_the_web_service_is_found(founds: list[Found], asked: dict[str, Any], expected: tuple[str, int]) -> None:
    chosen = front(*founds, **asked)
    assert chosen is not None
    assert (chosen.service, chosen.port) == expected


@pytest.mark.parametrize(
    ("founds", "asked", "words"),
    [
        ([found("a", ports=published(80, 1)), found("b", ports=published(81, 2))], {}, "not clear: a, b"),
        ([found("a")], {}, "which port a listens on"),
        ([found("a")], {"web": "zzz"}, "none of the containers"),
        ([DATABASE], {}, "none of these containers is a web server"),
    ],
)
def test_what_is_not_clear_is_asked(founds: list[Found], asked: dict[str, Any], words: str) -> None:
    with pytest.raises(Invalid, match=words):
        front(*founds, **asked)


def test_a_site_may_have_no_web_service() -> None:
    assert front(DATABASE, domains=False) is None
    assert front(DATABASE, found("worker"), domains=False) is None


@pytest.mark.parametrize(
    ("name", "dialled"), [("shop_app_1", True), ("Shop", False), ("shop.app", False), ("a" * 64, False), ("shop-", False)]
)
def test_a_name_that_is_no_host_name_is_dialled_by_id(name: str, dialled: bool) -> None:
    item = found(name)
    assert item.dial == (name if dialled else item.id[:12])
