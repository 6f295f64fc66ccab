"""What stands in clear beside a value: only what a test of it needs, and no password."""

import pytest

from tests.unit.credentials.values import CANARY
from vpsctl.credentials.kinds.details import check_details
from vpsctl.errors import Invalid


@pytest.mark.parametrize(
    ("kind", "details"),
    [
        ("password", {"url": "postgresql://app@db:5432/shop"}),
        ("password", {"url": "postgresql://app@/shop?host=/run"}),
        ("token", {"url": "https://api.example.com/me", "header": "X-Api-Key"}),
        ("basic", {"url": "https://api.example.com/me"}),
        ("ssh-key", {"url": "ssh://git@example.com:2222", "known_hosts": "/var/lib/x/known hosts"}),
        ("s3", {"endpoint": "https://s3.example.com", "bucket": "shop-backup", "region": "auto"}),
        ("service-account", {"endpoint": "http://localhost:9050"}),
        ("totp", {"code": "123456"}),
        ("url", {}),
    ],
)
def test_what_a_kind_is_tested_with(kind: str, details: dict[str, str]) -> None:
    check_details(kind, details)


@pytest.mark.parametrize(
    ("kind", "details", "said"),
    [
        ("url", {"url": "https://example.com"}, "no use for --url"),
        ("keyvalue", {"bucket": "shop"}, "no use for --bucket"),
        ("password", {"url": f"postgresql://app:{CANARY}@db/shop"}, "holds a password"),
        ("password", {"url": "mysql://app@db/shop"}, "no address"),
        ("basic", {"url": "postgresql://db"}, "no address"),
        ("token", {"url": "https:///me"}, "no address"),
        ("token", {"url": "https://a:b:c/me"}, "taken apart"),
        ("token", {"url": "https://example.com", "header": "X Api Key"}, "name of a header"),
        ("token", {"url": "https://example.com\nX: y"}, "line break"),
        ("ssh-key", {"url": "ssh://example.com"}, "no user"),
        ("ssh-key", {"url": "ssh://root@-oProxyCommand=x"}, "begins with -"),
        ("ssh-key", {"url": "ssh://-l@example.com"}, "begins with -"),
        ("s3", {"bucket": "shop/backup"}, "--bucket"),
        ("s3", {"region": "eu west"}, "--region"),
        ("s3", {"endpoint": "s3.example.com"}, "no address"),
        ("totp", {"code": "12345"}, "--code"),
    ],
)
def test_anything_else_is_refused(kind: str, details: dict[str, str], said: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_details(kind, details)
    assert said in caught.value.message
    assert caught.value.hint
    assert CANARY not in caught.value.message + caught.value.hint
