"""What is run once comes after all staging and before anything that requests may notice."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any, cast

import pytest

from deploy.errors import NotPermitted
from deploy.events.event import BatchBegan, Event
from deploy.once.step import RunOnce
from deploy.run.executor import Execution
from deploy.run.report import ExitCode, Outcome
from run.paper_fleet import RUN_ONCE, PaperFleet, Run, fail, made, old, surged, with_once

if TYPE_CHECKING:
    from deploy.plan.plan import Plan
    from deploy.steps.fleet import Fleet


@pytest.fixture(autouse=True)
def on_paper(steps_on_paper: None, monkeypatch: pytest.MonkeyPatch) -> None:
    del steps_on_paper
    monkeypatch.setattr(RunOnce, "run", lambda step, fleet: fleet.do(step))


def ran(done: list[str]) -> list[str]:
    return [line.partition(":")[0] for line in done if RUN_ONCE in line]


def is_staging(line: str) -> bool:
    return line.split(": ", 1)[1].startswith(("prepare", "upload", "verify"))


@pytest.mark.parametrize("plan", [made(old(3)), surged(3)], ids=["rolling", "surge"])
def test_p6_it_runs_on_one_host_after_all_staging_and_before_all_else(run: Run, plan: Plan) -> None:
    report = run(with_once(plan))
    assert report.report.exit_code is ExitCode.DONE
    place = next(n for n, line in enumerate(report.done) if RUN_ONCE in line)
    assert all(map(is_staging, report.done[:place]))
    assert not any(map(is_staging, report.done[place + 1 :]))
    assert ran(report.done) == ["host-1"]
    planned = [f"{step.host.name}: {step}" for step in report.report.plan.steps]
    assert sorted(report.done) == sorted(planned), "what was printed was done"


@pytest.mark.parametrize("plan", [made(old(3), rollout={"max_failures": 2}), surged(3)])
def test_where_it_fails_nothing_leaves_the_load_balancer_however_many_hosts_may_fail(
    run: Run, plan: Plan
) -> None:
    report = run(with_once(plan), {f"host-1: {RUN_ONCE}": fail})
    assert all(map(is_staging, report.done))
    assert report.report.exit_code is ExitCode.FAILED
    assert set(report.report.outcomes.values()) == {Outcome.WAITING}
    (failure,) = report.report.failures
    assert (failure.host.name, failure.refused) == ("host-1", False)


def test_p12_another_host_does_it_where_the_first_could_not_be_staged(run: Run) -> None:
    plan = with_once(made(old(3), rollout={"max_failures": 1}))
    report = run(plan, {"host-1: upload": fail})
    assert ran(report.done) == ["host-2"]
    assert list(report.report.outcomes.values()) == [Outcome.WAITING, Outcome.DONE, Outcome.DONE]


def test_too_many_failures_in_the_staging_run_nothing(run: Run) -> None:
    report = run(with_once(made(old(3))), {"host-3: upload": fail})
    assert ran(report.done) == []
    assert report.report.exit_code is ExitCode.FAILED


def test_p9_a_stop_in_the_staging_runs_nothing_and_one_meanwhile_begins_no_batch(run: Run) -> None:
    def stop(execution: Execution) -> None:
        execution.stop(signal.SIGINT)

    for act, expected in (("host-3: verify", []), (f"host-1: {RUN_ONCE}", ["host-1"])):
        report = run(with_once(made(old(3))), {act: stop})
        assert ran(report.done) == expected
        assert all(is_staging(line) or RUN_ONCE in line for line in report.done)
        assert report.report.exit_code is ExitCode.INTERRUPTED


def test_a_host_that_ends_meanwhile_is_a_failure_since_nobody_knows_how_far_it_came(
    run: Run,
) -> None:
    report = run(with_once(made(old(3))), {f"host-1: {RUN_ONCE}": fail}, gone={"host-1"})
    assert report.report.exit_code is ExitCode.FAILED
    (failure,) = report.report.failures
    assert "not known how it ended" in failure.error
    assert not any(" deregister" in line for line in report.done)


@pytest.mark.parametrize("is_refused", [True, False])
def test_who_lets_no_batch_begin_lets_nothing_run_and_is_asked_once(*, is_refused: bool) -> None:
    asked: list[int] = []

    def permit(batch: BatchBegan) -> None:
        asked.append(batch.number)
        if is_refused:
            raise NotPermitted("hooks/pre-batch: frozen")

    events: list[Event] = []
    fleet: Any = PaperFleet({})
    execution = Execution(with_once(made(old(2))), cast("Fleet", fleet), events.append, permit)
    fleet.execution = execution
    report = execution.run()
    assert asked == ([1] if is_refused else [1, 2])
    assert ran(fleet.done) == ([] if is_refused else ["host-1"])
    assert report.exit_code is (ExitCode.BAD_INPUT if is_refused else ExitCode.DONE)


def test_a_defect_in_it_ends_the_run(run: Run) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("a defect")

    report = run(with_once(made(old(2))), {f"host-1: {RUN_ONCE}": broken})
    assert report.report.exit_code is not ExitCode.DONE
    assert not any(" deregister" in line for line in report.done)
