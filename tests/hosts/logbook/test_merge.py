"""Lines of many hosts come in the order of their times."""

from __future__ import annotations

import random

from deploy.hosts.logbook.journal_line import JournalLine
from deploy.hosts.logbook.merge import Merge, Newest


def line(at: int, host: str = "web-1", message: str = "") -> JournalLine:
    return JournalLine(at, host, "web@5000.service", message or str(at))


def test_of_all_hosts_the_newest_stay_in_order() -> None:
    newest = Newest(3)
    lines = [line(at, f"web-{at % 2}") for at in range(10)]
    random.Random(1).shuffle(lines)  # noqa: S311 - repeatable, not secret
    for each in lines:
        newest.add(each)
    assert [each.at for each in newest.in_order()] == [7, 8, 9]


def test_none_stay_where_none_are_wanted() -> None:
    newest = Newest(0)
    newest.add(line(1))
    assert newest.in_order() == []


def test_lines_of_one_moment_keep_their_order() -> None:
    newest = Newest(9)
    for message in "cab":
        newest.add(line(5, message=message))
    assert [each.message for each in newest.in_order()] == ["c", "a", "b"]


def test_a_line_waits_for_earlier_ones_of_slower_hosts() -> None:
    merge = Merge(hold_seconds=0.5)
    merge.add(line(20, "fast"), 0.0)
    merge.add(line(10, "slow"), 0.3)
    assert merge.due(0.4) == []
    assert [each.host for each in merge.due(0.8)] == ["slow", "fast"]
    assert merge.due(9.0) == []


def test_control_one_that_is_later_than_the_hold_comes_late() -> None:
    merge = Merge(hold_seconds=0.5)
    merge.add(line(20, "fast"), 0.0)
    assert [each.host for each in merge.due(0.6)] == ["fast"]
    merge.add(line(10, "slow"), 0.7)
    assert [each.host for each in merge.due(1.3)] == ["slow"]


def test_a_clock_that_is_set_back_puts_no_line_before_the_one_it_followed() -> None:
    merge = Merge(hold_seconds=0.0)
    for at in (50, 10, 60):
        merge.add(line(at), 0.0)
    assert [each.at for each in merge.due(1.0)] == [50, 10, 60]
