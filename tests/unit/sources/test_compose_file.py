"""Finding a site's compose file, never outside its directory, and inferring the smallest one."""

from pathlib import Path

import pytest

from vpsctl.errors import Invalid, NotFound
from vpsctl.sites.compose.read import read_site
from vpsctl.sites.sources.compose_file import find_or_infer_compose, infer_compose, read_compose
from vpsctl.sites.sources.detect import detect_app
from vpsctl.sites.sources.inside import READ_LIMIT, read_inside


def test_the_first_name_of_the_specification_wins_and_the_others_are_told(tmp_path: Path) -> None:
    for name in ("docker-compose.yml", "compose.yml"):
        (tmp_path / name).write_text(f"name: {name}")
    found = read_compose(tmp_path)
    assert (found.name, found.text, found.ignored) == ("compose.yml", "name: compose.yml", ("docker-compose.yml",))
    (tmp_path / "compose.yaml").write_text("name: x")
    assert read_compose(tmp_path).name == "compose.yaml"


def test_a_directory_without_one_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"no compose\.yaml in"):
        read_compose(tmp_path)


def test_links_out_of_the_directory_are_not_read(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (tmp_path / "secret").write_text("canary")
    (site / "compose.yaml").symlink_to("../secret")
    (site / "inner").symlink_to("/etc")
    with pytest.raises(Invalid, match=r"compose file compose\.yaml leads outside") as raised:
        read_compose(site)
    assert "canary" not in raised.value.message
    for path in ("../secret", "/etc/passwd", "inner/passwd"):
        with pytest.raises(Invalid, match="leads outside"):
            read_inside(site, path, what="env_file")


def test_what_is_not_small_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "big.env").write_bytes(b"x" * (READ_LIMIT + 1))
    (tmp_path / "binary.env").write_bytes(b"\xff\xfe")
    with pytest.raises(Invalid, match="larger than 1 MiB"):
        read_inside(tmp_path, "big.env", what="env_file")
    with pytest.raises(Invalid, match=r"cannot read env_file binary\.env"):
        read_inside(tmp_path, "binary.env", what="env_file")
    with pytest.raises(NotFound, match=r"no env_file gone\.env"):
        read_inside(tmp_path, "gone.env", what="env_file")


def test_an_app_without_a_compose_file_gets_one_that_reads(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("x")
    found = find_or_infer_compose(tmp_path, "shop")
    assert found.inferred == detect_app(tmp_path)
    assert "index.html: pages without a program" in found.text
    spec = read_site(found.text, variables={})
    assert spec.name == "shop"
    assert spec.services["web"].build is not None
    assert spec.intent.web is not None
    assert (spec.intent.web.port, spec.intent.web.domains, spec.intent.web.tls) == (80, ("shop.localhost",), "off")
    public = read_site(infer_compose("shop", detect_app(tmp_path), ["shop.example.com", "example.com"]), variables={})
    assert public.intent.web is not None
    assert (public.intent.web.domains, public.intent.web.tls) == (("shop.example.com", "example.com"), "auto")


def test_a_file_that_stands_there_is_never_inferred_over(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("x")
    (tmp_path / "compose.yaml").write_text("name: mine")
    found = find_or_infer_compose(tmp_path, "shop")
    assert (found.text, found.inferred) == ("name: mine", None)


def test_a_dockerfile_alone_does_not_say_the_port(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM busybox\n")
    with pytest.raises(Invalid, match=r"has a Dockerfile and no compose\.yaml"):
        find_or_infer_compose(tmp_path, "shop")
    with pytest.raises(Invalid, match="is no app we know"):
        find_or_infer_compose(tmp_path / "..", "shop")
