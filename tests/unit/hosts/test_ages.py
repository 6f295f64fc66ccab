"""Ages as people read them."""

import pytest

from vpsctl.cli.ages import age


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (59.9, "59s"), (60, "1m"), (3600, "1h 0m"), (12000, "3h 20m"), (446400, "5d 4h")]
)
def test_an_age_in_its_two_largest_units(seconds: float, text: str) -> None:
    assert age(seconds) == text
