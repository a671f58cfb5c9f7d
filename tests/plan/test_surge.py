"""Surge: a release starts beside the old one, and nothing that serves stops before it serves."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import builders
import pytest
from builders import HEALTHY, NEW, OLD, UNHEALTHY

from deploy.aws.targets import GONE, Health, State
from deploy.errors import BadInput
from deploy.hosts.records import Record
from deploy.plan import assembly, fitness, host_steps, preflight
from deploy.plan.host_plan import Goal
from deploy.recovery import failed_host, failed_recovery, repair, rollback
from deploy.screen import status
from deploy.settings.scope import Scope
from deploy.survey import gather
from deploy.survey.facts import HostFacts, Survey
from deploy.survey.slot import Listener, Slot, UnitState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from deploy.plan.host_plan import HostPlan
    from deploy.plan.plan import Plan
    from deploy.steps.base import Step

WEB = builders.app("web", 5000, 5001)
FIRST, SECOND = WEB.at(5000), WEB.at(5001)
SURGE = {"strategy": "surge"}
DRAINING = Health(State.DRAINING, "Target.DeregistrationInProgress")
LEGACY = UnitState("loaded", "active", "running", "enabled")

IN_THE_OTHER_SLOT = [
    "SwitchRelease 5001",
    "StartUnit 5001",
    "ProveRelease 5001",
    "RegisterTarget 5001",
    "WaitHealthy 5001",
    "RecordDeployed 5001",
]
OUT_OF_THE_OLD_ONE = [
    "DeregisterTarget 5000",
    "WaitDrained 5000",
    "RetireUnit 5000",
    "ForgetOut 5000",
]


def names(found: Sequence[Step]) -> list[str]:
    return [f"{type(step).__name__} {step.app.port}" for step in found]


def rest(**more: Any) -> Slot:
    """The slot beside the one in use, at rest; it can run what was deployed before."""
    return replace(
        builders.slot(**more), unit_state=UnitState(), running_release="", running_unit_digest=""
    )


def host(number: int = 1, used: Slot | None = None, spare: Slot | None = None) -> HostFacts:
    slots = {"web": used or builders.slot()}
    return builders.facts(number, slots, spares={"web": spare or rest()}, free_memory_kb=1024**2)


def seen(hosts: Sequence[HostFacts], health: Mapping[tuple[int, int], Health]) -> Survey:
    """A survey by host number and port; a first slot that is not told of is healthy."""
    found = builders.survey(hosts, dict.fromkeys((f.host.name for f in hosts), GONE), [WEB])
    for facts in hosts:
        number = int(facts.host.name.partition("-")[2])
        for app in (FIRST, SECOND):
            told = health.get((number, app.port), HEALTHY if app == FIRST else GONE)
            builders.see(found, app, number, told)
    return found


def made(*hosts: HostFacts, health: Mapping[tuple[int, int], Health] | None = None) -> Plan:
    environment = builders.environment(WEB, batch=[1, "100%"], rollout=SURGE)
    return assembly.make(environment, (builders.offer(WEB, hosts),), seen(hosts, health or {}))


def lane_of(facts: HostFacts, health: Mapping[tuple[int, int], Health] | None = None) -> HostPlan:
    environment = builders.environment(WEB, rollout=SURGE)
    goal = Goal(seen([facts], health or {}).on(facts.host, WEB), NEW, "d" * 12)
    return host_steps.laid([goal], environment)


def test_the_old_release_leaves_only_when_the_new_one_serves() -> None:
    host_plan = lane_of(host())
    assert names(host_plan.steps) == IN_THE_OTHER_SLOT
    assert names(host_plan.after) == OUT_OF_THE_OLD_ONE


def test_a_host_goes_back_to_its_first_slot_with_the_next_release() -> None:
    facts = replace(host(), ports={"web": 5001})
    host_plan = lane_of(facts, {(1, 5000): GONE, (1, 5001): HEALTHY})
    assert {step.app.port for step in host_plan.steps} == {5000}
    assert {step.app.port for step in host_plan.after} == {5001}


def test_the_whole_fleet_goes_after_a_canary_and_one_host_needs_no_downtime() -> None:
    found = made(*(host(number) for number in range(1, 6)))
    assert [len(batch) for batch in found.batches] == [1, 4]
    assert found.minimums == ({}, {})
    assert "surge, batch 1, 100%" in found.title
    assert [len(batch) for batch in made(host()).batches] == [1]


def test_an_old_slot_drains_until_it_is_quiet_where_that_is_wanted() -> None:
    listening = builders.slot(listeners=(Listener(100, "web@5000.service", "web"),))
    facts = host(used=listening)
    environment = builders.environment(WEB, rollout=SURGE | {"drain": "quiet"})
    goal = Goal(seen([facts], {}).on(facts.host, WEB), NEW, "d" * 12)
    host_plan = host_steps.laid([goal], environment)
    assert str(host_plan.after[1]) == "drain :5000 until quiet, 15 to 20 s"
    assert not getattr(host_plan.after[1], "heeds_stop", True)


def test_both_slots_units_are_staged() -> None:
    staged = made(host()).staging[0].steps[-1]
    assert "verify web@5000.service (" in str(staged)
    assert ") and web@5001.service (" in str(staged)


def test_what_does_not_run_has_nothing_to_keep_in_service() -> None:
    facts = host(used=Slot(), spare=Slot())
    host_plan = lane_of(facts, {(1, 5000): UNHEALTHY})
    assert {step.app.port for step in host_plan.steps} == {5000}
    assert host_plan.after == ()
    assert not host_plan.surged


def test_the_unit_of_before_serves_until_the_app_does() -> None:
    app = builders.app("web", 5000, 5001, replaces="legacy.service")
    facts = host(used=Slot(replaces=LEGACY), spare=Slot(replaces=LEGACY))
    environment = builders.environment(app, rollout=SURGE)
    goal = Goal(seen([facts], {}).on(facts.host, app), NEW, "d" * 12)
    host_plan = host_steps.laid([goal], environment)
    assert names(host_plan.steps) == IN_THE_OTHER_SLOT
    assert names(host_plan.after) == OUT_OF_THE_OLD_ONE
    assert "legacy.service, which the app replaces" in str(host_plan.after[2])


def test_p1_an_old_slot_that_is_out_and_runs_is_looked_at_before_it_is_ended() -> None:
    host_plan = lane_of(host(), {(1, 5000): GONE})
    assert names(host_plan.after) == ["WaitDrained 5000", "RetireUnit 5000", "ForgetOut 5000"]
    assert str(host_plan.after[0]) == "see for 15 s that no requests reach web@5000.service"


def test_p1_the_unit_of_before_that_runs_beside_a_slot_is_looked_at_too() -> None:
    app = builders.app("web", 5000, 5001, replaces="legacy.service")
    used, first = builders.slot(), Slot(replaces=LEGACY)
    facts = builders.facts(1, {"web": used}, spares={"web": first})
    environment = builders.environment(app, rollout=SURGE)
    on = builders.survey([facts], {"host-1": HEALTHY}, apps=[app]).on(facts.host, app)
    assert on.spare
    at = replace(
        on, spare=replace(on.spare, slot=replace(first, history=used.history), app=app.at(5000))
    )
    steps = host_steps.left_over(replace(at, app=app.at(5001)), environment)
    assert names(steps) == ["WaitDrained 5000", "RetireUnit 5000", "ForgetOut 5000"]


WITHDRAWN = {
    "SwitchRelease": ["RetireUnit 5001", "ForgetOut 5001"],
    "StartUnit": ["MarkBad 5001", "RetireUnit 5001", "ForgetOut 5001"],
    "ProveRelease": ["MarkBad 5001", "RetireUnit 5001", "ForgetOut 5001"],
    "WaitHealthy": [
        "DeregisterTarget 5001",
        "WaitDrained 5001",
        "MarkBad 5001",
        "RetireUnit 5001",
        "ForgetOut 5001",
    ],
    "RecordDeployed": OUT_OF_THE_OLD_ONE,
}


@pytest.mark.parametrize(("failing", "expected"), WITHDRAWN.items(), ids=WITHDRAWN)
def test_a_new_slot_that_fails_is_ended_and_the_old_one_was_never_touched(
    failing: str, expected: list[str]
) -> None:
    host_plan = lane_of(host())
    step = next(step for step in host_plan.steps if type(step).__name__ == failing)
    way = failed_host.recovery_of(host_plan, step)
    assert names(way.steps) == expected
    assert way.serves


def test_a_stop_before_it_is_enrolled_ends_the_new_slot_and_marks_nothing() -> None:
    host_plan = lane_of(host())
    may = [type(step).__name__ for step in host_plan.steps if host_plan.may_stop_before(step)]
    assert may == ["SwitchRelease", "StartUnit", "ProveRelease", "RegisterTarget"]
    way = failed_host.recovery_of(host_plan, host_plan.steps[2], still_runs=True)
    assert names(way.steps) == ["RetireUnit 5001", "ForgetOut 5001"]


def test_what_cannot_be_ended_is_told_and_the_host_serves_on() -> None:
    host_plan = lane_of(host())
    way = failed_host.recovery_of(host_plan, host_plan.steps[2])
    other = failed_recovery.instead(host_plan, way.steps[-1], is_bad=True)
    assert other
    assert (other.steps, other.serves) == ((), True)


def test_an_old_slot_that_was_out_is_not_said_to_serve() -> None:
    """As a first install leaves it that failed: it runs, and is in no load balancer."""
    host_plan = lane_of(host(), {(1, 5000): GONE})
    assert host_plan.surged
    way = failed_host.recovery_of(host_plan, host_plan.steps[2])
    assert not way.serves
    other = failed_recovery.instead(host_plan, way.steps[-1], is_bad=True)
    assert other
    assert not other.serves


def test_an_old_slot_that_cannot_be_ended_in_a_way_out_is_left_beside_one_that_serves() -> None:
    """Though it was in no load balancer itself: by then the new one is."""
    host_plan = lane_of(host(), {(1, 5000): GONE})
    for step in host_plan.after:
        other = failed_recovery.instead(host_plan, step, is_bad=True)
        assert other
        assert (other.steps, other.serves, other.leaves) == ((), True, True)


LEFT: dict[str, tuple[Slot, Health, list[str]]] = {
    "at rest": (rest(), GONE, []),
    "at rest, its target not yet gone": (rest(), DRAINING, []),
    "started": (builders.slot(NEW), GONE, ["RetireUnit 5001", "ForgetOut 5001"]),
    "enrolled": (
        builders.slot(NEW),
        HEALTHY,
        ["DeregisterTarget 5001", "WaitDrained 5001", "RetireUnit 5001", "ForgetOut 5001"],
    ),
    "leaving": (
        builders.slot(NEW, out="{}"),
        DRAINING,
        ["WaitDrained 5001", "RetireUnit 5001", "ForgetOut 5001"],
    ),
    "stopped, not forgotten": (rest(out="{}"), GONE, ["ForgetOut 5001"]),
}


@pytest.mark.parametrize(("spare", "health", "expected"), LEFT.values(), ids=LEFT)
def test_a_slot_that_a_killed_deploy_left_is_ended_first(
    spare: Slot, health: Health, expected: list[str]
) -> None:
    hosts = [host(1, spare=spare), host(2)]
    told = {(1, 5001): health}
    mended = repair.make(builders.environment(WEB, rollout=SURGE), seen(hosts, told))
    assert names(mended.steps) == expected
    found = made(*hosts, health=told)
    first = names(found.batches[0][0].steps)
    assert first == (expected or IN_THE_OTHER_SLOT)


@pytest.mark.parametrize("used", [HEALTHY, GONE], ids=["serves", "is out"])
def test_a_slot_left_over_that_cannot_be_ended_says_whether_the_one_in_use_serves(
    used: Health,
) -> None:
    host_plan = made(host(spare=builders.slot(NEW)), health={(1, 5000): used, (1, 5001): HEALTHY})
    ended = host_plan.batches[0][0]
    assert names(ended.steps)[0] == "DeregisterTarget 5001"
    way = failed_host.recovery_of(ended, ended.steps[0])
    assert way.serves is (used is HEALTHY)
    assert way.leaves


@pytest.mark.parametrize("history", [(Record(NEW, "u"),), ()], ids=["recorded", "cut off before"])
def test_a_unit_of_before_is_ended_once_a_release_serves_in_the_other_slot(
    history: tuple[Record, ...],
) -> None:
    app = builders.app("web", 5000, 5001, replaces="legacy.service")
    told: dict[str, Any] = {"history": history, "replaces": LEGACY}
    facts = replace(host(used=builders.slot(NEW, **told), spare=Slot(**told)), ports={"web": 5001})
    found = seen([facts], {(1, 5000): HEALTHY, (1, 5001): HEALTHY})
    steps = host_steps.left_over(found.on(facts.host, app), builders.environment(app))
    assert names(steps) == OUT_OF_THE_OLD_ONE
    assert "legacy.service" in str(steps[2])
    leaving = seen([facts], {(1, 5000): DRAINING, (1, 5001): HEALTHY})
    steps = host_steps.left_over(leaving.on(facts.host, app), builders.environment(app))
    assert names(steps) == OUT_OF_THE_OLD_ONE[1:]


def settled(first: Slot, second: Slot, health: Mapping[tuple[int, int], Health]) -> int:
    facts = host(used=first, spare=second)
    return gather.settle(facts, [WEB], seen([facts], health)).at(WEB).port


def test_the_slot_in_use_is_the_one_that_serves_what_was_deployed_last() -> None:
    past = (Record(OLD, "u"), Record(NEW, "u"))
    old, new = builders.slot(OLD, history=past), builders.slot(NEW, history=past)
    both = {(1, 5000): HEALTHY, (1, 5001): HEALTHY}
    assert settled(old, new, both) == 5001
    assert settled(new, old, both) == 5000
    assert settled(old, rest(history=past), {}) == 5000
    assert settled(rest(history=past), old, {(1, 5000): GONE}) == 5001
    before = (Record(OLD, "u"),)
    started = builders.slot(NEW, history=before)
    assert settled(builders.slot(OLD, history=before), started, both) == 5000
    assert settled(Slot(), Slot(), {}) == 5000


def test_of_two_slots_that_are_not_healthy_the_one_in_the_load_balancer_is_in_use() -> None:
    """Where all are unhealthy it fails open, so that one serves."""
    both = {(1, 5000): GONE, (1, 5001): Health(State.UNHEALTHY)}
    assert settled(builders.slot(NEW), builders.slot(NEW), both) == 5001
    assert settled(builders.slot(OLD), builders.slot(NEW), {}) == 5000


def test_two_slots_that_run_are_told_and_are_not_well() -> None:
    facts = host(spare=builders.slot(NEW))
    told = status.overview(builders.environment(WEB), seen([facts], {(1, 5001): HEALTHY}))
    row = told.rows[0]
    assert (row.port, row.release, row.beside, row.current) == (5000, OLD, NEW, False)
    assert row.note == f"web@5001.service is left beside it (healthy, {NEW})"
    assert told.is_mixed


def test_a_plan_and_the_status_mean_the_same_by_mixed() -> None:
    facts = host(spare=builders.slot(NEW))
    assert made(facts, health={(1, 5001): HEALTHY}).mixed
    app = builders.app("web", 5000, 5001, replaces="legacy.service")
    facts = host(used=Slot(replaces=LEGACY), spare=builders.slot(NEW, replaces=LEGACY))
    both = seen([facts], {(1, 5000): HEALTHY, (1, 5001): HEALTHY})
    assert status.overview(builders.environment(app), both).is_mixed


def test_a_unit_of_before_that_runs_beside_a_release_is_told_and_is_not_well() -> None:
    app = builders.app("web", 5000, 5001, replaces="legacy.service")
    facts = host(used=builders.slot(NEW, replaces=LEGACY), spare=Slot(replaces=LEGACY))
    facts = replace(facts, ports={"web": 5001})
    seen_so = seen([facts], {(1, 5000): HEALTHY, (1, 5001): HEALTHY})
    told = status.overview(builders.environment(app), seen_so)
    row = told.rows[0]
    assert (row.port, row.release, row.beside, row.current) == (5001, NEW, "legacy.service", False)
    assert "web@5000.service is left beside it (healthy, legacy.service)" in row.note
    assert told.is_mixed


def test_a_rollback_takes_the_other_slot_again() -> None:
    unit = builders.unit()
    past = (Record(OLD, unit.digest), Record(NEW, unit.digest))
    kept = frozenset(record.kept for record in past)
    lying: dict[str, Any] = {"history": past, "kept": kept, "releases": (OLD, NEW)}
    facts = host(used=builders.slot(NEW, unit, **lying), spare=rest(**lying))
    environment = builders.environment(WEB, rollout=SURGE)
    found = rollback.make(environment, seen([facts], {}))
    assert names(found.batches[0][0].steps) == ["MarkBad 5000", *IN_THE_OTHER_SLOT]
    missing = replace(facts, spares={"web": rest(**(lying | {"kept": frozenset()}))})
    with pytest.raises(BadInput, match=f"{OLD} is not on host-1 any more"):
        rollback.make(environment, seen([missing], {}))


def refusal(facts: HostFacts, **changes: Any) -> str:
    group = {key: changes.pop(key) for key in ("health_port",) if key in changes}
    found = replace(seen([facts], {}), **changes)
    groups = {"web": tuple(replace(each, **group) for each in found.groups["web"])}
    environment = builders.environment(WEB, rollout=SURGE)
    surveyed = replace(found, groups=groups)
    with pytest.raises(BadInput) as refused:
        preflight.check(environment, surveyed, (), Scope("lab"), {}, is_default=False)
    return str(refused.value)


def two_apps(**internal: Any) -> Survey:
    """A host with two apps of one target each, in a group each."""
    web, api = WEB, builders.app("api", 6000, 6001)
    facts = builders.facts(1, {each.name: builders.slot() for each in (web, api)})
    facts = replace(facts, spares={each.name: rest() for each in (web, api)})
    found = builders.survey([facts], apps=[web, api])
    groups = dict(found.groups)
    groups["api"] = tuple(replace(each, **internal) for each in groups["api"])
    return replace(found, groups=groups)


@pytest.mark.parametrize(
    ("most", "internal", "is_refused"),
    [(4, {}, False), (3, {}, True), (3, {"load_balancers": ("internal",)}, False)],
)
def test_the_quota_of_targets_is_one_of_all_groups_of_a_load_balancer(
    most: int, internal: dict[str, Any], *, is_refused: bool
) -> None:
    environment = builders.environment(WEB, builders.app("api", 6000, 6001), rollout=SURGE)
    survey = replace(two_apps(**internal), most_targets=most)
    if not is_refused:
        preflight.refuse_surge(environment, survey)
        return
    with pytest.raises(BadInput) as refused:
        preflight.refuse_surge(environment, survey)
    assert "load balancer app/edge/1 would have 4 targets (in web-lab, api-lab)" in str(
        refused.value
    )


def test_surge_is_refused_where_two_releases_cannot_run_side_by_side() -> None:
    assert "checks every target's port 8080" in refusal(host(), health_port="8080")
    assert "would have 2 targets (in web-lab), and the account's quota is 1" in refusal(
        host(), most_targets=1
    )
    hungry = host(used=builders.slot(memory_kb=2 * 1024**2))
    assert "no memory for two of web: it holds 2048 MiB, 1024 MiB are free" in refusal(hungry)
    taken = rest(listeners=(Listener(7, "nginx.service", "nginx"),))
    (problem,) = fitness.unfit((WEB,), seen([host(spare=taken)], {}))["host-1"]
    assert "port 5001 of web is held by nginx.service (pid 7" in problem
    preflight.refuse_surge(builders.environment(WEB, rollout=SURGE), seen([host()], {}))
    rolling = builders.environment(WEB)
    assert fitness.cramped(rolling, seen([hungry], {})) == {}
