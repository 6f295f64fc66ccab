"""Writing settings."""

import stat
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpsctl.errors import Invalid
from vpsctl.hosts.configure import check_in_force, configure, with_keys
from vpsctl.secret import Secret
from vpsctl.settings import Settings, load_settings

URL = "postgresql://u:p%20w\"'é@db.example.com/vpsctl"


def test_a_new_file_is_only_ours_and_says_what_was_given(tmp_path: Path) -> None:
    path = tmp_path / "etc" / "config.toml"
    assert configure(path, {"postgres_url": Secret(URL), "http_port": 8080})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    settings = load_settings({"VPSCTL_CONFIG": str(path)})
    assert settings.postgres_url == Secret(URL)
    assert settings.http_port == 8080


def test_other_lines_and_comments_stay(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('# mine\ninstance = "one"\nhttp_port = 81  # for now\n')
    assert configure(path, {"http_port": 8080, "https_port": 8443})
    assert path.read_text() == '# mine\ninstance = "one"\nhttp_port = 8080\nhttps_port = 8443\n'
    assert not configure(path, {"http_port": 8080})


def test_what_is_refused_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("http_port = 81\n")
    with pytest.raises(Invalid, match="http_port must be from 1 to 65535"):
        configure(path, {"http_port": 70000})
    assert [item.name for item in tmp_path.iterdir()] == ["config.toml"]
    assert path.read_text() == "http_port = 81\n"


def test_a_variable_that_overrides_is_named() -> None:
    check_in_force(Settings(http_port=8080), {"http_port": 8080})
    with pytest.raises(Invalid, match=r"\$VPSCTL_HTTP_PORT says otherwise"):
        check_in_force(Settings(http_port=80), {"http_port": 8080})


@given(st.text(st.characters(exclude_categories=("Cs", "Cc"))))
def test_every_text_comes_back_from_the_file(text: str) -> None:
    assert tomllib.loads(with_keys('instance = "x"\n', {"acme_email": text})) == {"instance": "x", "acme_email": text}
