"""What may be said of a project, and what a change makes of it."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpsctl.errors import Invalid
from vpsctl.projects.details import LONGEST_ID, MOST_TAGS, Change, Details, changed, differences

ACME = Details("Acme Ltd", "sells anvils", ("retail", "vip"), {"bigquery": "acme-prod", "yespo": "123"}, "anna")
TAGS = st.from_regex(r"[a-z0-9][a-z0-9-]{0,5}", fullmatch=True)


def test_nothing_given_changes_nothing() -> None:
    assert changed(ACME, Change()) == ACME
    assert differences(ACME, changed(ACME, Change())) == {}


def test_each_field_changes_alone() -> None:
    after = changed(
        ACME,
        Change(
            name=" Acme GmbH ",
            tags=("eu",),
            untags=("vip", "unknown"),
            external_ids={"yespo": "456", "crm.v2": "x"},
            dropped_ids=("bigquery", "unknown"),
        ),
    )
    assert after == Details("Acme GmbH", "sells anvils", ("eu", "retail"), {"crm.v2": "x", "yespo": "456"}, "anna")
    assert differences(ACME, after) == {
        "name": {"old": "Acme Ltd", "new": "Acme GmbH"},
        "tags": {"old": ("retail", "vip"), "new": ("eu", "retail")},
        "external_ids": {"old": ACME.external_ids, "new": {"crm.v2": "x", "yespo": "456"}},
    }


def test_the_owner_is_changed_and_dropped() -> None:
    assert changed(ACME, Change(owner="boris")).owner == "boris"
    assert changed(ACME, Change(ownerless=True)).owner is None
    assert changed(ACME, Change(description="")).description == ""


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (Change(name=" "), "cannot be empty"),
        (Change(name="a\nb"), "name is not one printable line"),
        (Change(name="x" * 81), "name is not one printable line"),
        (Change(description="x" * 501), "description is not one printable line"),
        (Change(description="\x1b[31mred"), "description is not one printable line"),
        (Change(tags=("Retail",)), "'Retail' is not a tag"),
        (Change(tags=("-a",)), "'-a' is not a tag"),
        (Change(tags=("a" * 31,)), "is not a tag"),
        (Change(tags=("a\n",)), "is not a tag"),
        (Change(tags=tuple(f"t{number}" for number in range(MOST_TAGS - 1))), "21 tags are more than the 20"),
        (Change(external_ids={"Yespo": "1"}), "'Yespo' is not the name of a system"),
        (Change(external_ids={"": "1"}), "'' is not the name of a system"),
        (Change(external_ids={"a" * 41: "1"}), "is not the name of a system"),
        (Change(external_ids={"yespo": ""}), "the id in yespo is not printable text"),
        (Change(external_ids={"yespo": "1\n2"}), "the id in yespo is not printable text"),
        (Change(external_ids={"yespo": "1" * (LONGEST_ID + 1)}), "the id in yespo is not printable text"),
        (Change(tags=("a",), untags=("a",)), "a cannot be set and dropped at once"),
        (Change(external_ids={"yespo": "1"}, dropped_ids=("yespo",)), "yespo cannot be set and dropped at once"),
        (Change(owner="boris", ownerless=True), "boris cannot be set and dropped at once"),
    ],
)
def test_what_cannot_be_kept_is_refused(change: Change, told: str) -> None:
    with pytest.raises(Invalid) as caught:
        changed(ACME, change)
    assert told in caught.value.message
    assert caught.value.hint


@given(st.sets(TAGS, max_size=8), st.sets(TAGS, max_size=8), st.text(string.printable, max_size=600))
def test_tags_are_a_sorted_set_whatever_the_order(present: set[str], more: set[str], text: str) -> None:
    details = changed(Details("x"), Change(tags=tuple(present)))
    after = changed(details, Change(tags=(*more, *more)))
    assert after.tags == tuple(sorted(present | more))
    assert changed(after, Change(untags=tuple(more))).tags == tuple(sorted(present - more))
    try:
        told = changed(details, Change(description=text)).description
    except Invalid:
        assert len(text.strip()) > 500 or not text.strip().isprintable()
    else:
        assert (told, told.isprintable()) == (text.strip(), True)
