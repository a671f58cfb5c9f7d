"""What views need to know of a plan is in its event."""

from __future__ import annotations

from collections import Counter

import builders
import pytest
from builders import NEW, OLD

from deploy.aws.targets import Health, State
from deploy.events.planned import PlanMade
from deploy.plan import assembly
from deploy.plan.plan import Plan
from deploy.recovery.recovery import Recovery
from deploy.run import as_events
from deploy.run.report import Failure
from deploy.steps.target import RegisterTarget, WaitHealthy
from deploy.steps.unit import ReviveUnit, SwitchRelease
from run.paper_fleet import made, old, surging

HOST, WEB = builders.host(), builders.app().at(5000)


def event_of(plan: Plan) -> PlanMade:
    return as_events.plan_made(plan, {"web": (builders.group(),)})


def test_it_says_what_ran_before_where_and_what_is_out() -> None:
    hosts = old(3)
    sick = {"host-2": Health(State.UNHEALTHY)}
    plan = assembly.make(
        builders.environment(),
        (builders.offer(builders.app(), hosts),),
        builders.survey(hosts, sick),
    )
    event = event_of(plan)
    assert event.before == {"web": OLD}
    assert event.releases == {"web": NEW}
    assert event.groups == {"web": ("web-lab",)}
    assert event.out == {"web-lab": ("host-2",)}
    assert event.in_service == {"web-lab": 2}
    assert event.tolerated == plan.tolerated
    assert event.environment == "lab"


def test_hosts_on_which_nothing_was_deployed_have_nothing_before() -> None:
    hosts = [builders.facts(1)]
    plan = assembly.make(
        builders.environment(),
        (builders.offer(builders.app(), hosts),),
        builders.survey(hosts),
        allow_downtime=True,
    )
    assert event_of(plan).before == {}


def test_each_planned_step_has_its_type() -> None:
    event = event_of(surging(2))
    kinds = Counter(
        step.kind
        for batch in event.batches
        for host in batch.hosts
        for step in (*host.steps, *host.after)
    )
    assert kinds["register_target"] == kinds["deregister_target"] == 2
    assert event_of(made(old(1))).staging[0].steps[0].kind == "prepare_host"


REGISTER = RegisterTarget(HOST, WEB)
GOALS = [
    (Recovery((REGISTER,), (), serves=True), "it stays in service, or returns to it"),
    (Recovery((), (), serves=True), "it stays in service, or returns to it"),
    (
        Recovery((), (SwitchRelease(HOST, WEB, OLD, "0" * 12), REGISTER), serves=True),
        f"it goes back to {OLD}",
    ),
    (
        Recovery((), (ReviveUnit(HOST, WEB, "web.service"), REGISTER), serves=True),
        "it goes back to web.service",
    ),
    (Recovery((), (), serves=False), "there is nothing to go back to"),
]


@pytest.mark.parametrize(("recovery", "goal"), GOALS)
def test_a_recovery_says_what_it_leads_to(recovery: Recovery, goal: str) -> None:
    failure = Failure(HOST, "prove", "host-1: it broke")
    event = as_events.recovery_began(failure, recovery, {"web": (builders.group(),)})
    assert event.goal.startswith(goal)
    assert event.steps == tuple(map(str, recovery.steps))
    assert tuple(each.text for each in event.planned) == event.steps


def test_a_time_that_cannot_be_reckoned_stops_no_recovery() -> None:
    """The host is out of service while its recovery does not begin."""
    steps = (WaitHealthy(HOST, WEB), REGISTER)
    failure = Failure(HOST, "prove", "host-1: it broke")
    event = as_events.recovery_began(failure, Recovery((), steps, serves=True), {})
    assert (event.steps, event.planned) == (tuple(map(str, steps)), ())
