"""What a page says about a run: how it ended, what failed, and by whose hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploy.errors import BadInput
from deploy.events.event import Entry, Event, HostFailed, RunBegan, RunEnded
from deploy.events.planned import PlanMade, PlannedBatch, PlannedHost
from deploy.page import content, summary
from deploy.run.report import ExitCode, Outcome
from page import sample_runs

if TYPE_CHECKING:
    from deploy.page.content import Page

PLAN = PlanMade(
    "Deploy",
    "Deploy web 2.0.0-bbbbbbbbbbbb to prod: 2 hosts, rolling",
    {"web": "2.0.0-bbbbbbbbbbbb"},
    ("h1", "h2"),
    (),
    (PlannedBatch((PlannedHost("h1", ()),)),),
)


def page(*events: Event, verb: str = "deploy") -> Page:
    began = RunBegan(1, "0" * 32, "0.1.0", verb, "prod", "ana@one", f"inv {verb} --env prod")
    entries = [Entry(1_795_950_000.0 + n, event) for n, event in enumerate((began, *events))]
    return content.page(entries, "events.jsonl")


def ended(code: int, **outcomes: str) -> RunEnded:
    return RunEnded(code, "what it means", 9.0, outcomes or {"h1": "deployed"})


@pytest.mark.parametrize(
    ("verb", "plan", "sentence"),
    [
        ("deploy", PLAN, "web 2.0.0 is everywhere."),
        (
            "deploy",
            PlanMade("Deploy", "", {"web": "2", "api": "v3"}, (), (), ()),
            "web 2 and api v3 are everywhere already.",
        ),
        ("repair", PLAN, "prod is as it was last deployed."),
        ("observe", PLAN, "web 2.0.0 serves as before."),
    ],
)
def test_a_run_that_went_well(verb: str, plan: PlanMade, sentence: str) -> None:
    verdict = page(plan, ended(0), verb=verb).verdict
    assert (verdict.word, verdict.sentence, verdict.tone) == ("Done", sentence, "ok")


@pytest.mark.parametrize("code", [code for code in ExitCode if code is not ExitCode.DONE])
def test_any_other_end_is_no_green_one_and_names_its_exit_code(code: ExitCode) -> None:
    verdict = page(PLAN, ended(code)).verdict
    assert verdict.tone in {"warn", "bad"}
    assert verdict.sentence == f"What it means (exit code {int(code)})."


def test_a_verdict_says_nothing_twice() -> None:
    failed = RunEnded(1, "failed; the fleet is whole, on one release", 1.0, {})
    verdict = page(PLAN, failed).verdict
    assert (verdict.word, verdict.sentence) == (
        "Failed",
        "The fleet is whole, on one release (exit code 1).",
    )


def test_the_same_failure_on_many_hosts_is_one_with_the_first_ones_journal() -> None:
    events = [
        HostFailed(f"h{n}", "prove 2", f"h{n}: 503", journal=(f"line of h{n}",))
        for n in range(1, 13)
    ]
    first, other = page(PLAN, *events, HostFailed("h1", "start 2", "h1: 503")).failures
    assert first.title == "12 hosts (h1, h2, h3 and 9 more): prove 2"
    assert (first.lines, first.journal) == (("503",), ("line of h1",))
    assert other.title == "h1: start 2"


def test_a_run_without_an_end_is_not_called_done() -> None:
    verdict = page(PLAN).verdict
    assert (verdict.word, verdict.tone) == ("Cut off", "warn")


def test_every_outcome_has_a_tone_and_the_worst_is_counted_first() -> None:
    assert set(summary.TONES) == set(Outcome)
    assert summary.tone("of a later version") == "none"
    found = page(PLAN, ended(5, h1="deployed", h2="out of service", h3="deployed")).outcomes
    assert found == (("1 out of service", "bad"), ("2 deployed", "ok"))


def test_a_release_is_shown_as_its_version_and_its_digest() -> None:
    (subject,) = page(PLAN).subjects
    assert (subject.app, subject.version, subject.digest) == ("web", "2.0.0", "bbbbbbbbbbbb")
    other = PlanMade("Roll back", "", {"web": "old-web.service"}, (), (), ())
    assert page(other).subjects[0].version == "old-web.service"
    assert page(PLAN, ended(0)).title == "Done: Deploy web 2.0.0 to prod"
    assert page(verb="rollback").title == "Cut off: Roll back on prod"


def test_failures_come_in_order_and_hosts_that_were_left_out_come_last() -> None:
    left_out = PlanMade("Deploy", "", {"web": "2"}, ("h1",), (), (), left_out={"h9": "no login"})
    first = HostFailed("h9", "the check before the start", "no login")
    second = HostFailed("h1", "prove 2", "h1: 503\n  twice", "sh -c 'a\nb'", 3, ("died",))
    late = HostFailed("h1", "begin batch 2", "too late", is_stop=True)
    found = page(left_out, first, second, late).failures
    assert [each.title for each in found] == [
        "h1: prove 2",
        "begin batch 2: not done",
        "h9: the check before the start",
    ]
    assert found[0].lines == ("503", "  twice")
    assert (found[0].command, found[0].exit_code) == ("sh -c 'a b'", 3)
    long = HostFailed("h1", "x", "y", "z" * 999, 1)
    assert len(page(long).failures[0].command) == summary.MOST_OF_A_COMMAND


def test_who_when_how_long_and_what_to_type() -> None:
    facts = {each.name: each.value for each in page(PLAN, ended(0)).facts}
    assert facts["By"] == "ana@one"
    assert facts["Began"] == "2026-11-29 11:00:00 UTC"
    assert facts["Took"] == "2.0 s"
    assert facts["Reached"] == "2 hosts in 1 batch"
    assert facts["Command"] == "inv deploy --env prod"
    assert page(PLAN, ended(0)).next == ""
    failed = RunEnded(1, "x", 1.0, {}, next="inv repair --env prod")
    assert page(PLAN, failed).next == "inv repair --env prod"


def test_waiting_is_separated_from_work_over_all_hosts() -> None:
    made = content.page(sample_runs.rolling(), "x")
    (shared,) = [each.value for each in made.facts if each.name == "All hosts together"]
    waited = sum(lane.waited for lane in made.timeline.lanes)
    assert shared.startswith(f"{waited // 60:.0f} min")
    assert " waiting, " in shared


def test_warnings_and_remarks_are_notes_each_once() -> None:
    plan = PlanMade("Deploy", "", {}, (), (), (), warnings=("w", "r"), left_out={"h9": "no login"})
    end = RunEnded(0, "x", 1.0, {}, ("r",), ("f",), ("a",), ("d",))
    assert page(plan, end).notes == ("w", "r", "h9: no login", "d", "f", "a")


def test_the_tab_key_stops_at_each_bar_of_a_small_run_and_at_failures_of_a_large_one() -> None:
    small = content.page(sample_runs.failure(), "x")
    assert all(small.is_stop(bar) for lane in small.timeline.lanes for bar in lane.bars)
    large = content.page(sample_runs.failure(40), "x")
    stops = [bar for lane in large.timeline.lanes for bar in lane.bars if large.is_stop(bar)]
    assert [bar.how.value for bar in stops] == ["failed"]


@pytest.mark.parametrize(
    ("entries", "problem"),
    [
        ((), "events.jsonl, line 1: holds no event"),
        ((Entry(0.0, PLAN),), "events.jsonl, line 1: begins with plan_made"),
    ],
)
def test_what_is_no_run_is_refused_with_its_line(entries: tuple[Entry, ...], problem: str) -> None:
    with pytest.raises(BadInput, match=f"^{problem}"):
        content.page(entries, "events.jsonl")
