"""Durations in words, one table for each place where they stand, with the edges of each unit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy import durations
from deploy.page import wording

if TYPE_CHECKING:
    from collections.abc import Callable

TABLE: dict[Callable[[float], str], dict[float, str]] = {
    durations.duration: {
        0.0: "0.0 s",
        0.84: "0.8 s",
        9.94: "9.9 s",
        9.97: "10 s",
        59.4: "59 s",
        59.6: "1 min 00 s",
        252.2: "4 min 12 s",
        3599.7: "1 h 00 min",
        3780.0: "1 h 03 min",
        400_000.0: "111 h 06 min",
    },
    durations.taken: {
        0.4: "0 s",
        41.0: "41 s",
        59.4: "59 s",
        59.6: "1:00 min",
        200.0: "3:20 min",
        605.0: "10:05 min",
        3599.7: "1:00:00 h",
        3720.0: "1:02:00 h",
    },
    durations.planned: {
        0.0: "0 s",
        45.4: "45 s",
        99.0: "99 s",
        100.0: "1 min 40 s",
        120.0: "2 min",
        390.0: "6 min 30 s",
        3599.0: "59 min 59 s",
        3599.7: "1 h",
        3600.0: "1 h",
        3900.0: "1 h 5 min",
    },
    durations.about: {
        1.0: "about 5 s",
        33.0: "about 35 s",
        59.0: "about 60 s",
        61.0: "about 1 min",
        240.0: "about 4 min",
        5400.0: "about 90 min",
        5700.0: "about 1 h 35 min",
    },
    durations.limit: {
        0.5: "0.5 s",
        45.0: "45 s",
        60.0: "1 minute",
        150.0: "2.5 minutes",
        300.0: "5 minutes",
    },
    durations.age: {
        0.0: "0s",
        59.9: "59s",
        60.0: "1m",
        3599.0: "59m",
        3600.0: "1h00m",
        86_399.0: "23h59m",
        86_400.0: "1d",
        40_000_000.0: "462d",
    },
    durations.clock_time: {0.0: "0:00:00", 59.9: "0:00:59", 130.0: "0:02:10", 36_000.0: "10:00:00"},
    durations.offset: {0.0: "0:00", 59.9: "0:59", 61.0: "1:01", 3723.0: "1:02:03"},
}


@pytest.mark.parametrize(
    ("words", "seconds", "text"),
    [(words, *each) for words, rows in TABLE.items() for each in rows.items()],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_so_it_is_written(words: Callable[[float], str], seconds: float, text: str) -> None:
    assert words(seconds) == text


def test_an_age_that_is_not_known_is_a_dash() -> None:
    assert durations.age(None) == "-"


@given(st.floats(0, 1e7))
def test_no_unit_is_written_with_as_many_as_the_next_one_has(seconds: float) -> None:
    for words in (durations.duration, durations.taken, durations.planned):
        text = words(seconds)
        assert "60 s" not in text.split(" min ") or words is durations.planned
        assert not text.startswith("60 min")
        assert ":60" not in text


def test_the_page_has_its_two_by_their_names_too() -> None:
    assert (wording.duration, wording.offset) == (durations.duration, durations.offset)
