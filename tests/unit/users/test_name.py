"""What can be a user, an address, a token's name."""

import pytest

from vpsctl.errors import Invalid
from vpsctl.settings import checked_public_url, load_settings
from vpsctl.users.name import checked_email, checked_role, checked_scope, checked_token_name, checked_user_name


@pytest.mark.parametrize("name", ["a", "anna", "anna.b", "a_b-c", "a1", "a" * 32])
def test_names(name: str) -> None:
    assert checked_user_name(name) == name


@pytest.mark.parametrize("name", ["", "Anna", "1a", "_a", "a b", "a/b", "a\n", "ä", "a" * 33, "-a", "a:b"])
def test_no_names(name: str) -> None:
    with pytest.raises(Invalid, match="is not a user's name"):
        checked_user_name(name)


@pytest.mark.parametrize("email", ["anna@example.com", "a+b@x", "ä@exämple.com", "a" * 242 + "@example.com"])
def test_addresses(email: str) -> None:
    assert checked_email(email) == email


@pytest.mark.parametrize(
    "email",
    ["", "anna", "@x", "a@", "a@b@c", "a b@c", "a@b\n", "a\x00@b", "a\x1b@b", "a\u202e@b", "a" * 243 + "@example.com"],
)
def test_no_addresses(email: str) -> None:
    with pytest.raises(Invalid, match="is not an e-mail address"):
        checked_email(email)


@pytest.mark.parametrize("name", ["", " ", "a\n", "a" * 65, "\x1b[31m"])
def test_no_names_for_tokens(name: str) -> None:
    with pytest.raises(Invalid, match="is not a name for a token"):
        checked_token_name(name)


def test_roles_and_scopes_are_of_a_list() -> None:
    with pytest.raises(Invalid, match="'root' is not a role") as caught:
        checked_role("root")
    assert caught.value.hint == "the roles are viewer, operator, admin"
    with pytest.raises(Invalid, match="'all' is not a scope"):
        checked_scope("all")


@pytest.mark.parametrize("url", ["http://127.0.0.1:8484", "https://panel.example.com/", "https://x/sub", "http://[::1]:80"])
def test_public_urls(url: str) -> None:
    assert load_settings({"VPSCTL_CONFIG": "", "VPSCTL_PUBLIC_URL": url}).public_url == url


@pytest.mark.parametrize(
    "url", ["", "panel.example.com", "ftp://x", "https://", "https://x?a", "https://x#a", "https://u:p@x", "https://x y",
            "https://x\n", "https://x:99999", "https://x:a", "https://[::1", "javascript:alert(1)//x"],
)  # fmt: skip
def test_no_public_urls(url: str) -> None:
    with pytest.raises(Invalid, match="--url is not an http or https address"):
        checked_public_url(url, "--url")
    with pytest.raises(Invalid, match="public_url is not"):
        load_settings({"VPSCTL_CONFIG": "", "VPSCTL_PUBLIC_URL": url})
