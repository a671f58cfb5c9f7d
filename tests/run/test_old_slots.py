"""Two slots: the old one drains beside the rollout, and what fails leaves one that serves."""

from __future__ import annotations

import signal
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import builders
import pytest
from builders import NEW

from deploy.aws.targets import Health, State
from deploy.commands import take_back
from deploy.events.event import HostEnded
from deploy.plan import assembly
from deploy.run.report import ExitCode, Outcome
from deploy.survey.slot import Slot
from run.paper_fleet import PATIENCE_SECONDS, Run, fail, on, surging

if TYPE_CHECKING:
    from deploy.plan.plan import Plan


def test_the_next_batch_begins_while_the_old_slots_of_this_one_drain(run: Run) -> None:
    begun = threading.Event()

    def wait(_: object) -> None:
        assert begun.wait(PATIENCE_SECONDS), "it waited for the drain"

    plan = surging(2)
    ran = run(plan, {"host-1: drain :5000": wait, f"host-2: prove {NEW}": lambda _: begun.set()})
    assert ran.report.exit_code is ExitCode.DONE
    for host in ("host-1", "host-2"):
        planned = [step for step in plan.steps if step.host.name == host]
        assert on(ran.done, host) == [f"{host}: {step}" for step in planned]
        at = [n for n, event in enumerate(ran.events) if event == HostEnded(host, Outcome.DONE)]
        assert len(at) == 1, "told once, after its old slot is at rest"


def test_an_old_slot_that_cannot_be_ended_is_told_and_the_new_one_serves(run: Run) -> None:
    ran = run(surging(2), {"host-1: drain :5000": fail})
    assert ran.report.outcomes["host-1"] is Outcome.DONE
    assert [failure.step for failure in ran.report.failures] == ["drain :5000 20 s"]
    assert not any("stop and disable" in line for line in on(ran.done, "host-1"))


def test_a_new_slot_that_cannot_be_ended_is_another_release_that_runs(run: Run) -> None:
    acts = {"host-1: daemon-reload": fail, "host-1: stop and disable web@5001": fail}
    ran = run(surging(2), acts)
    assert ran.report.outcomes == {"host-1": Outcome.BACK, "host-2": Outcome.WAITING}
    assert ran.report.exit_code is ExitCode.MIXED
    clean = run(surging(2), {"host-1: daemon-reload": fail})
    assert clean.report.exit_code is ExitCode.FAILED


def test_a_stop_before_the_new_slot_is_enrolled_ends_it_again(run: Run) -> None:
    ran = run(surging(2), {"host-1: prove": lambda execution: execution.stop(signal.SIGINT)})
    assert ran.report.outcomes == {"host-1": Outcome.BACK, "host-2": Outcome.WAITING}
    assert ran.report.exit_code is ExitCode.INTERRUPTED
    assert ran.report.failures == ()
    assert on(ran.done, "host-1")[-2:] == [
        "host-1: stop and disable web@5001.service",
        "host-1: clear the note on web@5001.service",
    ]
    assert not any("register" in line for line in ran.done)


def coming_twice() -> Plan:
    """One host of two apps that surge: `web` is not healthy, so it goes first and apart."""
    apps = builders.app("web", 5000, 5001), builders.app("admin", 5100, 5101)
    slots = {app.name: builders.slot() for app in apps}
    spares = {app.name: Slot(kept=builders.slot().kept) for app in apps}
    hosts = [builders.facts(1, slots, spares=spares)]
    seen = builders.survey(hosts, apps=apps)
    arn = seen.groups["web"][0].arn
    sick = dict.fromkeys(seen.health[arn], Health(State.UNHEALTHY))
    plan = assembly.make(
        builders.environment(*apps, batch=1, rollout={"strategy": "surge"}),
        tuple(builders.offer(app, hosts) for app in apps),
        replace(seen, health=seen.health | {arn: sick}),
        allow_downtime=True,
    )
    assert len(plan.batches) == len(apps)
    return plan


@pytest.mark.parametrize("failing", ["host-1: deregister :5000", "host-1: switch slot 5101"])
def test_a_host_of_whose_apps_one_is_deployed_says_so_and_that_one_can_go_back(
    failing: str, run: Run
) -> None:
    plan = coming_twice()
    apart, last = (batch[0] for batch in plan.batches)
    ran = run(plan, {failing: fail})
    assert ran.report.outcomes == {"host-1": Outcome.PARTLY}
    assert ran.report.exit_code is ExitCode.MIXED
    assert ran.report.deployed == {("host-1", "web")}
    assert apart.good
    assert last.good
    assert take_back.good_before(ran.report) == {"web": {"host-1": apart.good["web"]}, "admin": {}}


def test_a_host_that_comes_twice_has_the_old_slots_of_both_apps_ended(run: Run) -> None:
    """The one of the app that goes first and apart is ended all the same."""
    ran = run(coming_twice())
    assert ran.report.exit_code is ExitCode.DONE
    for unit in ("web@5000.service", "admin@5100.service"):
        assert f"host-1: stop and disable {unit}" in ran.done
    assert ran.events.count(HostEnded("host-1", Outcome.DONE)) == 1


def test_a_stop_while_the_old_slot_drains_sees_it_through(run: Run) -> None:
    ran = run(surging(2), {"host-1: drain :5000": lambda execution: execution.stop(signal.SIGINT)})
    assert ran.report.outcomes["host-1"] is Outcome.DONE
    assert on(ran.done, "host-1")[-1] == "host-1: clear the note on web@5000.service"


def test_a_new_slot_that_fails_leaves_the_old_one_alone(run: Run) -> None:
    ran = run(surging(2), {"host-1: wait until :5001": fail})
    assert ran.report.outcomes["host-1"] is Outcome.BACK
    assert ran.report.exit_code is ExitCode.FAILED
    assert not any(":5000" in line or "@5000" in line for line in ran.done if "verify" not in line)
