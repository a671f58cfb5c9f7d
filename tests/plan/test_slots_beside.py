"""A host counts once, whatever a surge left beside its slot in use: a drained target is none."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import builders
import pytest
from builders import HEALTHY, UNHEALTHY

from deploy.aws.targets import GONE, Health, State, Target
from deploy.errors import BadInput
from deploy.plan import assembly, capacity, preflight
from deploy.plan.capacity import InService
from deploy.recovery import repair
from deploy.survey.slot import Slot, UnitState

if TYPE_CHECKING:
    from deploy.survey.facts import HostFacts, Survey

DRAINING = Health(State.DRAINING, "Target.DeregistrationInProgress")
WEB = builders.app("web", 5000, 5001)
OLD, NEW = WEB.slots
STOPPED = Slot(unit_state=UnitState("loaded", "inactive", "dead", "disabled"))


def after_surge(number: int, zone: str = "eu-west-1a") -> HostFacts:
    """A host whose second slot serves since a moment ago; the first one is stopped."""
    unit = builders.unit(NEW.unit_name)
    return builders.facts(
        number,
        {"web": builders.slot(rendered=unit)},
        zone,
        spares={"web": STOPPED},
        ports={"web": NEW.port},
    )


def fleet(beside: Health, count: int = 3, **group: Any) -> Survey:
    """Hosts that surged; what the group says of their old slots."""
    hosts = [after_surge(number, f"eu-west-1{'ab'[number % 2]}") for number in range(1, count + 1)]
    seen = builders.survey(hosts, apps=[WEB], **group)
    for number in range(1, count + 1):
        builders.see(seen, OLD, number, beside)
    return seen


def now(seen: Survey) -> InService:
    return InService.of(WEB, seen.groups["web"][0], seen)


@pytest.mark.parametrize(
    ("policy", "least"), [({}, 2), ({"min_in_service": "67%"}, 2), ({"min_in_service": "60%"}, 1)]
)
@pytest.mark.parametrize("beside", [DRAINING, GONE, HEALTHY])
def test_a_rolling_deploy_right_after_a_surge_is_not_refused(
    beside: Health, policy: dict[str, str], least: int
) -> None:
    """Six targets would want five in service, of the three that there are."""
    seen = fleet(beside)
    assert (now(seen).size, now(seen).registered, len(now(seen).healthy)) == (3, 3, 3)
    environment = builders.environment(WEB, rollout=policy)
    made = assembly.make(environment, (builders.offer(WEB, seen.hosts),), seen)
    assert {each for batch in made.minimums for each in batch.values()} == {least}


def test_a_repair_right_after_a_surge_is_not_refused() -> None:
    seen = fleet(DRAINING)
    broken = replace(seen.hosts[0].slots["web"], link="0.9.0-eeeeeeeeeeee")
    seen = replace(seen, hosts=(replace(seen.hosts[0], slots={"web": broken}), *seen.hosts[1:]))
    assert repair.make(builders.environment(WEB), seen).minimums == ({"web-lab": 2},)


def test_a_target_of_no_host_that_drains_is_no_capacity() -> None:
    seen = fleet(GONE)
    seen.health[seen.groups["web"][0].arn][Target("i-0fffffffffffffff0", 5000)] = DRAINING
    assert (now(seen).size, now(seen).registered) == (3, 3)


@pytest.mark.parametrize("is_left_out", [True, False])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (DRAINING, HEALTHY),
        (HEALTHY, HEALTHY),
        (DRAINING, UNHEALTHY),
        (UNHEALTHY, UNHEALTHY),
        (GONE, HEALTHY),
        (GONE, DRAINING),
    ],
)
def test_a_host_that_is_not_asked_counts_once_in_whichever_slot(
    old: Health, new: Health, *, is_left_out: bool
) -> None:
    seen = fleet(GONE)
    builders.see(seen, OLD, 1, old)
    builders.see(seen, NEW, 1, new)
    other = seen.hosts[0].host
    rest = replace(seen, hosts=seen.hosts[1:])
    rest = replace(
        rest, **({"left_out": {other: "x"}} if is_left_out else {"other_hosts": (other,)})
    )
    assert now(rest).size == 3


def test_of_a_host_that_is_not_asked_and_has_no_target_nothing_counts() -> None:
    seen = fleet(GONE)
    builders.see(seen, NEW, 1, GONE)
    rest = replace(seen, hosts=seen.hosts[1:], other_hosts=(seen.hosts[0].host,))
    assert (now(rest).size, now(rest).registered) == (2, 2)


def test_a_zone_is_counted_without_the_slots_beside_those_in_use() -> None:
    """Of two targets in a zone, a half is one: with four, two would have to stay."""
    seen = fleet(DRAINING, 4, zonal=True, least_healthy_percent=50)
    others = tuple(facts.host for facts in seen.hosts[2:])
    asked = replace(seen, hosts=seen.hosts[:2], other_hosts=others)
    batches = [[facts.host] for facts in asked.hosts]
    rollout = builders.environment(WEB).rollout
    capacity.refuse_outage(rollout, [(WEB, batches)], asked, allow_downtime=False)
    sick = fleet(DRAINING, 4, zonal=True, least_healthy_percent=100)
    builders.see(sick, NEW, 3, UNHEALTHY)
    with pytest.raises(BadInput, match="would leave"):
        capacity.refuse_outage(rollout, [(WEB, batches)], sick, allow_downtime=False)


@pytest.mark.parametrize(("beside", "most"), [(DRAINING, 6), (GONE, 6)])
def test_the_quota_counts_a_target_that_drains_and_comes_back_once(
    beside: Health, most: int
) -> None:
    environment = builders.environment(WEB, rollout={"strategy": "surge"})
    preflight.refuse_surge(environment, replace(fleet(beside), most_targets=most))
    with pytest.raises(BadInput, match="would have 6 targets"):
        preflight.refuse_surge(environment, replace(fleet(beside), most_targets=most - 1))
