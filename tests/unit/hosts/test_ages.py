"""Ages, and the moments that --since means."""

from datetime import UTC, datetime, timedelta

import pytest

from vpsctl.cli.ages import age, parse_since
from vpsctl.errors import Invalid

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (59.9, "59s"), (60, "1m"), (3600, "1h 0m"), (12000, "3h 20m"), (446400, "5d 4h")]
)
def test_an_age_in_its_two_largest_units(seconds: float, text: str) -> None:
    assert age(seconds) == text


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("10m", NOW - timedelta(minutes=10)),
        ("1h30m", NOW - timedelta(minutes=90)),
        ("3d", NOW - timedelta(days=3)),
        ("2026-11-19T08:30", datetime(2026, 11, 19, 8, 30, tzinfo=UTC)),
        ("2026-11-19T08:30+02:00", datetime(2026, 11, 19, 6, 30, tzinfo=UTC)),
    ],
)
def test_since(text: str, moment: datetime) -> None:
    assert parse_since(text, NOW) == moment


@pytest.mark.parametrize("text", ["yesterday", "", "10", "-5m", "2026-13-01", "99999999999d"])
def test_since_refuses_the_rest(text: str) -> None:
    with pytest.raises(Invalid, match="--since"):
        parse_since(text, NOW)
