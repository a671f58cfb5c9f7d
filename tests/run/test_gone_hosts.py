"""P6: a host whose instance was terminated is no failure; the rest of its plan is dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import builders
import pytest

from deploy.command_result import CommandResult
from deploy.errors import CommandFailed, TakenOut
from deploy.plan import assembly
from deploy.run import capacity_gate
from deploy.run.report import ExitCode, Outcome
from run.paper_fleet import Run, fail, made, old, on

if TYPE_CHECKING:
    from deploy.plan.plan import Plan

GONE = {"host-1"}


@pytest.mark.parametrize("step", ["upload", "deregister", "drain", "stop"])
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


@pytest.mark.parametrize("step", ["prove", "wait"])
def test_a_release_that_may_have_ended_its_host_counts_as_failed(run: Run, step: str) -> None:
    """Auto Scaling ends what its release makes unhealthy: the next host must not get it."""
    ran = run(made(old(3), batch=1), {f"host-1: {step}": fail}, gone=GONE)
    assert ran.report.outcomes["host-1"] is Outcome.GONE
    assert ran.report.outcomes["host-2"] is Outcome.WAITING
    assert ran.report.exit_code is ExitCode.FAILED
    assert len(ran.report.failures) == 1


@pytest.mark.parametrize("step", ["register", "wait"])
def test_p6_a_target_that_its_group_takes_out_is_no_fault_of_its_release(
    run: Run, step: str
) -> None:
    """Scale-in with connection draining: not marked, not registered again, and no failure."""

    def take_out(_: object) -> None:
        raise TakenOut("host-1: target became draining while soaking")

    ran = run(made(old(3), batch=1), {f"host-1: {step}": take_out}, gone=GONE)
    assert ran.report.outcomes["host-1"] is Outcome.GONE
    assert ran.report.outcomes["host-3"] is Outcome.DONE
    assert ran.report.failures == ()
    assert not any("bad" in line for line in ran.done)
    assert len([line for line in ran.done if line.startswith("host-1: register")]) == (
        1 if step == "wait" else 0
    )


def test_p6_one_that_answers_while_its_group_ends_it_is_gone(run: Run) -> None:
    """A lifecycle hook may stop its services: the host answers that a command failed."""

    def refuse(_: object) -> None:
        raise CommandFailed("host-1", "stopping", CommandResult("systemctl stop", 1, "", ""))

    ran = run(made(old(3), batch=1), {"host-1: stop": refuse}, gone=GONE)
    assert ran.report.outcomes["host-1"] is Outcome.GONE
    assert ran.report.exit_code is ExitCode.DONE


def test_p10_one_that_is_in_standby_is_not_registered_and_its_release_not_marked(run: Run) -> None:
    def keep_out(_: object) -> None:
        raise TakenOut("host-1: not registered: its instance is Standby")

    ran = run(made(old(2), batch=1), {"host-1: register": keep_out})
    assert ran.report.outcomes["host-1"] is Outcome.OUT
    assert "Standby" in ran.report.failures[0].error
    assert not any("bad" in line or "host-1: register" in line for line in ran.done)


def test_where_all_hosts_are_gone_nothing_is_said_to_be_done(run: Run) -> None:
    ran = run(made(old(1)), {"host-1: stop": fail}, gone=GONE)
    assert ran.report.exit_code is ExitCode.OUT_OF_SERVICE


def test_p2_one_that_ended_after_its_turn_is_found_while_a_batch_waits(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capacity_gate, "LOOK_FOR_CAPACITY_SECONDS", 0.01)
    ran = run(plan(), gone=GONE, sick=GONE, sick_after=2)
    assert ran.report.outcomes["host-1"] is Outcome.GONE
    assert ran.report.outcomes["host-3"] is Outcome.DONE
    assert ran.report.exit_code is ExitCode.DONE, ran.report.failures


def test_p2_a_share_is_one_of_the_hosts_that_there_are_yet() -> None:
    made, app = plan(10, min_in_service="50%"), builders.app()
    assert [made.least(1, "web-lab", app, gone) for gone in (0, 1, 4, 8)] == [5, 4, 3, 1]
    less = plan(10, batch=2)
    assert [less.least(1, "web-lab", app, gone) for gone in (0, 1, 4)] == [8, 7, 4]
    fixed = plan(10, min_in_service=6)
    assert [fixed.least(1, "web-lab", app, gone) for gone in (0, 4)] == [6, 6]


def plan(count: int = 3, **rollout: Any) -> Plan:
    hosts = old(count)
    environment = builders.environment(rollout={"batch": 1} | rollout)
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
