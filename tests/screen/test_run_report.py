"""The report at a run's end: the cause first, at most 12 lines of 80 columns for one host."""

from __future__ import annotations

from dataclasses import replace

import pytest

from deploy.events.event import Entry, HostFailed, HostSaid, RunEnded, StepEnded
from deploy.run.report import Outcome
from deploy.screen.run import report
from deploy.screen.run.line import plain
from deploy.screen.run.story import Story, Times
from screen import replays
from screen.paper_run import AT, ERROR, NEW, PaperRun, names

MOST_LINES = 12
FILE_LINES = 1
"""The run's file is named below the report."""


def told(run: PaperRun) -> Story:
    story = Story()
    for entry in run.entries():
        story(entry)
    return story


def rows_of(text: str, width: int = 80) -> int:
    """How many rows of a terminal some lines take."""
    return sum(-(-max(1, len(line)) // width) for line in text.splitlines())


@pytest.mark.parametrize("count", [4, 12, 40])
@pytest.mark.parametrize("strategy", ["rolling", "surge"])
def test_one_failed_host_takes_at_most_twelve_lines(strategy: str, count: int) -> None:
    run = PaperRun(names(count), strategy=strategy, failing=frozenset({"web-3"}))
    assert rows_of(replays.last(run)) + FILE_LINES <= MOST_LINES


def test_the_cause_comes_first_then_what_was_done_what_runs_where_and_what_to_type() -> None:
    lines = replays.last(PaperRun(names(12), failing=frozenset({"web-3"}))).splitlines()
    parts = (
        "web-3 failed: prove",
        ERROR,
        "| 23:04:04 web[660]: Unhandled exception. System.InvalidOperationException: no connection",
        "after 7 steps of recovery: back on what it ran",
        "runs now: web 1.0.0 on web-3, web-5 and 7 more, 2.0.0 on web-1, web-2, web-4",
        "slowest: ",
        "exit code 4",
        "next: fix what failed and continue: inv deploy",
    )
    places = [next(n for n, line in enumerate(lines) if part in line) for part in parts]
    assert places == sorted(places)
    assert places[0] == 0


def test_nothing_is_green_above_a_failure() -> None:
    lines = report.lines(told(PaperRun(names(4), failing=frozenset({"web-3"}))))
    assert not any("green" in style for line in lines for _, style in line)


def test_control_success_is_green() -> None:
    lines = report.lines(told(PaperRun(names(4))))
    assert "green" in lines[-1][0][1]


def test_hosts_that_failed_by_one_cause_are_named_together() -> None:
    text = replays.last(PaperRun(names(4), failing=frozenset({"web-3", "web-4"})))
    assert text.startswith("web-3, web-4 failed: prove")
    assert text.count(ERROR) == 1


def test_success_ends_with_the_last_lines_of_a_journal_and_the_verdict() -> None:
    story = told(PaperRun(names(4)))
    story(Entry(AT, HostSaid("web-9", "| not while it proves")))
    text = [plain(line) for line in report.lines(story)]
    assert text[0] == f"last lines of the journal on {story.journal_of}:"
    assert "Now listening on" in text[1]
    assert not any("not while it proves" in line for line in text)
    assert any(line == "runs now: web 2.0.0 on all 4 hosts" for line in text)
    assert text[-1].startswith(f"web {NEW} is everywhere, ")


def test_a_quiet_success_is_its_verdict() -> None:
    lines = report.lines(told(PaperRun(names(4))), is_brief=True)
    assert len(lines) == 1


def test_a_quiet_failure_is_its_cause_and_its_verdict() -> None:
    lines = report.lines(told(PaperRun(names(4), failing=frozenset({"web-3"}))), is_brief=True)
    text = "\n".join(map(plain, lines))
    assert ERROR in text
    assert "next: " in text
    assert "slowest" not in text


def test_a_recovery_that_failed_is_shown_with_its_step() -> None:
    story = told(PaperRun(names(2)))
    undone = ("stop web@5000.service", "register in web-prod: failed: web-1: AWS said no")
    story(Entry(AT, HostFailed("web-1", "drain 40 s", "web-1: it broke", undone=undone)))
    assert story.ended
    story.ended = replace(story.ended, exit_code=5, outcomes={"web-1": str(Outcome.OUT)})
    text = "\n".join(map(plain, report.lines(story)))
    assert "its recovery failed: register in web-prod: failed: web-1: AWS said no" in text
    assert "web-1: out of service" in text


def test_where_the_fleet_could_not_be_read_each_outcome_is_a_line() -> None:
    story = told(PaperRun(names(12), failing=frozenset({"web-3"})))
    assert story.ended
    story.ended = replace(story.ended, runs={})
    text = "\n".join(map(plain, report.lines(story)))
    assert "web-1, web-2, web-4: deployed" in text
    assert "web-5, web-6, web-7, web-8, web-9, web-10, web-11, web-12: not reached" in text


def test_what_the_last_look_showed_is_named() -> None:
    story = told(PaperRun(names(2)))
    assert story.ended
    notes = ("web-2 has drop-ins",)
    story.ended = replace(story.ended, notes=notes)
    assert notes[0] in "\n".join(map(plain, report.lines(story)))


def test_a_run_that_was_cut_off_says_so() -> None:
    story = Story()
    for entry in PaperRun(names(2)).entries():
        if not isinstance(entry.event, RunEnded):
            story(entry)
    assert plain(report.lines(story)[-1]) == report.CUT_OFF


def test_waiting_is_told_from_work() -> None:
    run = PaperRun(names(1))
    times = Times()
    for entry in run.entries():
        times(entry)
    waiting, work = times.split()
    whole = sum(e.event.seconds for e in run.entries() if isinstance(e.event, StepEnded))
    assert waiting == pytest.approx(1 + 40 + 5 + 22 + 0.5)
    assert waiting + work == pytest.approx(whole)
    assert times.slowest(2) == "web-1 drain 40 s, web-1 health check 22 s"


REASONS = [
    ("unhealthy (Target.Timeout)", True),
    ("unused (Target.NotRegistered)", False),  # it was taken out by this very deploy
    ("", False),
]


@pytest.mark.parametrize(("health", "is_shown"), REASONS)
def test_the_load_balancers_reason_is_shown_where_it_is_one(health: str, *, is_shown: bool) -> None:
    story = told(PaperRun(names(2)))
    story(Entry(AT, HostFailed("web-1", "soak 5 s", "web-1: it broke", health=health)))
    text = "\n".join(map(plain, report.lines(story)))
    assert ("load balancer: " in text) is is_shown
