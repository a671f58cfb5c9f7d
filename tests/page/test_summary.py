"""What a page says about a run: how it ended, what failed, and by whose hand."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from deploy.errors import BadInput
from deploy.events.event import Entry, Event, RunBegan, RunEnded
from deploy.events.planned import PlanMade, PlannedBatch, PlannedHost
from deploy.events.user import HookEnded
from deploy.page import content, summary
from deploy.page.lanes import Lane
from deploy.page.timeline import timeline
from deploy.run.report import ExitCode, Outcome
from page import other_runs, sample_runs

if TYPE_CHECKING:
    from collections.abc import Callable

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
        ("restart", PLAN, "web 2.0.0 was restarted everywhere."),
        (
            "rollback",
            PlanMade("Roll back", "", {"web": "old.service"}, (), (), (PlannedBatch(()),)),
            "web is back on old.service everywhere.",
        ),
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


def test_a_run_without_an_end_is_not_called_done() -> None:
    verdict = page(PLAN).verdict
    assert (verdict.word, verdict.tone) == ("Cut off", "warn")
    assert page(PLAN).next == "inv status --env prod"


def test_what_ran_before_stands_beside_what_it_was_to_run() -> None:
    def before(was: str) -> str:
        return page(replace(PLAN, before={"web": was})).subjects[0].before

    assert before("1.0.0-aaaaaaaaaaaa") == "1.0.0"
    assert before("2.0.0-aaaaaaaaaaaa") == "2.0.0-aaaaaa", "of one version the digest tells"
    assert before("legacy.service") == "legacy.service"
    assert before("2.0.0-bbbbbbbbbbbb") == ""
    assert before("") == ""


def test_what_runs_where_is_said_where_a_look_showed_it() -> None:
    runs: dict[str, dict[str, tuple[str, ...]]]
    runs = {"web": {"1.0.0-aaaaaaaaaaaa": ("h1",), "2.0.0-bbbbbbbbbbbb": ("h2",)}}
    found = page(PLAN, replace(ended(4, h1="not reached", h2="deployed"), runs=runs))
    assert found.runs == "web 1.0.0 on h1, 2.0.0 on h2"
    assert page(PLAN, ended(0)).runs == page(PLAN).runs == ""


def test_every_outcome_has_a_tone_and_the_worst_is_counted_first() -> None:
    assert set(summary.TONES) == set(Outcome)
    assert summary.tone(Lane("h1", outcome="of a later version")) == "none"
    found = page(PLAN, ended(5, h1="deployed", h2="out of service", h3="deployed")).outcomes
    assert found == (("1 out of service", "bad"), ("2 deployed", "ok"))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (other_runs.deployed, "deployed"),
        (other_runs.restarted, "restarted"),
        (other_runs.repaired, "repaired"),
        (other_runs.rolled_back, "rolled back"),
    ],
)
def test_a_hosts_end_is_named_by_what_the_command_does(
    make: Callable[[], tuple[Entry, ...]], words: str
) -> None:
    assert words in {summary.ending(lane) for lane in timeline(make()).lanes}


def test_a_host_that_had_no_part_in_a_run_is_called_untouched() -> None:
    assert summary.ending(Lane("h1", outcome=Outcome.WAITING)) == "untouched"


def test_a_host_that_waits_for_its_batch_is_not_called_untouched() -> None:
    assert summary.ending(Lane("h1", batch=2, outcome=Outcome.WAITING)) == "not reached"


def test_of_a_run_that_was_cut_off_each_host_says_how_far_it_was() -> None:
    found = {lane.host: lane for lane in content.page(sample_runs.killed(), "x").timeline.lanes}
    ends = {host: lane.last_known for host, lane in found.items()}
    assert ends == {
        "web-1": "deployed",
        "web-2": "end not known",
        "web-3": "only staged",
        "web-4": "only staged",
    }
    assert summary.tone(found["web-2"]) == "warn"
    assert Lane("h1").last_known == "not begun"


def test_a_release_is_shown_as_its_version_and_its_digest() -> None:
    (subject,) = page(PLAN).subjects
    assert (subject.app, subject.version, subject.digest) == ("web", "2.0.0", "bbbbbbbbbbbb")
    other = PlanMade("Roll back", "", {"web": "old-web.service"}, (), (), ())
    assert page(other).subjects[0].version == "old-web.service"
    assert page(PLAN, ended(0)).title == "Done: Deploy web 2.0.0 to prod"
    assert page(verb="rollback").title == "Cut off: Roll back on prod"


def test_who_when_how_long_and_what_to_type() -> None:
    facts = {each.name: each.value for each in page(PLAN, ended(0)).facts}
    assert facts["By"] == "ana@one"
    assert facts["Began"] == "2026-11-29 11:00:00 UTC"
    assert facts["Took"] == "2.0 s"
    assert facts["Changed"] == "0 of 2 hosts, in 0 of 1 batch"
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
    hook = HookEnded("post-host", "h1", 2.0, "exit status 1")
    end = RunEnded(0, "x", 1.0, {}, ("r",), ("f", "a"), ("a",), ("d",), notes=("n",))
    assert page(plan, hook, end).notes == (
        "w",
        "r",
        "h9: no login",
        "hook post-host for h1 failed: exit status 1 (after 2.0 s)",
        "n",
        "d",
        "f",
        "a (since this command began)",
    )


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
