"""A batch begins where the user's own check lets it; where not, what is done stays whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from deploy.errors import NotPermitted
from deploy.run.executor import Execution
from deploy.run.report import ExitCode, Outcome
from run.paper_fleet import PaperFleet, made, old, surged

if TYPE_CHECKING:
    from deploy.events.event import BatchBegan, Event
    from deploy.plan.plan import Plan
    from deploy.run.report import Report
    from deploy.steps.fleet import Fleet


class Permission:
    """Lets batches begin until one, and keeps which were asked for."""

    def __init__(self, refused: int = 0) -> None:
        self.refused, self.asked = refused, list[int]()

    def __call__(self, batch: BatchBegan) -> None:
        self.asked.append(batch.number)
        if batch.number == self.refused:
            raise NotPermitted("hook pre-batch failed: exit status 1")


def executed(plan: Plan, permit: Permission, fleet: PaperFleet | None = None) -> Report:
    fleet = fleet or PaperFleet({})
    heard: list[Event] = []
    fleet.execution = Execution(plan, cast("Fleet", fleet), heard.append, permit)
    return fleet.execution.run()


@pytest.mark.usefixtures("steps_on_paper")
@pytest.mark.parametrize(
    ("plan", "batches"),
    [
        (made(old(3), batch=1), [1, 2, 3]),
        (made(old(3), batch=None, rollout={"window": 2}), [1]),
        (surged(3), [1, 2]),
    ],
)
def test_each_batch_is_asked_for_once(plan: Plan, batches: list[int]) -> None:
    permit = Permission()
    assert executed(plan, permit).exit_code is ExitCode.DONE
    assert permit.asked == batches


@pytest.mark.usefixtures("steps_on_paper")
@pytest.mark.parametrize("plan", [made(old(3), batch=1), surged(3)])
def test_p12_a_first_batch_that_is_not_let_begin_leaves_all_as_it_was(plan: Plan) -> None:
    fleet = PaperFleet({})
    report = executed(plan, Permission(1), fleet)
    assert set(report.outcomes.values()) == {Outcome.WAITING}
    assert report.exit_code is ExitCode.BAD_INPUT, "nothing was changed"
    assert not any("register" in line or "switch" in line for line in fleet.done)
    (failure,) = report.failures
    assert (failure.step, failure.error) == (
        "begin batch 1",
        "hook pre-batch failed: exit status 1",
    )


@pytest.mark.usefixtures("steps_on_paper")
@pytest.mark.parametrize("policy", [{}, {"rollout": {"max_failures": 2}}])
def test_a_later_batch_that_is_not_let_begin_ends_the_rollout_after_whole_hosts(
    policy: dict[str, Any],
) -> None:
    permit = Permission(2)
    report = executed(made(old(3), batch=1, **policy), permit)
    assert [*report.outcomes.values()] == [Outcome.DONE, Outcome.WAITING, Outcome.WAITING]
    assert report.exit_code is ExitCode.MIXED
    assert permit.asked == [1, 2]


@pytest.mark.usefixtures("steps_on_paper")
def test_a_check_that_was_ended_by_the_operators_stop_is_no_failure() -> None:
    fleet = PaperFleet({})

    class Stopping(Permission):
        def __call__(self, batch: BatchBegan) -> None:
            if batch.number == self.refused:
                assert fleet.execution
                fleet.execution.stop(2)
            super().__call__(batch)

    report = executed(made(old(3), batch=1), Stopping(2), fleet)
    assert not report.failures
    assert report.exit_code is ExitCode.INTERRUPTED
