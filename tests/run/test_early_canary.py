"""The first batch begins beside what serves, while other hosts are still staged."""

from __future__ import annotations

import signal
import threading
import time
from typing import Any, cast

import pytest
from builders import NEW

from deploy.aws.targets import GONE
from deploy.errors import DeployError, NotProven
from deploy.events.event import BatchBegan, StepBegan, StepEnded
from deploy.run import executor
from deploy.run.executor import Execution
from deploy.run.report import ExitCode, Outcome
from deploy.steps import verify
from run.paper_fleet import (
    PATIENCE_SECONDS,
    Acts,
    PaperFleet,
    Run,
    fail,
    made,
    old,
    on,
    surged,
    until_failed,
)


def test_a_canary_is_proven_while_others_are_staged_and_enrols_after_them(run: Run) -> None:
    proven = threading.Event()

    def slow(_: object) -> None:
        assert proven.wait(PATIENCE_SECONDS), "the canary is not proven meanwhile"

    def prove(_: object) -> None:
        proven.set()

    acts: Acts = {"host-2: verify": slow, f"host-1: prove {NEW}": prove}
    ran = run(surged(3), acts)
    assert ran.report.exit_code is ExitCode.DONE
    place = {line: number for number, line in enumerate(ran.done)}
    verified = next(n for line, n in place.items() if line.startswith("host-2: verify"))
    assert place["host-1: register :5001 in web-lab"] > verified
    assert sorted(ran.done) == sorted(str(s.host.name) + f": {s}" for s in ran.report.plan.steps)
    began = [event.hosts for event in ran.events if isinstance(event, BatchBegan)]
    assert began == [("host-1",), ("host-2", "host-3")]


def test_a_failure_in_staging_ends_what_the_canary_started_beside_the_old_release(
    run: Run,
) -> None:
    started = threading.Event()

    def late(_: object) -> None:
        assert started.wait(PATIENCE_SECONDS)
        raise DeployError("it broke")

    acts: Acts = {"host-2: upload": late, "host-1: switch": lambda _: started.set()}
    ran = run(surged(3), acts)
    assert ran.report.exit_code is ExitCode.FAILED
    assert ran.report.outcomes == {
        "host-1": Outcome.BACK,
        "host-2": Outcome.WAITING,
        "host-3": Outcome.WAITING,
    }
    mine = [line.split()[1] for line in on(ran.done, "host-1")]
    assert "register" not in mine
    assert "deregister" not in mine
    assert mine[-2:] == ["stop", "clear"]
    assert [failure.step.split()[0] for failure in ran.report.failures] == ["upload"]


def test_a_canary_that_began_early_enrols_where_the_budget_bears_a_failure(run: Run) -> None:
    ran = run(surged(3, max_failures=1), {"host-2: upload": fail})
    assert list(ran.report.outcomes.values()) == [Outcome.DONE, Outcome.WAITING, Outcome.DONE]


def test_a_stop_while_others_are_staged_ends_what_the_canary_started(run: Run) -> None:
    started = threading.Event()

    def interrupt(execution: Execution) -> None:
        assert started.wait(PATIENCE_SECONDS)
        execution.stop(signal.SIGINT)

    acts: Acts = {"host-2: upload": interrupt, "host-1: switch": lambda _: started.set()}
    ran = run(surged(2), acts)
    assert ran.report.exit_code is ExitCode.INTERRUPTED
    assert ran.report.outcomes["host-1"] is Outcome.BACK
    assert not any(" register" in line for line in ran.done)


def test_a_rolling_canary_touches_nothing_before_all_hosts_are_staged(run: Run) -> None:
    ran = run(made(old(3)))
    began = next(n for n, event in enumerate(ran.events) if isinstance(event, BatchBegan))
    staged = [
        n
        for n, event in enumerate(ran.events)
        if isinstance(event, StepEnded) and event.phase == "stage"
    ]
    assert max(staged) < began


def test_a_canary_that_ended_while_others_were_staged_does_not_enrol(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P3: what was proven minutes ago may have ended since."""

    def look(step: verify.ProveRelease, fleet: PaperFleet) -> None:
        del fleet
        raise NotProven(f"{step.host}: it ended and was restarted")

    monkeypatch.setattr(verify.ProveRelease, "look_again", look)
    ran = run(surged(3))
    assert ran.report.exit_code is ExitCode.FAILED
    assert not any(" register" in line for line in ran.done)
    (failure,) = ran.report.failures
    assert "it ended and was restarted" in failure.error
    assert any(step.startswith("mark") for step in failure.undone)
    assert ran.report.outcomes["host-1"] is Outcome.BACK


def test_a_failure_in_a_first_batch_lets_its_other_hosts_finish_however_early_it_came(
    run: Run,
) -> None:
    acts: Acts = {f"host-1: prove {NEW}": fail, "host-3: verify": until_failed("host-1")}
    ran = run(surged(3, batch=[2, "100%"]), acts)
    assert list(ran.report.outcomes.values()) == [Outcome.BACK, Outcome.DONE, Outcome.WAITING]


def test_a_called_off_canary_whose_target_was_out_before_has_not_failed(run: Run) -> None:
    proven = threading.Event()

    def late(_: object) -> None:
        assert proven.wait(PATIENCE_SECONDS)
        raise DeployError("it broke")

    acts: Acts = {"host-2: upload": late, f"host-1: prove {NEW}": lambda _: proven.set()}
    ran = run(surged(2, {"host-1": GONE}), acts)
    assert [failure.host.name for failure in ran.report.failures] == ["host-2"]


def test_an_early_batch_is_told_before_its_steps_and_without_hosts_that_failed(run: Run) -> None:
    plan = surged(3, batch=[2, "100%"], max_failures=1)
    ran = run(plan, {"host-2: upload": fail, "host-1: verify": until_failed("host-2")})
    told = [number for number, e in enumerate(ran.events) if isinstance(e, BatchBegan)]
    assert [cast("Any", ran.events[n]).hosts for n in told] == [("host-1",), ("host-3",)]
    first = next(
        number
        for number, event in enumerate(ran.events)
        if isinstance(event, StepBegan) and event.step.startswith("switch")
    )
    assert told[0] < first


def test_others_wait_for_the_first_to_be_staged_once_and_not_again(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "HEAD_START_SECONDS", 0.3)
    monkeypatch.setattr(executor, "STAGED_AT_A_TIME", 2)
    all_began, began = threading.Event(), list[float]()

    def note(_: object) -> None:
        began.append(time.monotonic())
        if len(began) == 8:
            all_began.set()

    def slow(_: object) -> None:
        assert all_began.wait(PATIENCE_SECONDS)

    acts: Acts = {f"host-{number}: upload": note for number in range(2, 10)}
    run(surged(9), acts | {"host-1: upload": slow})
    assert began[-1] - began[0] < 0.3
