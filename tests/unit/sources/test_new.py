"""Each template makes a site that reads, says what it needs, and overwrites nothing."""

from pathlib import Path

import pytest

from vpsctl.errors import Conflict, Invalid
from vpsctl.secret import Secret
from vpsctl.sites.compose.read import read_site, variables_wanted
from vpsctl.sites.sources.new import TEMPLATES, new_site, render_template

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("name", ["shop", "my-shop-2"])
def test_a_new_site_reads_as_a_site(template: str, name: str, tmp_path: Path) -> None:
    made = new_site(name, template, tmp_path / "site")
    text = (tmp_path / "site" / "compose.yaml").read_text()
    wanted = {variable for variable, optional in variables_wanted(text).items() if not optional}
    assert wanted == set(made.credentials)
    spec = read_site(text, variables={variable: Secret("x") for variable in wanted})
    assert spec.name == name
    assert spec.intent.web is not None
    assert (spec.intent.web.domains, spec.intent.web.tls) == ((f"{name}.localhost",), "off")
    assert {grant.name for grant in spec.intent.secrets} == set(made.credentials)
    assert set(made.files) == {str(path.relative_to(made.directory)) for path in made.directory.rglob("*") if path.is_file()}


@pytest.mark.parametrize("template", TEMPLATES)
def test_nothing_of_the_template_is_left_and_no_page_loads_from_elsewhere(template: str) -> None:
    for path, text in render_template("my-shop", template).items():
        for mark in ("__NAME__", "__TITLE__", "__SECRET__"):
            assert mark not in text, path
        if path.endswith((".html", ".css")):
            assert "//" not in text.replace("mailto:", ""), path
        if path.endswith(".html"):
            assert '<html lang="en">' in text, path
            assert 'name="viewport"' in text, path


def test_the_business_template_has_credentials_of_its_own() -> None:
    text = render_template("my-shop", "business")["compose.yaml"]
    assert "${MY_SHOP_DB_PASSWORD}" in text
    assert "${MY_SHOP_ADMIN_PASSWORD}" in text


def test_an_existing_directory_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("mine")
    with pytest.raises(Conflict, match="full is not empty"):
        new_site("shop", "base", tmp_path / "full")
    with pytest.raises(Conflict, match="file is a file"):
        new_site("shop", "base", tmp_path / "file")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine"]
    assert new_site("shop", "base", tmp_path / "empty").directory == tmp_path / "empty"


@pytest.mark.parametrize("name", ["", "Shop", "-x", "shop-", "1shop", "a/b", "../x", "x" * 31, "a b"])
def test_a_name_that_is_no_site_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="cannot be the name of a site"):
        new_site(name, "base", tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_an_unknown_template_names_the_known(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="no template 'shiny'") as raised:
        new_site("shop", "shiny", tmp_path / "site")
    assert raised.value.hint == "one of: base, business, portfolio"


@pytest.mark.parametrize("example", ["static", "notes", "links"])
def test_the_examples_read(example: str) -> None:
    text = (EXAMPLES / example / "compose.yaml").read_text()
    spec = read_site(text, variables={"DB_PASSWORD": Secret("x")})
    assert spec.name == example
    assert spec.intent.web is not None
    assert spec.intent.web.domains == (f"{example}.localhost",)
    assert spec.intent.update.bake.total_seconds() == 5
    assert all(service.resources.memory for service in spec.services.values())
