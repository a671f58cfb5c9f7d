"""What failed is said once, whole, and also where the recording stops before it was put right."""

from __future__ import annotations

from deploy.events.event import Entry, Event, HostFailed
from deploy.events.planned import PlanMade
from deploy.events.recovery import RecoveryBegan
from deploy.page.failures import MOST_OF_A_COMMAND, Failed, JournalLine, failures
from page import other_runs, sample_runs

BEGAN = RecoveryBegan("h1", "prove 2", "h1: 503", 3, ("died",), "unused", ("stop", "start"), "back")


def found(*events: Event) -> tuple[Failed, ...]:
    return failures(Entry(1e9 + n, event) for n, event in enumerate(events))


def test_the_same_failure_on_many_hosts_is_one_with_the_first_ones_journal() -> None:
    events = [
        HostFailed(f"h{n}", "prove 2", f"h{n}: 503", journal=(f"line of h{n}",))
        for n in range(1, 13)
    ]
    first, other = found(*events, HostFailed("h1", "start 2", "h1: 503"))
    assert first.title == "12 hosts (h1, h2, h3 and 9 more): prove 2"
    assert (first.lines, [each.text for each in first.journal]) == (("503",), ["line of h1"])
    assert other.title == "h1: start 2"


def test_of_hosts_with_one_cause_it_is_said_where_a_recovery_failed_too() -> None:
    again = "start web@5000.service: failed: it does not stay up"
    first = HostFailed("h1", "prove 2", "h1: 503", undone=("stop", "start"))
    other = HostFailed("h2", "prove 2", "h2: 503", undone=("stop", again))
    (failed,) = found(first, other)
    assert failed.undone == ("stop", "start", f"h2: {again}")


def test_failures_come_in_order_and_hosts_that_were_left_out_come_last() -> None:
    left_out = PlanMade("Deploy", "", {"web": "2"}, ("h1",), (), (), left_out={"h9": "no login"})
    first = HostFailed("h9", "the check before the start", "no login")
    second = HostFailed("h1", "prove 2", "h1: 503\n  twice", "sh -c 'a\nb'", 3, ("died",))
    late = HostFailed("h1", "begin batch 2", "too late", is_stop=True)
    all_of_it = found(left_out, first, second, late)
    assert [each.title for each in all_of_it] == [
        "h1: prove 2",
        "begin batch 2: not done",
        "h9: the check before the start",
    ]
    assert all_of_it[0].lines == ("503", "  twice")
    assert (all_of_it[0].command, all_of_it[0].exit_code) == ("sh -c 'a b'", 3)
    (long,) = found(HostFailed("h1", "x", "y", "z" * 999, 1))
    assert len(long.command) == MOST_OF_A_COMMAND


def test_a_failure_whose_recovery_the_events_do_not_end_is_shown() -> None:
    """A workstation that is killed while a host is put back leaves no host_failed."""
    (failed,) = found(BEGAN)
    assert failed == Failed(
        title="h1: prove 2",
        lines=("503",),
        command="",
        exit_code=3,
        journal=(JournalLine("died", is_cause=True),),
        health="unused",
        undone=("stop", "start"),
        goal="back",
    )
    (cut,) = failures(other_runs.cut_in_recovery())
    assert cut.goal == "it goes back to 1.0.0-aaaaaaaaaaaa"
    assert cut.journal


def test_a_recovery_that_ended_is_not_shown_twice() -> None:
    (failed,) = found(BEGAN, HostFailed("h1", "prove 2", "h1: 503", undone=("stop", "start")))
    assert failed.goal == ""
    (whole,) = failures(sample_runs.failure())
    assert whole.goal == ""


def test_the_line_that_says_why_is_marked_and_only_that_one() -> None:
    (failed,) = failures(sample_runs.failure())
    assert [each.text for each in failed.journal] == [*sample_runs.JOURNAL]
    (cause,) = [each.text for each in failed.journal if each.is_cause]
    assert "Connection refused" in cause
    twice = HostFailed("h1", "x", "y", journal=("error: a", "error: a"))
    assert [each.is_cause for each in found(twice)[0].journal] == [False, True]
    silent = HostFailed("h1", "x", "y", journal=("", " "))
    assert not any(each.is_cause for each in found(silent)[0].journal)
