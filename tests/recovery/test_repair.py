"""(settings, survey) → the plan that mends: whatever a deploy left that was killed somewhere."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import builders
import pytest
from builders import HEALTHY, NEW, OLD, UNHEALTHY

from deploy.aws.targets import GONE, Health, State, Target
from deploy.hosts.records import Record
from deploy.recovery import failed_host, failed_recovery, repair
from deploy.survey.app_on_host import target_of
from deploy.survey.slot import Slot, UnitState

if TYPE_CHECKING:
    from deploy.plan.plan import Plan

NEW_UNIT = builders.unit(text=f"[Service]\n# {NEW}\n")
OLD_UNIT = builders.unit()
DRAINING = Health(State.DRAINING, "Target.DeregistrationInProgress")
INITIAL = Health(State.INITIAL, "Elb.RegistrationInProgress")
NOTE = json.dumps({"target": "i-1:5000"})
PAST = (Record(OLD, OLD_UNIT.digest),)
STOPPED = UnitState("loaded", "inactive", "dead", "enabled")


def slot(**more: Any) -> Slot:
    """The old release at rest, a new one staged beside it."""
    kept = {Record(OLD, OLD_UNIT.digest).kept, Record(NEW, NEW_UNIT.digest).kept}
    given: dict[str, Any] = {"releases": (OLD, NEW), "kept": frozenset(kept)}
    return builders.slot(OLD, OLD_UNIT, **(given | more))


def switched_to_new(**more: Any) -> Slot:
    """The new release's process runs, link and unit are its own, the record is the old one's."""
    given = {
        "link": NEW,
        "running_release": NEW,
        "running_unit_digest": NEW_UNIT.digest,
        "unit_digest": NEW_UNIT.digest,
        "out": NOTE,
    }
    return slot(**(given | more))


def made(broken: Slot, health: Health, **more: Any) -> Plan:
    app = builders.app(**more)
    hosts = [builders.facts(1, {"web": broken}), builders.facts(2, {"web": slot()})]
    seen = builders.survey(hosts, {"host-1": health}, [app])
    return repair.make(builders.environment(app), seen)


def names(plan: Plan) -> list[str]:
    assert {step.host.name for step in plan.steps} <= {"host-1"}, "the other one is well"
    return [type(step).__name__ for step in plan.steps]


IN_AGAIN = ["ProveRelease", "RegisterTarget", "WaitHealthy", "ForgetOut"]
SWITCHED = [
    "SwitchRelease",
    "StartUnit",
    "ProveRelease",
    "RegisterTarget",
    "WaitHealthy",
    "RecordDeployed",
]
LEFT: dict[str, tuple[Slot, Health, list[str]]] = {
    "nothing": (slot(), builders.HEALTHY, []),
    "a note, then killed before it deregistered": (
        slot(out=NOTE),
        builders.HEALTHY,
        ["ProveRelease", "WaitHealthy", "ForgetOut"],
    ),
    "deregistered, still draining": (slot(out=NOTE), DRAINING, IN_AGAIN),
    "drained, the old one runs": (slot(out=NOTE), GONE, IN_AGAIN),
    "stopped": (
        slot(out=NOTE, unit_state=STOPPED, running_release="", running_unit_digest=""),
        GONE,
        ["StopUnit", *SWITCHED],
    ),
    "stopped while it drains": (
        slot(out=NOTE, unit_state=STOPPED, running_release="", running_unit_digest=""),
        DRAINING,
        ["DrainIfBusy", "StopUnit", *SWITCHED],
    ),
    "the link switched, not started": (
        slot(out=NOTE, unit_state=STOPPED, running_release="", running_unit_digest="", link=NEW),
        GONE,
        ["StopUnit", *SWITCHED],
    ),
    "started, not proven": (switched_to_new(), GONE, ["WaitDrained", "StopUnit", *SWITCHED]),
    "enrolled, so it was proven": (
        switched_to_new(),
        INITIAL,
        ["ProveRelease", "WaitHealthy", "RecordDeployed"],
    ),
    "enrolled, and found unhealthy": (
        switched_to_new(),
        UNHEALTHY,
        ["DeregisterTarget", "WaitDrained", "StopUnit", *SWITCHED],
    ),
    "healthy, not recorded": (
        switched_to_new(),
        builders.HEALTHY,
        ["ProveRelease", "WaitHealthy", "RecordDeployed"],
    ),
    "recorded, the note not gone": (
        switched_to_new(history=(*PAST, Record(NEW, NEW_UNIT.digest))),
        builders.HEALTHY,
        ["ProveRelease", "WaitHealthy", "ForgetOut"],
    ),
    "a partial upload": (
        slot(partial={"2.0.0-cccccccccccc": 100}),
        builders.HEALTHY,
        ["RemoveReleases"],
    ),
}


@pytest.mark.parametrize(("broken", "health", "expected"), LEFT.values(), ids=LEFT)
def test_what_was_left_is_mended(broken: Slot, health: Health, expected: list[str]) -> None:
    plan = made(broken, health)
    assert names(plan) == expected
    assert not [text for text in plan.warnings if "host-1" in text]


@pytest.mark.parametrize("replaces", [None, "legacy.service"])
def test_a_first_release_that_serves_and_has_no_record_gets_one(replaces: str | None) -> None:
    """It is not healthy now: its record says to a rollback what there is to undo."""
    at_rest = UnitState("loaded", "inactive", "dead", "disabled")
    first = switched_to_new(history=(), releases=(NEW,), out="", replaces=at_rest)
    plan = made(first, UNHEALTHY, replaces=replaces)
    assert names(plan) == ["RecordDeployed"]
    assert [str(step) for step in plan.steps] == [f"record web {NEW}"]


def test_control_one_whose_unit_was_changed_since_gets_no_record() -> None:
    first = switched_to_new(history=(), releases=(NEW,), out="", running_unit_digest="")
    assert "RecordDeployed" not in names(made(first, UNHEALTHY))


def test_a_switch_that_repair_makes_goes_to_what_was_deployed_last() -> None:
    plan = made(switched_to_new(), GONE)
    step = f"switch slot 5000 and its unit to {OLD} ({OLD_UNIT.digest})"
    assert step in [str(each) for each in plan.steps]
    assert plan.title.startswith("Repair web as last deployed on lab: 2 hosts")


def test_an_address_waits_for_its_drain_before_it_comes_back() -> None:
    app = builders.app()
    hosts = [builders.facts(n, {"web": slot(out=NOTE)}) for n in (1, 2)]
    seen = builders.survey(hosts, target_type="ip")
    for number in (1, 2):
        builders.see(seen, app.at(5000), number, GONE)
    for (group,) in seen.groups.values():
        seen.health[group.arn] = {
            target_of(group, facts.host, app.at(5000)): DRAINING for facts in hosts
        }
    plan = repair.make(builders.environment(app), seen)
    kinds = [type(step).__name__ for step in plan.batches[0][0].steps]
    assert kinds == ["WaitDrained", *IN_AGAIN]


def test_a_unit_of_before_that_was_retired_half_way_comes_back() -> None:
    stopped = UnitState("loaded", "inactive", "dead", "disabled")
    plan = made(Slot(out=NOTE, replaces=stopped), GONE, replaces="legacy.service")
    kinds = names(plan)
    assert kinds == ["ReviveUnit", "ProveRevived", "RegisterTarget", "WaitHealthy", "ForgetOut"]


FIRST = {"history": (), "releases": (NEW,)}
"""What a first deploy leaves that was killed before its end."""
RESTARTING = UnitState("loaded", "activating", "auto-restart", "enabled")
AT_BOOT = UnitState("loaded", "inactive", "dead", "enabled")
AT_REST = UnitState("loaded", "failed", "failed", "disabled")
NO_PROCESS = {"running_release": "", "running_unit_digest": ""}
NEVER_SERVED: dict[str, tuple[Slot, Health, list[str]]] = {
    "taken out first, it runs": (switched_to_new(**FIRST), GONE, ["WaitDrained", "RetireUnit"]),
    "taken out first, it drains": (
        switched_to_new(**FIRST),
        DRAINING,
        ["WaitDrained", "RetireUnit"],
    ),
    "never registered, it runs": (switched_to_new(**FIRST, out=""), GONE, ["RetireUnit"]),
    "it crashes again and again": (
        switched_to_new(**FIRST, **NO_PROCESS, out="", unit_state=RESTARTING),
        GONE,
        ["RetireUnit"],
    ),
    "it would start at the next boot": (
        switched_to_new(**FIRST, **NO_PROCESS, out="", unit_state=AT_BOOT),
        GONE,
        ["RetireUnit"],
    ),
}


@pytest.mark.parametrize(("broken", "health", "expected"), NEVER_SERVED.values(), ids=NEVER_SERVED)
def test_a_first_release_that_never_served_is_ended(
    broken: Slot, health: Health, expected: list[str]
) -> None:
    """Its deploy was killed: it was not proven, or not registered, and nobody else ends it."""
    plan = made(broken, health)
    assert names(plan) == expected
    assert any("was never deployed here" in text for text in plan.warnings)


NOT_ENDED: dict[str, tuple[Slot, Health]] = {
    "it is registered, so it was proven": (switched_to_new(**FIRST), UNHEALTHY),
    "it is at rest already": (
        switched_to_new(**FIRST, **NO_PROCESS, unit_state=AT_REST),
        GONE,
    ),
    "its unit is not ours": (switched_to_new(**FIRST, out="", unit_digest=""), GONE),
}


@pytest.mark.parametrize(("broken", "health"), NOT_ENDED.values(), ids=NOT_ENDED)
def test_control_what_may_have_been_proven_or_is_not_ours_is_not_ended(
    broken: Slot, health: Health
) -> None:
    assert names(made(broken, health)) == []


@pytest.mark.parametrize("failed", [0, 1])
def test_nothing_is_tried_where_what_never_served_cannot_be_ended(failed: int) -> None:
    """It is out of service either way, and the report says so."""
    ((host_plan,),) = made(switched_to_new(**FIRST), GONE).batches
    recovery = failed_host.recovery_of(host_plan, host_plan.steps[failed])
    assert (recovery.steps, recovery.serves) == ((), False)


LOST: dict[str, tuple[Slot, Health, str]] = {
    "nothing was ever deployed": (
        switched_to_new(**FIRST, **NO_PROCESS, unit_state=AT_REST),
        GONE,
        "never deployed here",
    ),
    "its files are gone": (
        switched_to_new(releases=(NEW,)),
        GONE,
        f"{OLD} is not here any more",
    ),
    "all is as deployed and it is sick": (slot(), UNHEALTHY, "is not healthy; see its journal"),
}


@pytest.mark.parametrize(("broken", "health", "words"), LOST.values(), ids=LOST)
def test_what_cannot_be_mended_is_said_and_left_alone(
    broken: Slot, health: Health, words: str
) -> None:
    plan = made(broken, health)
    assert names(plan) == []
    assert any(text.startswith("host-1: web ") and words in text for text in plan.warnings)


def test_hosts_that_are_out_go_in_together_before_those_that_leave_first() -> None:
    out = [builders.facts(n, {"web": slot(out=NOTE)}) for n in (1, 2)]
    broken = [builders.facts(n, {"web": switched_to_new()}) for n in (3, 4)]
    serving = [builders.facts(n, {"web": switched_to_new(unit_digest="")}) for n in (5, 6)]
    states = dict.fromkeys(("host-1", "host-2", "host-3"), GONE) | {"host-4": DRAINING}
    seen = builders.survey([*out, *broken, *serving], states)
    policy = {"min_in_service": 1}
    plan = repair.make(builders.environment(rollout=policy), seen)
    hosts = [[host_plan.host.name for host_plan in batch] for batch in plan.batches]
    assert hosts == [["host-1", "host-2", "host-3", "host-4"], ["host-5"], ["host-6"]]
    windowed = repair.make(builders.environment(batch=None, rollout=policy | {"window": 1}), seen)
    assert [windowed.at_a_time(number) for number in (1, 2)] == [0, 1]


def test_a_window_does_not_make_hosts_that_are_out_return_in_turn() -> None:
    hosts = [builders.facts(n, {"web": slot(out=NOTE)}) for n in (1, 2, 3)]
    seen = builders.survey(hosts, dict.fromkeys(("host-1", "host-2", "host-3"), GONE))
    plan = repair.make(builders.environment(batch=None, rollout={"window": 1}), seen)
    assert (len(plan.batches), plan.at_a_time(1), plan.window) == (1, 0, 0)
    assert plan.seconds == 10.0, "their proofs and health checks, at once"


def test_p2_hosts_of_a_group_without_a_healthy_target_are_repaired_in_turn() -> None:
    """It sends requests to all of them: together they would leave it empty."""
    hosts = [builders.facts(n, {"web": switched_to_new(unit_digest="")}) for n in (1, 2, 3)]
    seen = builders.survey(hosts, dict.fromkeys(("host-1", "host-2", "host-3"), UNHEALTHY))
    plan = repair.make(builders.environment(), seen)
    assert [len(batch) for batch in plan.batches] == [1, 1, 1]


def test_a_host_returns_in_turn_where_another_app_of_it_serves_and_is_switched() -> None:
    apps = (builders.app(), builders.app("api", 6000))
    broken = {
        "web": switched_to_new(),
        "api": builders.slot(rendered=builders.unit("api@6000.service")),
    }
    wrong = replace(broken["api"], link=NEW, unit_digest="", out=NOTE)
    hosts = [builders.facts(1, broken), builders.facts(2, broken | {"api": wrong})]
    hosts.append(builders.facts(3, {"web": slot(), "api": broken["api"]}))
    seen = builders.survey(hosts, apps=apps)
    for number in (1, 2):
        builders.see(seen, apps[0].at(5000), number, GONE)
    plan = repair.make(builders.environment(*apps, rollout={"min_in_service": 1}), seen)
    first, *rest = [[each.host.name for each in batch] for batch in plan.batches]
    assert first == ["host-1"], "on which nothing else is touched"
    assert rest == [["host-2"], ["host-2"]], "the sick app apart"


@pytest.mark.parametrize(("active", "batches"), [("inactive", [3]), ("active", [1, 1, 1])])
def test_workers_that_are_down_start_together_and_those_that_run_in_turn(
    active: str, batches: list[int]
) -> None:
    worker = builders.worker()
    state = UnitState("loaded", active, "x", "enabled", 0)
    left = slot(unit_state=state, link=NEW, out=NOTE)
    seen = builders.survey([builders.facts(n, {"jobs": left}) for n in (1, 2, 3)], apps=[worker])
    plan = repair.make(builders.environment(worker), seen)
    assert [len(batch) for batch in plan.batches] == batches


def test_a_sick_release_leaves_the_group_before_the_unit_of_before_takes_its_place() -> None:
    legacy = UnitState("loaded", "inactive", "dead", "disabled")
    sick = switched_to_new(history=(), replaces=legacy)
    plan = made(sick, UNHEALTHY, replaces="legacy.service")
    revived = ["ReviveUnit", "ProveRevived", "RegisterTarget", "WaitHealthy", "ForgetOut"]
    assert names(plan) == ["DeregisterTarget", "WaitDrained", *revived]


@pytest.mark.parametrize(
    ("sick", "health", "first"),
    [
        (switched_to_new(history=()), GONE, ["see for 15 s that no requests reach"]),
        (switched_to_new(history=()), DRAINING, ["drain 20 s"]),
        (Slot(out=NOTE), GONE, []),
    ],
    ids=["out", "draining", "nothing runs"],
)
def test_p1_what_runs_is_looked_at_before_the_unit_of_before_takes_its_place(
    sick: Slot, health: Health, first: list[str]
) -> None:
    legacy = UnitState("loaded", "inactive", "dead", "disabled")
    plan = made(replace(sick, replaces=legacy), health, replaces="legacy.service")
    steps = plan.batches[0][0].steps
    revived = next(n for n, step in enumerate(steps) if type(step).__name__ == "ReviveUnit")
    assert len(first) == revived
    for step, text in zip(steps, first, strict=False):
        assert str(step).startswith(text)


def test_a_unit_of_before_that_serves_is_proven_and_its_note_falls() -> None:
    running = UnitState("loaded", "active", "running", "enabled")
    plan = made(Slot(replaces=running, out=NOTE), HEALTHY, replaces="legacy.service")
    assert names(plan) == ["ProveRevived", "WaitHealthy", "ForgetOut"]


def test_a_unit_of_before_that_cannot_be_proven_is_not_registered() -> None:
    legacy = UnitState("loaded", "inactive", "dead", "disabled")
    sick = switched_to_new(history=(), replaces=legacy)
    host_plan = made(sick, UNHEALTHY, replaces="legacy.service").batches[0][0]
    failed = next(step for step in host_plan.steps if type(step).__name__ == "ProveRevived")
    way = failed_host.recovery_of(host_plan, failed)
    assert (way.steps, way.serves) == ((), False)


def test_of_two_apps_each_is_mended_whatever_becomes_of_the_other() -> None:
    apps = builders.app(), builders.app("admin", 5100)
    left = slot(out=NOTE)
    facts = builders.facts(1, {"web": left, "admin": left})
    plan = repair.make(
        builders.environment(*apps), builders.survey([facts], {"host-1": GONE}, apps)
    )
    (host_plan,) = plan.batches[0]
    assert [type(step).__name__ for step in host_plan.steps] == IN_AGAIN * 2
    proof, *_, last = host_plan.steps
    way = failed_host.recovery_of(host_plan, proof)
    assert way.steps == tuple(step for step in host_plan.steps if step.app.name == "admin")
    assert not way.serves
    other = failed_recovery.instead(host_plan, way.steps[1], is_bad=True)
    assert other
    assert (other.steps, other.serves) == ((), False)
    stopped = failed_host.recovery_of(host_plan, proof, still_runs=True)
    assert stopped.steps == ()
    assert failed_host.recovery_of(host_plan, last).steps == ()


@pytest.mark.parametrize("health", [GONE, HEALTHY])
def test_a_note_that_stays_leaves_a_host_in_that_repair_put_in(health: Health) -> None:
    host_plan = made(slot(out=NOTE), health).batches[0][0]
    assert type(host_plan.steps[-1]).__name__ == "ForgetOut"
    way = failed_host.recovery_of(host_plan, host_plan.steps[-1], is_bad=False)
    assert (way.steps, way.serves, way.leaves) == ((), True, False)
    before = failed_host.recovery_of(host_plan, host_plan.steps[0], is_bad=False)
    assert before.serves is (health is HEALTHY)


def test_p10_what_somebody_took_out_by_hand_is_left_alone_and_named() -> None:
    hosts = [builders.facts(n, {"web": slot()}) for n in (1, 2)]
    seen = builders.survey(hosts, {"host-1": GONE})
    plan = repair.make(builders.environment(), seen)
    assert plan.batches == ()
    assert "host-1: web was taken out of web-lab by hand, so it stays out" in "\n".join(
        plan.warnings
    )


def test_p1_what_the_group_has_on_another_port_is_named_and_not_to_be_joined() -> None:
    seen = builders.survey([builders.facts(n, {"web": slot()}) for n in (1, 2)], {"host-1": GONE})
    target = Target(builders.host().instance_id, 80)
    seen.health[builders.group().arn][target] = HEALTHY
    plan = repair.make(builders.environment(), seen)
    assert plan.batches == ()
    warned = "\n".join(plan.warnings)
    assert f"host-1: web is in web-lab ({target}), and not on its own port there" in warned
    assert "--join" not in warned


def test_an_app_that_is_out_of_one_of_its_groups_is_proven_and_registered_again() -> None:
    web = builders.app(target_groups=["public", "internal"])
    hosts = [builders.facts(n, {"web": slot(out=NOTE)}) for n in (1, 2)]
    seen = builders.survey(hosts, apps=[web])
    internal = seen.groups["web"][1]
    seen.health[internal.arn].clear()
    plan = repair.make(builders.environment(web), seen)
    kinds = [type(step).__name__ for step in plan.batches[0][0].steps]
    assert kinds == IN_AGAIN
