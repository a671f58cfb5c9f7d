"""The lanes of a page are what the events say: each step a bar, with its times and its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploy.events.event import (
    BatchBegan,
    Entry,
    Event,
    HostEnded,
    HostSaid,
    LockTaken,
    RunBegan,
    RunEnded,
    StepBegan,
    StepEnded,
)
from deploy.events.planned import PlanMade
from deploy.natural_order import natural
from deploy.page.lanes import Bar, End, Lane, State
from deploy.page.timeline import timeline
from page import other_runs, sample_runs

if TYPE_CHECKING:
    pass

BEGAN = RunBegan(1, "0" * 32, "0.1.0", "deploy", "prod", "ana@one", "inv deploy --env prod")
DRAIN = ("h1", "web", "drain 30 s", "drain")
PROVE = ("h1", "web", "prove 2", "prove")

RUNS = {
    "rolling": sample_runs.rolling,
    "surge": sample_runs.surge,
    "failure": sample_runs.failure,
    "stopped": sample_runs.stopped,
    "killed": sample_runs.killed,
} | other_runs.RUNS


def drawn(*events: tuple[float, Event]) -> tuple[Lane, ...]:
    entries = [Entry(1000.0 + second, event) for second, event in ((0, BEGAN), *events)]
    return timeline(entries).lanes


def bar(*events: tuple[float, Event]) -> Bar:
    ((found,),) = [lane.bars for lane in drawn(*events)]
    return found


@pytest.mark.parametrize("name", RUNS)
def test_the_lanes_equal_the_events(name: str) -> None:
    entries = RUNS[name]()
    found = timeline(entries)
    began = [each.event for each in entries if isinstance(each.event, StepBegan)]
    assert sum(len(lane.bars) for lane in found.lanes) == len(began)
    for lane in found.lanes:
        own = [event for event in began if event.host == lane.host]
        assert [(b.app, b.step, b.phase, not b.is_recovery) for b in lane.bars] == [
            (event.app, event.step, event.phase, event.is_planned) for event in own
        ]
        ended = [
            (round(each.at - entries[0].at, 6), each.event.step, each.event.health)
            for each in entries
            if isinstance(each.event, StepEnded) and each.event.host == lane.host
        ]
        assert ended == [
            (round(b.end, 6), b.step, b.health) for b in lane.bars if b.how is not End.UNKNOWN
        ]
    (plan, *_) = (each.event for each in entries if isinstance(each.event, PlanMade))
    assert {lane.host for lane in found.lanes} == {*plan.hosts, *plan.left_out}
    assert found.seconds == entries[-1].at - entries[0].at


def test_a_step_is_a_bar_from_its_beginning_to_its_end() -> None:
    assert bar((2, StepBegan(*DRAIN)), (32, StepEnded(*DRAIN, 30.0, "unused"))) == Bar(
        "web", "drain 30 s", "drain", 2.0, 32.0, End.DONE, health="unused"
    )


@pytest.mark.parametrize(
    ("end", "how"),
    [
        (StepEnded(*PROVE, 1.0), End.DONE),
        (StepEnded(*PROVE, 1.0, error="no answer"), End.FAILED),
        (StepEnded(*PROVE, 1.0, is_stopped=True), End.STOPPED),
    ],
)
def test_how_a_step_ended_is_what_its_event_says(end: StepEnded, how: End) -> None:
    assert bar((0, StepBegan(*PROVE)), (1, end)).how is how


def test_a_step_whose_end_is_missing_lasts_to_the_last_event_and_is_not_called_done() -> None:
    found = bar((1, StepBegan(*PROVE)), (9, LockTaken()))
    assert (found.start, found.end, found.how) == (1.0, 9.0, End.UNKNOWN)


def test_a_step_whose_beginning_is_missing_is_shown_where_it_ended() -> None:
    found = bar((9, StepEnded(*PROVE, 5.0)))
    assert (found.start, found.end, found.how) == (9.0, 9.0, End.DONE)


def test_a_recoverys_step_is_not_taken_for_the_plans_of_the_same_words() -> None:
    back = StepBegan(*PROVE, is_planned=False)
    ((plan, recovery),) = [
        lane.bars
        for lane in drawn(
            (0, StepBegan(*PROVE)),
            (1, StepEnded(*PROVE, 1.0, error="no")),
            (2, back),
            (4, StepEnded(*PROVE, 2.0, is_planned=False)),
        )
    ]
    assert (plan.is_recovery, plan.how, plan.end) == (False, End.FAILED, 1.0)
    assert (recovery.is_recovery, recovery.how, recovery.end) == (True, End.DONE, 4.0)


@pytest.mark.parametrize(
    ("phase", "is_waiting"),
    [
        ("stage", False),
        ("drain", True),
        ("switch", False),
        ("prove", False),
        ("health check", True),
        ("soak", True),
        ("record", False),
        ("a later version's", False),
    ],
)
def test_waiting_is_told_from_work_by_the_phase(phase: str, is_waiting: bool) -> None:
    found = bar((0, StepBegan("h1", "web", "x", phase)), (7, LockTaken()))
    assert found.is_waiting is is_waiting
    (lane,) = drawn((0, StepBegan("h1", "web", "x", phase)), (7, LockTaken()))
    assert (lane.waited, lane.worked) == ((7.0, 0.0) if is_waiting else (0.0, 7.0))


def ended(second: float, health: str, app: str = "web") -> list[tuple[float, Event]]:
    step = ("h1", app, f"step at {second}", "drain")
    return [(second, StepBegan(*step)), (second, StepEnded(*step, 0.0, health))]


def test_a_targets_state_holds_until_another_one_is_read() -> None:
    (lane,) = drawn(
        *ended(1, "healthy"),
        *ended(2, "healthy"),
        *ended(5, "draining (x)"),
        *ended(6, "initial", app="admin"),
        (9, LockTaken()),
    )
    assert lane.states == (
        State("web", "healthy", 1.0, 5.0),
        State("web", "draining (x)", 5.0, 9.0),
        State("admin", "initial", 6.0, 9.0),
    )
    assert lane.apps == ("web", "admin")
    assert [state.health for state in lane.last_states] == ["draining (x)", "initial"]


def test_where_no_state_is_known_none_is_drawn() -> None:
    (lane,) = drawn(*ended(1, "healthy"), *ended(2, ""), *ended(4, "healthy"), (9, LockTaken()))
    assert [(each.start, each.end) for each in lane.states] == [(1.0, 2.0), (4.0, 9.0)]
    (worker,) = drawn(*ended(1, ""), *ended(2, ""))
    assert worker.states == ()


def test_the_look_at_the_end_corrects_a_hosts_outcome() -> None:
    outcomes = {"h1": "out of service", "h2": "left out"}
    lanes = drawn((1, HostEnded("h1", "deployed")), (2, RunEnded(5, "x", 2.0, outcomes)))
    assert {lane.host: lane.outcome for lane in lanes} == outcomes


def test_a_host_that_went_back_is_not_called_deployed_where_the_events_stop_there() -> None:
    whole = other_runs.taken_back()
    ended = [
        number
        for number, entry in enumerate(whole)
        if isinstance(entry.event, HostEnded) and entry.event.host == "host-1"
    ]
    assert len(ended) == 2, "once in its batch, once as it goes back"
    outcomes = {lane.host: lane.outcome for lane in timeline(whole[: ended[-1] + 1]).lanes}
    assert outcomes["host-1"] == "back on what it ran"
    assert outcomes["host-2"] == "deployed", "it still is"


def test_of_what_a_host_said_its_last_journal_lines_and_remarks_are_kept() -> None:
    said: list[tuple[float, Event]] = [(n, HostSaid("h1", f"| line {n}")) for n in range(1, 15)]
    said += [(15, HostSaid("h1", "15 of 30 s")), (16, HostSaid("h1", "mind this", is_remark=True))]
    (lane,) = drawn(*said)
    assert lane.said == (*(f"line {n}" for n in range(6, 15)), "mind this")


def test_lanes_go_by_batch_and_names_in_their_natural_order() -> None:
    order = [lane.host for lane in timeline(sample_runs.rolling(11, [1, 10])).lanes]
    assert order == [f"web-{number}" for number in range(1, 12)]
    lanes = drawn((1, StepBegan("looked-at", *DRAIN[1:])), (2, BatchBegan(1, 1, ("z",))))
    assert [lane.host for lane in lanes] == ["z", "looked-at"]
    names = ["web-10", "web-9", "web", "10", f"web-{'9' * 5000}"]
    assert sorted(names, key=natural)[:4] == ["10", "web", "web-9", "web-10"]


def test_a_clock_that_was_set_back_moves_nothing_to_the_left() -> None:
    found = bar((5, StepBegan(*PROVE)), (2, StepEnded(*PROVE, 1.0)))
    assert (found.start, found.end) == (5.0, 5.0)


def test_a_run_of_one_moment_has_an_axis() -> None:
    assert timeline([Entry(1000.0, BEGAN)]).seconds == 1.0


def test_beside_the_old_release_a_state_is_shown_from_the_new_ones_registration_on() -> None:
    """Each step reads its own slot's target: the old one drains, and the host serves."""
    entries = sample_runs.surge()
    for lane in timeline(entries).lanes:
        assert [state.health.partition(" ")[0] for state in lane.states] == ["initial", "healthy"]
        assert lane.states[-1].end == timeline(entries).seconds
        read = {bar.health.partition(" ")[0] for bar in lane.bars}
        assert {"draining", "unused"} <= read, "the steps themselves say what they read"
