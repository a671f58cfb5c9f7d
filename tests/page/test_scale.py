"""The time axis: places in percent, and times that a reader can count with."""

from __future__ import annotations

import pytest

from deploy.page import wording
from deploy.page.scale import MOST_TICKS, STEPS, TIP_PIXELS, Scale


def test_a_bar_lies_where_its_time_is() -> None:
    scale = Scale(200.0)
    assert scale.left(50.0, 100.0) == "25.000"
    assert scale.width(50.0, 100.0) == "25.000"
    assert scale.place(150.0) == "75.000"


def test_a_step_of_a_moment_is_seen_and_inside() -> None:
    scale = Scale(10_000.0)
    assert scale.width(10_000.0, 10_000.0) == "0.200"
    assert scale.left(10_000.0, 10_000.0) == "99.800"


@pytest.mark.parametrize("seconds", [0.01, 0.9, 7, 59, 61, 380, 4000, 90_000, 10_000_000, 3e11])
def test_there_are_few_ticks_in_steps_that_can_be_counted(seconds: float) -> None:
    ticks = Scale(seconds).ticks
    assert 1 <= len(ticks) <= MOST_TICKS + 1
    assert ticks[0].text == "0:00"
    assert all(0 <= float(each.place) <= 100 for each in ticks)


def test_ticks_of_two_minutes() -> None:
    assert [each.text for each in Scale(119.0).ticks][:3] == ["0:00", "0:15", "0:30"]
    assert tuple(sorted(STEPS)) == STEPS


def test_a_text_is_written_where_it_fits() -> None:
    scale = Scale(100.0)
    assert scale.holds("drain", 0.0, 10.0)
    assert not scale.holds("health check", 0.0, 10.0)
    assert scale.holds("drain", 0.0, 20.0, is_narrow=True)
    assert not scale.holds("drain", 0.0, 10.0, is_narrow=True)


def test_the_box_of_a_bar_stays_on_the_page() -> None:
    """So it does where the axis is at least half as wide again as the box."""
    scale = Scale(100.0)
    for width in (TIP_PIXELS * 1.5, 900):
        for percent in range(101):
            left = width * percent / 100 + scale.tip_left(percent)
            assert -0.01 <= left <= width - TIP_PIXELS + 0.01, percent


@pytest.mark.parametrize(
    ("hosts", "shown"),
    [
        (["web-1.prod.example.com", "web-2.prod.example.com"], ["web-1", "web-2"]),
        (["web-1.prod.example.com", "web-1.test.example.com"], None),
        (["web-1.prod.example.com"], None),
        (["web-1", "web-2"], None),
        (["10.0.0.7", "11.0.0.7"], None),
        ([], []),
    ],
)
def test_the_domain_that_all_hosts_share_is_not_repeated(
    hosts: list[str], shown: list[str] | None
) -> None:
    assert [*wording.without_domain(hosts).values()] == (hosts if shown is None else shown)


def test_when_and_how_many() -> None:
    assert wording.moment(1_795_950_000.9) == "2026-11-29 11:00:00 UTC"
    assert wording.moment(-1e12) == "at no time that a calendar has"
    assert wording.count(1, "batch") == "1 batch"
    assert wording.count(2, "batch") == "2 batches"
    assert wording.count(0, "host") == "0 hosts"
