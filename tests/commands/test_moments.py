"""What may be typed as a moment in the past."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from deploy.commands.records.moments import moment
from deploy.errors import BadInput

ZONE = timezone(timedelta(hours=2))
NOW = datetime(2026, 11, 29, 15, 4, 5, tzinfo=ZONE)
TYPED = {
    "90s": NOW - timedelta(seconds=90),
    "15m": NOW - timedelta(minutes=15),
    " 2h ": NOW - timedelta(hours=2),
    "3d": NOW - timedelta(days=3),
    "14:05": datetime(2026, 11, 29, 14, 5, tzinfo=ZONE),
    "9:05": datetime(2026, 11, 29, 9, 5, tzinfo=ZONE),
    "09:05:06": datetime(2026, 11, 29, 9, 5, 6, tzinfo=ZONE),
    "2026-11-28": datetime(2026, 11, 28, tzinfo=ZONE),
    "2026-11-28 14:05": datetime(2026, 11, 28, 14, 5, tzinfo=ZONE),
    "2026-11-28T14:05:06.5": datetime(2026, 11, 28, 14, 5, 6, 500_000, tzinfo=ZONE),
    "2026-11-28T14:05Z": datetime(2026, 11, 28, 14, 5, tzinfo=UTC),
}


@pytest.mark.parametrize("text", TYPED)
def test_a_moment_is_so_long_ago_or_a_time_of_this_zone(text: str) -> None:
    assert moment(text, "--since", NOW) == TYPED[text].timestamp()


@pytest.mark.parametrize(
    "text",
    [
        *("yesterday", "15", "15x", "-5m", "1h30m", "25:00", "14:5", "2026-13-01", "20261128"),
        *("2026-11-28T99:00", "²m", "999999d", "", "@1764428645", "$(reboot)"),
    ],
)
def test_what_is_none_is_refused_with_what_would_be_right(text: str) -> None:
    with pytest.raises(BadInput, match=r"is no time; write 90s, 15m, 2h or 3d for so long ago"):
        moment(text, "--since", NOW)


@pytest.mark.parametrize("text", ["15:05", "2026-11-30", "2026-11-29T13:05Z"])
def test_what_lies_ahead_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match=r"lies ahead, it is 2026-11-29T15:04\+0200 now"):
        moment(text, "--since", NOW)
