"""A plan is executed as printed, batch by batch; a failure ends the rollout after its batch."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, cast

import builders
import pytest
import run_entries
from builders import NEW

from deploy.clock import CLOCK
from deploy.durations import planned
from deploy.events.event import BatchBegan, HostEnded
from deploy.plan.plan import MARGIN_SECONDS
from deploy.recovery import longest_path
from deploy.run.capacity_gate import CapacityGate
from deploy.run.executor import Execution
from deploy.run.report import ExitCode, Outcome, Report
from deploy.steps.verify import ProveCurrent
from run.paper_fleet import KINDS, PATIENCE_SECONDS, Acts, PaperFleet, Run, fail, made, old, on

if TYPE_CHECKING:
    from deploy.plan.host_plan import HostPlan
    from deploy.steps.fleet import Fleet


def test_the_steps_done_are_the_steps_printed(run: Run) -> None:
    plan = made(old(3), batch=2)
    ran = run(plan)
    assert ran.report.exit_code is ExitCode.DONE
    assert sorted(ran.report.executed) == sorted(ran.done)
    listed = run_entries.printed(plan, is_full=True).splitlines()
    printed = [line.strip() for line in listed if line.startswith("  ")]
    for number in (1, 2, 3):
        assert on(ran.done, f"host-{number}") == on(printed, f"host-{number}")
    assert sorted(printed) == sorted(ran.done)
    assert ran.report.outcomes == dict.fromkeys(("host-1", "host-2", "host-3"), Outcome.DONE)


def test_all_hosts_are_staged_before_the_first_leaves(run: Run) -> None:
    ran = run(made(old(4)))
    first_out = next(n for n, line in enumerate(ran.done) if "deregister" in line)
    assert len([line for line in ran.done[:first_out] if "verify" in line]) == 4
    assert not any("upload" in line for line in ran.done[first_out:])


def test_a_batch_works_together_and_the_next_waits_for_all_of_it(run: Run) -> None:
    together = threading.Barrier(2)

    def meet(_: object) -> None:
        together.wait(PATIENCE_SECONDS)

    ran = run(
        made(old(4), batch=2),
        {f"host-{number}: drain": meet for number in (1, 2, 3, 4)},
    )
    assert ran.report.exit_code is ExitCode.DONE
    starts = [event.hosts for event in ran.events if isinstance(event, BatchBegan)]
    assert starts == [("host-1", "host-2"), ("host-3", "host-4")]
    second = next(
        n
        for n, event in enumerate(ran.events)
        if isinstance(event, BatchBegan) and event.number == 2
    )
    ended = {event.host for event in ran.events[:second] if isinstance(event, HostEnded)}
    assert ended == {"host-1", "host-2"}


def test_a_failure_stops_the_next_batch_and_lets_this_one_finish(run: Run) -> None:
    ran = run(made(old(4), batch=2), {f"host-1: prove {NEW}": fail})
    assert ran.report.outcomes == {
        "host-1": Outcome.BACK,
        "host-2": Outcome.DONE,
        "host-3": Outcome.WAITING,
        "host-4": Outcome.WAITING,
    }
    assert ran.report.exit_code is ExitCode.MIXED
    assert not any("host-3: deregister" in line for line in ran.done)


def test_a_failure_in_staging_changes_nothing(run: Run) -> None:
    ran = run(made(old(2)), {"host-2: upload": fail})
    assert ran.report.exit_code is ExitCode.FAILED
    assert set(ran.report.outcomes.values()) == {Outcome.WAITING}
    assert not any("deregister" in line or "verify" in line for line in on(ran.done, "host-2"))
    assert not any("deregister" in line for line in ran.done)


def test_a_failure_in_staging_of_a_half_done_fleet_leaves_it_mixed(run: Run) -> None:
    unit = builders.unit(text=f"[Service]\n# {NEW}\n")
    hosts = [builders.facts(9, {"web": builders.slot(NEW, unit)}), *old(1)]
    plan = made(hosts)
    assert isinstance(plan.staging[0].steps[0], ProveCurrent)
    assert run(plan).report.outcomes["host-9"] is Outcome.CURRENT
    ran = run(plan, {"host-1: upload": fail})
    assert ran.report.exit_code is ExitCode.MIXED
    ran = run(plan, {"host-9: already": fail})
    assert ran.report.outcomes["host-9"] is Outcome.WAITING
    assert ran.report.exit_code is ExitCode.MIXED, "it ran two releases, and does"


def test_lanes_are_of_one_host() -> None:
    host_plans: list[HostPlan] = [
        host_plan for batch in made(old(3), batch=2).batches for host_plan in batch
    ]
    assert all(step.host == host_plan.host for host_plan in host_plans for step in host_plan.steps)


def test_a_budget_of_failures_lets_the_others_go_on(run: Run) -> None:
    plan = made(old(4), rollout={"max_failures": 1})
    ran = run(plan, {f"host-1: prove {NEW}": fail})
    assert list(ran.report.outcomes.values()) == [Outcome.BACK, *[Outcome.DONE] * 3]
    assert ran.report.exit_code is ExitCode.MIXED
    acts: Acts = {f"host-{n}: prove {NEW}": fail for n in (1, 2)}
    ran = run(plan, acts)
    assert list(ran.report.outcomes.values()) == [Outcome.BACK] * 2 + [Outcome.WAITING] * 2


def test_a_host_that_failed_in_staging_is_left_alone_within_the_budget(run: Run) -> None:
    ran = run(made(old(3), rollout={"max_failures": 1}), {"host-2: upload": fail})
    assert ran.report.outcomes["host-2"] is Outcome.WAITING
    assert ran.report.outcomes["host-3"] is Outcome.DONE
    assert not any("deregister" in line for line in on(ran.done, "host-2"))


@pytest.mark.parametrize("policy", [{"batch": 1}, {"batch": None, "rollout": {"window": 1}}])
def test_no_batch_begins_that_would_outlive_the_credentials(
    monkeypatch: pytest.MonkeyPatch, policy: dict[str, Any]
) -> None:
    """A batch counts with its recovery, and a minute is left for what the settings leave out."""
    plan = made(old(3), **policy)
    fleet = PaperFleet({})
    for kind in KINDS:
        monkeypatch.setattr(kind, "run", lambda step, own: own.do(step))

    def executed(left_seconds: float | None) -> Report:
        end = None if left_seconds is None else CLOCK.monotonic() + left_seconds
        fleet.credentials_end = end
        return Execution(plan, cast("Fleet", fleet), lambda _: None).run()

    assert executed(None).exit_code is ExitCode.DONE
    needed = longest_path.of_batch(plan.batches[0], fleet.groups) + MARGIN_SECONDS
    assert executed(needed + 100).exit_code is ExitCode.DONE
    late = executed(needed - 1)
    assert set(late.outcomes.values()) == {Outcome.WAITING}
    (failure,) = late.failures
    assert failure.step == "begin batch 1"
    end = planned(needed - 1)
    assert f"the AWS credentials end in {end}, and batch 1 may take" in failure.error
    assert late.exit_code is ExitCode.FAILED, "the fleet is whole, on one release"


@pytest.mark.parametrize("policy", [{"batch": 1}, {"batch": None, "rollout": {"window": 1}}])
@pytest.mark.parametrize("tolerated", [0, 2])
def test_where_the_credentials_end_first_the_rollout_stops_and_good_hosts_stay(
    steps_on_paper: None, policy: dict[str, Any], tolerated: int
) -> None:
    """As by the operator's stop: no host has failed, so nothing is taken back."""
    del steps_on_paper
    rollout = policy.get("rollout", {}) | {"max_failures": tolerated}
    plan, fleet = made(old(3), **policy | {"rollout": rollout}), PaperFleet({})

    def soon(_: Execution) -> None:
        fleet.credentials_end = CLOCK.monotonic() + 1

    fleet.acts["host-1: record"] = soon
    fleet.execution = Execution(plan, cast("Fleet", fleet), lambda _: None)
    report = fleet.execution.run()
    assert list(report.outcomes.values()) == [Outcome.DONE, Outcome.WAITING, Outcome.WAITING]
    (failure,) = report.failures
    assert failure.is_stop
    assert not report.stopped_short
    assert report.exit_code is ExitCode.MIXED


def test_credentials_that_end_while_the_policy_is_waited_for_begin_no_batch(
    monkeypatch: pytest.MonkeyPatch, steps_on_paper: None
) -> None:
    del steps_on_paper
    plan, fleet = made(old(2), batch=1), PaperFleet({})
    fleet.credentials_end = CLOCK.monotonic() + 10_000

    def wait(*_: object) -> None:
        fleet.credentials_end = CLOCK.monotonic() + 1

    monkeypatch.setattr(CapacityGate, "wait", wait)
    fleet.execution = Execution(plan, cast("Fleet", fleet), lambda _: None)
    assert set(fleet.execution.run().outcomes.values()) == {Outcome.WAITING}
    assert not any("deregister" in line for line in fleet.done)
