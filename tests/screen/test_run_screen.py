"""A run on a screen, replayed from its events: what an operator on call must see, and when."""

from __future__ import annotations

from dataclasses import replace
from statistics import fmean
from typing import Any

import pytest

from deploy.events.event import BatchBegan, Entry, HostEnded, HostSaid, LockTaken, StepEnded
from deploy.events.planned import PlanMade
from deploy.events.recovery import RecoveryBegan
from deploy.events.user import HoldBegan, HookBegan
from deploy.screen.console import Screen
from deploy.screen.run import drawing, rows
from deploy.screen.run.failures import NO_FURTHER, Failures
from deploy.screen.run.host import State
from deploy.screen.run.line import plain
from deploy.screen.run.names import shortened
from deploy.screen.run.state import InService, RunState
from screen import replays
from screen.paper_run import AT, ERROR, GROUP, KINDS, PaperRun, names

WITHIN = 0.2
"""How far an estimate at half time may be off, as a share of what is really left."""


def state_at(run: PaperRun, seconds: float) -> RunState:
    state = RunState()
    for entry in replays.until(run.entries(), seconds):
        state(entry)
    return state


def shown(run: PaperRun, seconds: float, width: int = 80, height: int = 24) -> list[str]:
    drawn = drawing.lines(state_at(run, seconds), width, height, AT + seconds)
    return [plain(line) for line in drawn]


FILES = dict(replays.all_files())


@pytest.mark.parametrize("name", FILES)
def test_a_replayed_stream_draws_the_same_screen(name: str) -> None:
    """`python -m screen.replays` writes the files anew; look at them before they are committed."""
    assert (replays.GOLDEN / name).read_text() == FILES[name]


def test_there_is_no_file_of_a_screen_that_is_not_tested() -> None:
    assert {file.name for file in replays.GOLDEN.iterdir()} == set(FILES)


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("height", [8, 12, 24, 40])
@pytest.mark.parametrize("name", replays.MOMENTS)
def test_a_screen_fits_its_terminal_and_hides_no_host_at_work(
    name: str, width: int, height: int
) -> None:
    run, seconds = replays.MOMENTS[name]
    state = state_at(run, seconds)
    lines = shown(run, seconds, width, height)
    assert len(lines) < height
    assert max(map(len, lines)) <= width
    at_work = rows.ranked(state).at_work
    short = shortened(state.hosts, rows._name_width(width))
    text = "\n".join(lines)
    hidden = [host for host in at_work if f"{short[host.name]} " not in text]
    is_said = any(f"{len(hidden)} more at work" in line for line in lines)
    assert not hidden or is_said
    if len(at_work) <= height - 8:
        assert not hidden


def test_control_rows_without_that_order_would_hide_hosts_at_work() -> None:
    state = state_at(PaperRun(names(40), batch=10), 190)
    busy = {host.name for host in rows.ranked(state).at_work}
    first = sorted(state.hosts)[:10]
    assert not busy <= set(first)


def test_the_cause_is_said_when_it_happens_and_its_row_stays_red() -> None:
    run = PaperRun(names(12), failing=frozenset({"web-3"}))
    failures = Failures()
    said: list[tuple[float, str]] = []
    for entry in run.entries():
        said += [(entry.at, plain(line)) for line in failures(entry)]
    failed_at = next(at for at, line in said if "web-3 failed: prove" in line)
    texts = [line for at, line in said if at <= failed_at + 1]
    assert any(ERROR in line for line in texts)
    assert any("no connection string 'orders'" in line for line in texts)
    assert any("now: it goes back to 1.0.0" in line for line in texts)
    for seconds in range(int(failed_at - AT) + 1, int(run.entries()[-1].at - AT)):
        state = state_at(run, seconds)
        assert state.hosts["web-3"].state is State.FAILED
        assert any(ERROR in line for line in shown(run, seconds))


def test_in_a_surge_every_host_serves_all_the_while() -> None:
    run = PaperRun(names(12), batch=12, strategy="surge")
    end = int(run.entries()[-1].at - AT)
    for seconds in range(1, end):
        state = state_at(run, seconds)
        assert {host.state for host in state.hosts.values()} <= {State.SERVING, State.BACK}
        assert state.in_service() == InService(12, 12, 12)
        assert not any("  draining  " in line for line in shown(run, seconds))


def test_a_release_that_fails_beside_the_old_one_takes_nothing_out() -> None:
    run = PaperRun(names(4), batch=4, strategy="surge", failing=frozenset({"web-3"}))
    for seconds in range(1, int(run.entries()[-1].at - AT)):
        assert state_at(run, seconds).in_service() == InService(4, 4, 4)


STATES = [
    (3, State.SERVING),
    (7, State.DRAINING),
    (30, State.DRAINING),
    (47.8, State.OUT),
    (50, State.STARTING),
    (55, State.PROVING),
    (70, State.RETURNING),
    (85, State.BACK),
]


@pytest.mark.parametrize(("seconds", "expected"), STATES)
def test_a_row_shows_what_a_host_is_to_those_who_send_requests(
    seconds: float, expected: State
) -> None:
    assert state_at(PaperRun(names(2)), seconds).hosts["web-1"].state is expected


def test_the_header_counts_who_serves_and_who_is_done() -> None:
    lines = shown(PaperRun(names(12)), 110)
    head = " ".join(lines[:2])
    for part in (
        "web 1.0.0 → 2.0.0",
        "prod",
        "2/12 hosts",
        "batch 2/6",
        "in service 10 of 12 (minimum 10)",
        "min left",
        "0:01:50",
    ):
        assert part in head


def test_the_group_with_the_least_to_spare_is_the_one_that_is_shown() -> None:
    state, plan = RunState(), PaperRun(names(4)).plan
    other = replace(
        plan,
        groups={"web": (GROUP,), "admin": ("admin-prod",)},
        in_service={GROUP: 4, "admin-prod": 3},
        out={GROUP: (), "admin-prod": ("web-4",)},
        batches=tuple(
            replace(batch, minimums={GROUP: 2, "admin-prod": 3}) for batch in plan.batches
        ),
    )
    state(Entry(AT, other))
    assert state.in_service() == InService(3, 4, 3)


RUNS: dict[str, dict[str, Any]] = {
    "rolling": {"batch": 2},
    "window": {"window": 3},
    "surge": {"batch": 3, "strategy": "surge"},
}


@pytest.mark.parametrize("strategy", RUNS)
def test_the_remaining_time_is_right_to_a_fifth_at_half_time_in_nine_of_ten_runs(
    strategy: str,
) -> None:
    """The settings know nothing of the 22 s that a health check takes here, nor of the start."""
    right = 0
    for seed in range(10):
        run = PaperRun(names(12), jitter=0.25, seed=seed, **RUNS[strategy])
        entries = run.entries()
        whole = entries[-1].at - AT
        state = RunState()
        for entry in entries:
            if entry.at > AT + whole / 2:
                break
            state(entry)
        left = state.schedule.seconds_left(AT + whole / 2)
        right += abs(left - whole / 2) <= WITHIN * whole / 2
    assert right >= 9


@pytest.mark.parametrize("strategy", RUNS)
def test_a_small_fleet_goes_by_what_steps_took_in_an_earlier_run(strategy: str) -> None:
    """Of two batches the first may be at its health check at half time: none has ended yet."""
    before = PaperRun(names(4), **RUNS[strategy])
    took: dict[str, list[float]] = {}
    for entry in before.entries():
        if isinstance(entry.event, StepEnded):
            took.setdefault(entry.event.kind, []).append(entry.event.seconds)
    earlier = {"web": {kind: fmean(each) for kind, each in took.items()}}
    run = PaperRun(names(4), jitter=0.1, seed=3, **RUNS[strategy])
    entries = run.entries()
    whole = entries[-1].at - AT
    state = RunState()
    for entry in replays.until(entries, whole / 10):
        event = entry.event
        if isinstance(event, PlanMade):
            event = replace(event, earlier=earlier)
        state(Entry(entry.at, event))
    left = state.schedule.seconds_left(AT + whole / 10)
    assert abs(left - whole * 0.9) <= WITHIN * whole * 0.9, "soon after it has begun"


def test_before_the_question_the_plan_says_how_long_it_takes_by_earlier_runs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Starts and health checks are in no setting; the run itself takes 7:50 min."""
    plan = PaperRun(names(12)).plan
    took = {kind: usual for kind, (_, _, _, usual) in KINDS.items()}
    for earlier in ({}, {"web": took}):
        Screen().show_plan(replace(plan, earlier=earlier))
    first, _, second = capsys.readouterr().out.partition("Waits from settings alone: ")
    assert "earlier runs" not in first + second.partition("Waits from")[0]
    assert second.endswith("\nBy what steps took in earlier runs: about 8 min in all.\n")


def test_control_the_settings_alone_would_be_further_off() -> None:
    run = PaperRun(names(12))
    whole = run.entries()[-1].at - AT
    state = state_at(run, whole / 2)
    state.schedule.pace._seen.clear()
    assert whole / 2 - state.schedule.seconds_left(AT + whole / 2) > WITHIN * whole / 2


def test_after_a_stop_the_time_is_that_of_the_hosts_that_have_begun() -> None:
    run = PaperRun(names(12), stop_at=100)
    before = state_at(run, 99).schedule.seconds_left(AT + 99)
    after = state_at(run, 101).schedule.seconds_left(AT + 101)
    assert after < 80 < before
    assert shown(run, 101)[0].startswith("Stopping: waiting for hosts that have begun.")
    assert shown(run, 101)[0].endswith("Ctrl-C again aborts at once.")


def test_nothing_is_shown_as_all_done_while_a_host_is_put_back() -> None:
    run = PaperRun(names(2), failing=frozenset({"web-1", "web-2"}))
    assert any(line.endswith(" 99 %") for line in shown(run, 80))


def test_a_view_that_begins_with_the_plan_names_the_environment() -> None:
    """The live table hears nothing before it."""
    state = RunState()
    state(Entry(AT, PaperRun(names(2)).plan))
    assert "prod" in plain(drawing.lines(state, 80, 24, AT + 1)[0])


def test_a_lost_lock_is_a_banner() -> None:
    state = state_at(PaperRun(names(4)), 30)
    state(Entry(AT + 31, LockTaken()))
    assert "Another deploy took" in plain(drawing.lines(state, 80, 24, AT + 32)[0])


def test_a_host_whose_instance_ended_has_not_failed() -> None:
    run = PaperRun(names(4), failing=frozenset({"web-1"}))
    state = state_at(run, 55)
    assert state.hosts["web-1"].state is State.FAILED
    gone = "gone: its instance was terminated or is being terminated"
    state(Entry(AT + 56, HostEnded("web-1", gone)))
    assert state.hosts["web-1"].state is not State.FAILED


def test_what_a_starting_service_writes_can_be_read() -> None:
    assert any("Now listening on" in line for line in shown(PaperRun(names(4)), 53.5))


def test_a_stream_that_begins_in_the_middle_is_drawn_too() -> None:
    """As `inv watch` may hear it: no plan was heard."""
    state = RunState()
    for entry in PaperRun(names(4)).entries()[20:60]:
        state(entry)
    state(Entry(AT + 60, BatchBegan(1, 2, ("web-1",))))
    assert drawing.lines(state, 80, 24, AT + 60)


def test_while_a_hook_or_a_person_holds_it_up_the_screen_says_so_and_counts() -> None:
    run = PaperRun(names(4), gate=HookBegan("pre-batch", "", 60))
    assert not any("hook" in line for line in shown(run, 80))
    assert shown(run, 95)[0].startswith("Waiting for hook pre-batch, 11 of 60 s at most.")
    assert not any("hook" in line for line in shown(run, 116))
    pause = HoldBegan(1, 600, "inv promote --env prod", "inv abort --env prod")
    run = PaperRun(names(4), gate=pause, gate_seconds=900)
    assert shown(run, 200)[0] == "Paused after batch 1 for about 8 min more."
    assert not any("Paused" in line for line in shown(run, 990))
    run = replace(run, gate=replace(pause, seconds=0))
    assert shown(run, 200)[0] == "Paused after batch 1 until someone decides."


def test_a_hook_that_nothing_waits_for_is_no_banner() -> None:
    state = state_at(PaperRun(names(4)), 30)
    state(Entry(AT + 31, HookBegan("post-host", "web-1", 60)))
    assert not any("hook" in plain(line) for line in drawing.lines(state, 80, 24, AT + 32))


def test_a_batch_that_waits_for_capacity_says_why_at_its_first_host() -> None:
    short = HostSaid("web-12", "waiting, 12 of 300 s: it would leave 9 of 12 in service")
    lines = shown(PaperRun(names(12), gate=short), 95)
    (row,) = [line for line in lines if line.startswith("web-12 ")]
    assert "waiting, 12 of 300 s: it would leave 9 of 12 in service" in row
    assert lines.index(row) == 3, "it is above those that merely wait"


def test_how_far_a_wait_is_counts_more_than_the_reason_where_both_have_no_space() -> None:
    run = PaperRun(names(12), failing=frozenset({"web-3"}))
    for width, expected in ((80, "target initial, 21 of 300 s"), (120, "Checking), 21 of 300 s")):
        (row,) = [line for line in shown(run, 167, width) if line.startswith("web-3 ")]
        assert row.endswith(expected)


def test_no_word_is_said_twice_in_a_row() -> None:
    for run, seconds in replays.MOMENTS.values():
        for line in shown(run, seconds):
            _, state, detail, *_ = (*line.split(), "", "", "")
            assert state != detail.rstrip(","), line


def test_a_host_that_will_not_begin_any_more_is_not_said_to_wait() -> None:
    for run, seconds in ((PaperRun(names(12), stop_at=100), 110), replays.MOMENTS["failure-40"]):
        text = "\n".join(shown(run, seconds))
        assert "not begun" in text
        assert "more not begun" in text
        assert "waiting\n" not in f"{text}\n".replace("Stopping: waiting", "")


@pytest.mark.parametrize("strategy", ["rolling", "surge"])
def test_the_time_of_a_recovery_is_in_the_time_that_is_left(strategy: str) -> None:
    """The host that failed is what the run still waits for."""
    run = PaperRun(names(4), batch=4, strategy=strategy, failing=frozenset(names(4)))
    entries = run.entries()
    failed_at = next(e.at for e in entries if isinstance(e.event, RecoveryBegan)) - AT
    end = max(e.at for e in entries if isinstance(e.event, HostEnded)) - AT
    state = state_at(run, failed_at + 0.5)
    left = end - failed_at - 0.5
    known = state.schedule.seconds_left(AT + failed_at + 0.5)
    assert 0 < known <= left
    assert state_at(run, end).schedule.seconds_left(AT + end) == 0


def test_a_batch_after_a_recovery_begins_when_that_is_over() -> None:
    """Where the policy tolerates a failure, the others go on."""
    run = PaperRun(names(4), failing=frozenset({"web-1"}))
    states = []
    for tolerated in (0, 1):
        state = RunState()
        for entry in replays.until(run.entries(), 60):
            event = entry.event
            if isinstance(event, PlanMade):
                event = replace(event, tolerated=tolerated)
            state(Entry(entry.at, event))
        states.append(state.schedule.seconds_left(AT + 60))
    assert states[1] > states[0] + 40


def test_that_no_further_batch_begins_is_said_where_one_is_left() -> None:
    for hosts, expected in ((4, 0), (6, 1)):
        failures, said = Failures(), list[str]()
        for entry in PaperRun(names(hosts), failing=frozenset({"web-3"})).entries():
            said += map(plain, failures(entry))
        assert said.count(NO_FURTHER) == expected


def test_the_header_counts_the_hosts_that_failed() -> None:
    run = PaperRun(names(12), failing=frozenset({"web-3"}))
    assert not any("failed" in line for line in shown(run, 120))
    assert any(line.startswith("1 failed  about ") for line in shown(run, 145))
