"""How far a run came: a host counts where what serves changed, and not where it was prepared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploy.page.content import page
from deploy.page.reach import Reach, reach
from deploy.page.timeline import timeline
from page import other_runs, sample_runs

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.events.event import Entry


def names(*numbers: int, start: str = "host") -> tuple[str, ...]:
    return tuple(f"{start}-{number}" for number in numbers)


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (other_runs.deployed, Reach(changed=names(1, 2, 3, 4), batches=4)),
        (
            other_runs.failed,
            Reach(changed=names(1), put_back=names(2), staged=names(3, 4, 5, 6, 7, 8), batches=2),
        ),
        (
            other_runs.surge_failure,
            Reach(changed=names(1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12), put_back=names(5), batches=2),
        ),
        (
            other_runs.taken_back,
            Reach(put_back=names(1, 2, 3), staged=names(4), batches=3),
        ),
        (
            sample_runs.killed,
            Reach(changed=names(1, start="web"), staged=names(3, 4, start="web"), batches=2),
        ),
        (other_runs.restarted, Reach(changed=names(1, 2, 3, 4), batches=4)),
        (other_runs.repaired, Reach(returned=names(1, 2), batches=1)),
        (other_runs.adopted, Reach(changed=names(1, 2, 3, 4), batches=4)),
        (other_runs.undone, Reach(changed=names(1, 2, 3, 4), batches=4)),
        (other_runs.left_out, Reach(changed=names(9, 1, 2, 4, 7, 8, 10, 11, 12), batches=5)),
    ],
)
def test_which_hosts_a_run_reached(run: Callable[[], tuple[Entry, ...]], expected: Reach) -> None:
    found = reach(timeline(run()))
    assert {*found.changed} == {*expected.changed}
    assert found.put_back == expected.put_back
    assert found.returned == expected.returned
    assert found.staged == expected.staged
    assert found.batches == expected.batches


def test_the_page_names_them() -> None:
    facts = {each.name: each.value for each in page(other_runs.failed(), "x").facts}
    assert facts["Changed"] == "1 of 8 hosts, in 2 of 8 batches"
    assert facts["Put back"] == "host-2"
    assert facts["Only staged"] == "host-3 … host-8 (6 hosts)"
    assert "Returned to service" not in facts


def test_of_a_restart_they_are_called_restarted() -> None:
    facts = {each.name: each.value for each in page(other_runs.restarted(), "x").facts}
    assert facts["Restarted"] == "4 of 4 hosts, in 4 of 4 batches"
    assert "Changed" not in facts


def test_where_the_events_stop_it_is_said_what_had_not_ended() -> None:
    facts = {each.name: each.value for each in page(sample_runs.killed(), "x").facts}
    assert facts["At the last event"].startswith("web-2: drain")
    whole = {each.name for each in page(sample_runs.rolling(), "x").facts}
    assert "At the last event" not in whole
