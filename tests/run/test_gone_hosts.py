"""P6: a host whose instance was terminated is no failure; the rest of its plan is dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import builders
import pytest

from deploy.plan import assembly
from deploy.run import capacity_gate
from deploy.run.report import ExitCode, Outcome
from run.paper_fleet import Run, fail, made, old, on

if TYPE_CHECKING:
    from deploy.plan.plan import Plan

GONE = {"host-1"}


@pytest.mark.parametrize("step", ["upload", "deregister", "drain", "stop", "prove"])
def test_its_steps_are_dropped_and_the_others_go_on(run: Run, step: str) -> None:
    ran = run(made(old(3), batch=1), {f"host-1: {step}": fail}, gone=GONE)
    assert ran.report.outcomes == {
        "host-1": Outcome.GONE,
        "host-2": Outcome.DONE,
        "host-3": Outcome.DONE,
    }
    assert ran.report.failures == ()
    assert ran.report.exit_code is ExitCode.DONE
    assert not any(line.startswith("host-1: register") for line in ran.done)
    assert len(on(ran.done, "host-2")) > 5


def test_a_host_that_is_still_there_is_a_failure(run: Run) -> None:
    ran = run(made(old(3), batch=1), {"host-1: drain": fail}, gone={"host-2"})
    assert ran.report.outcomes["host-1"] is Outcome.BACK
    assert ran.report.exit_code is ExitCode.FAILED


def plan(**rollout: Any) -> Plan:
    hosts = old(3)
    environment = builders.environment(rollout=rollout)
    offers = (builders.offer(builders.app(), hosts),)
    return assembly.make(environment, offers, builders.survey(hosts))


@pytest.mark.parametrize(
    ("rollout", "code"),
    [
        ({}, ExitCode.DONE),
        ({"min_in_service": "50%"}, ExitCode.DONE),
        ({"min_in_service": 2}, None),
    ],
    ids=["the fleet less a batch", "a share", "a number"],
)
def test_p2_capacity_is_counted_again_without_it(
    run: Run, monkeypatch: pytest.MonkeyPatch, rollout: dict[str, Any], code: ExitCode | None
) -> None:
    monkeypatch.setattr(capacity_gate, "LOOK_FOR_CAPACITY_SECONDS", 0.01)
    made = plan(**rollout)
    made.apps["web"] = made.apps["web"].model_copy(update={"healthy_timeout_seconds": 1})
    ran = run(made, {"host-1: stop": fail}, gone=GONE, sick=GONE, sick_after=2)
    if code is None:
        assert ran.report.exit_code is not ExitCode.DONE
        assert "the policy wants 2" in ran.report.failures[0].error
    else:
        assert ran.report.exit_code is code, ran.report.failures
