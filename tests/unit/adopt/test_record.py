"""The file that says which containers a site has taken over."""

from pathlib import Path

import pytest

from tests.unit.adopt.engine import found
from vpsctl.errors import Failed, Invalid
from vpsctl.sites import naming
from vpsctl.sites.adopt.record import Adopted, every_adoption, forget_adoption, label_all, read_adoption, write_adoption

ONE = Adopted("1" * 64, "app", {naming.SITE: "shop", naming.RELEASE: "0"})


def test_it_is_read_as_it_was_written_by_its_owner_alone(tmp_path: Path) -> None:
    write_adoption(tmp_path, "shop", [ONE])
    assert read_adoption(tmp_path, "shop") == (ONE,)
    assert every_adoption(tmp_path) == {"shop": (ONE,)}
    file = tmp_path / "adopted" / "shop.json"
    assert file.stat().st_mode & 0o777 == 0o600 and (tmp_path / "adopted").stat().st_mode & 0o777 == 0o700
    write_adoption(tmp_path, "shop", [])
    assert read_adoption(tmp_path, "shop") == () and list((tmp_path / "adopted").iterdir()) == [file]
    forget_adoption(tmp_path, "shop")
    forget_adoption(tmp_path, "shop")
    assert every_adoption(tmp_path) == {}


@pytest.mark.parametrize("site", ["../shop", "a/b", "", "Shop", "."])
def test_a_word_that_is_no_site_reads_no_file(tmp_path: Path, site: str) -> None:
    (tmp_path / "shop.json").write_text("[]")
    assert read_adoption(tmp_path, site) == ()


@pytest.mark.parametrize("text", ["{", "[1]", '[{"id": "x"}]', "7"])
def test_a_damaged_file_is_told(tmp_path: Path, text: str) -> None:
    write_adoption(tmp_path, "shop", [])
    (tmp_path / "adopted" / "shop.json").write_text(text)
    with pytest.raises(Failed, match="is damaged"):
        read_adoption(tmp_path, "shop")


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    write_adoption(tmp_path, "shop", [])
    (tmp_path / "adopted" / "shop.json").chmod(0o644)
    with pytest.raises(Invalid, match="can be read by others"):
        read_adoption(tmp_path, "shop")


def test_only_the_containers_named_in_it_are_labelled(tmp_path: Path) -> None:
    app, other = found("app").container, found("other").container
    write_adoption(tmp_path, "shop", [Adopted(app.id, "0123456789ab", {naming.SITE: "shop"})])
    labelled, untouched = label_all(tmp_path, [app, other])
    assert (labelled.name, labelled.labels[naming.SITE]) == ("0123456789ab", "shop")
    assert untouched == other
