"""A smoke test that fails through the load balancer ends the rollout, whatever is tolerated."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import run_entries
from smoke.paper import old, planned

from deploy.events.event import BatchBegan, HostFailed
from deploy.run.report import ExitCode, Outcome
from run.paper_fleet import Run, fail

if TYPE_CHECKING:
    from deploy.plan.plan import Plan

ASKS = "host-1: pass 2 smoke tests"


def plan(tolerated: int = 0) -> Plan:
    return replace(planned(old(3), batch=1), tolerated=tolerated)


def test_p6_the_steps_done_are_the_steps_printed(run: Run) -> None:
    made = plan()
    ran = run(made)
    assert ran.report.exit_code is ExitCode.DONE
    listed = run_entries.printed(made, is_full=True).splitlines()
    assert sorted(line.strip() for line in listed if line.startswith("  ")) == sorted(ran.done)
    assert [line for line in ran.done if "smoke tests through" in line] == [
        "host-1: pass 2 smoke tests through https://www.example.org"
    ]


def test_no_further_batch_begins_and_the_first_host_goes_back(run: Run) -> None:
    for tolerated in (0, 1, 2):
        ran = run(plan(tolerated), {ASKS: fail})
        assert ran.report.outcomes == {
            "host-1": Outcome.BACK,
            "host-2": Outcome.WAITING,
            "host-3": Outcome.WAITING,
        }
        assert ran.report.exit_code is ExitCode.FAILED
        assert ran.report.stopped_short
        assert [e.number for e in ran.events if isinstance(e, BatchBegan)] == [1]
        (failure,) = [event for event in ran.events if isinstance(event, HostFailed)]
        assert failure.is_of_release


def test_control_another_failure_within_what_is_tolerated_lets_the_next_batch_begin(
    run: Run,
) -> None:
    ran = run(plan(1), {"host-1: wait until healthy": fail})
    assert ran.report.outcomes["host-3"] is Outcome.DONE
    (failure,) = [event for event in ran.events if isinstance(event, HostFailed)]
    assert not failure.is_of_release


def test_in_a_batch_of_all_hosts_those_that_are_done_count_as_stopped_short_too(run: Run) -> None:
    made = replace(planned(old(2), batch=2), tolerated=1)
    ran = run(made, {ASKS: fail})
    assert ran.report.outcomes == {"host-1": Outcome.BACK, "host-2": Outcome.DONE}
    assert ran.report.stopped_short  # so `on_failure: rollback` takes host-2 back
