"""P2: what would leave too few targets in service waits, and then does not start."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, cast

import builders
import pytest

from deploy.aws.targets import Target
from deploy.events.event import Event
from deploy.plan import assembly
from deploy.run import capacity_gate
from deploy.run.executor import Execution
from deploy.run.report import ExitCode, Outcome
from deploy.steps import target as enrolment
from deploy.survey.slot import Slot
from run.paper_fleet import KINDS, PATIENCE_SECONDS, PaperFleet, Ran, Run, old

if TYPE_CHECKING:
    from collections.abc import Callable

    from deploy.aws.targets import TargetGroup
    from deploy.plan.plan import Plan
    from deploy.steps.base import Step
    from deploy.steps.fleet import Fleet

TWO = (("web", 5000), ("admin", 5100))


def runner(
    plan: Plan,
    monkeypatch: pytest.MonkeyPatch,
    serving: Callable[[str], set[int]],
    act: Callable[[Step], None] = lambda _: None,
) -> Ran:
    """On a paper fleet whose targets are healthy as told, by the group's name."""
    fleet, events = PaperFleet({}), list[Event]()
    fleet.groups = {app: (builders.group(f"{app}-lab", port=port),) for app, port in TWO}

    def read(group: TargetGroup, timeout_seconds: float) -> frozenset[Target]:
        del timeout_seconds
        numbers = serving(group.name)
        return frozenset(Target(builders.host(n).instance_id, group.port) for n in numbers)

    def do(step: Step, fleet: PaperFleet) -> None:
        act(step)
        fleet.do(step)

    for kind in KINDS:
        monkeypatch.setattr(kind, "run", do)
    monkeypatch.setattr(fleet, "serving", read)
    monkeypatch.setattr(capacity_gate, "LOOK_FOR_CAPACITY_SECONDS", 0.01)
    return Ran(Execution(plan, cast("Fleet", fleet), events.append).run(), events, fleet.done)


def test_a_batch_of_two_apps_begins_when_one_look_finds_room_for_both(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """P2: web loses a target while admin, short at first, is waited for."""
    apps = [builders.app(name, port, healthy_timeout_seconds=0.5) for name, port in TWO]
    slots: dict[str, Slot] = {"web": builders.slot(), "admin": builders.slot()}
    hosts = [builders.facts(number, slots) for number in (1, 2, 3)]
    offers = tuple(builders.offer(app, hosts) for app in apps)
    seen = builders.survey(hosts, apps=apps)
    plan = assembly.make(builders.environment(*apps), offers, seen)
    looks = dict.fromkeys(("web-lab", "admin-lab"), 0)

    def serving(group: str) -> set[int]:
        looks[group] += 1
        is_short = looks["admin-lab"] > 0 if group == "web-lab" else looks["admin-lab"] < 3
        return {1, 2} if is_short else {1, 2, 3}

    ran = runner(plan, monkeypatch, serving)
    assert looks["admin-lab"] > 0
    assert not any("deregister" in line for line in ran.done)
    assert "of web-lab in service (2 healthy now)" in ran.report.failures[0].error


def test_a_window_goes_on_when_a_host_that_was_out_makes_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """host-4 turns sick; host-3 has to wait until host-2 is back, and then has room."""
    web = builders.app(healthy_timeout_seconds=PATIENCE_SECONDS)
    hosts = old(4)
    environment = builders.environment(web, batch=None, rollout={"window": 2})
    offers = (builders.offer(web, hosts),)
    plan = assembly.make(environment, offers, builders.survey(hosts, apps=[web]))
    out, sick, third_waits = set[int](), set[int](), threading.Event()

    def act(step: Step) -> None:
        number = int(step.host.name[-1])
        if isinstance(step, enrolment.DeregisterTarget):
            out.add(number)
        if isinstance(step, enrolment.WaitHealthy):
            if number == 1:
                sick.add(4)
            if number == 2:
                third_waits.wait(PATIENCE_SECONDS)
            out.discard(number)

    def serving(_: str) -> set[int]:
        if sick and 2 in out:
            third_waits.set()
        return {1, 2, 3, 4} - out - sick

    ran = runner(plan, monkeypatch, serving, act)
    assert ran.report.outcomes["host-3"] is Outcome.DONE


def test_a_batch_that_would_leave_too_few_waits_and_then_does_not_start(run: Run) -> None:
    web = builders.app(healthy_timeout_seconds=0.6)
    listed = old(3)
    offers = (builders.offer(web, listed),)
    plan = assembly.make(builders.environment(web), offers, builders.survey(listed, apps=[web]))
    ran = run(plan, sick={"host-3"}, sick_after=2)
    assert ran.report.outcomes["host-1"] is Outcome.DONE
    assert ran.report.outcomes["host-2"] is Outcome.WAITING
    assert ran.report.exit_code is ExitCode.MIXED
    failure = ran.report.failures[0]
    assert failure.step == "begin batch 2"
    assert "would leave 1 targets of web-lab in service (2 healthy now)" in failure.error
    assert run(plan).report.exit_code is ExitCode.DONE


def test_a_window_waits_for_room_host_by_host(run: Run) -> None:
    web = builders.app(healthy_timeout_seconds=0.6)
    listed = old(3)
    own = builders.environment(web, batch=None, rollout={"window": 1})
    plan = assembly.make(own, (builders.offer(web, listed),), builders.survey(listed, apps=[web]))
    ran = run(plan, sick={"host-3"}, sick_after=2)
    outcomes = list(ran.report.outcomes.values())
    assert outcomes == [Outcome.DONE, Outcome.WAITING, Outcome.WAITING]
    assert "would leave 1 targets of web-lab" in ran.report.failures[0].error
