"""An adoption is undone: the previous unit is a release like any other, and is returned to."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import builders
import pytest
from builders import HEALTHY, NEW, OLD, UNHEALTHY

from deploy.aws.targets import GONE, Health, State
from deploy.commands.take_back import good_before, merged
from deploy.errors import BadInput
from deploy.hosts.records import Kind, Record
from deploy.plan import assembly, host_steps, staging
from deploy.plan.host_plan import Goal
from deploy.recovery import failed_host, failed_recovery, previous_unit, repair, rollback
from deploy.run.report import ExitCode, Outcome, Report
from deploy.screen import status
from deploy.settings.scope import Scope
from deploy.steps.records import MarkBad, RecordDeployed
from deploy.survey import gather
from deploy.survey.slot import Slot, UnitState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from deploy.plan.host_plan import HostPlan
    from deploy.plan.plan import Plan
    from deploy.settings.app import App
    from deploy.settings.environment import Environment
    from deploy.steps.base import Step
    from deploy.survey.facts import HostFacts, Survey

UNIT = "legacy.service"
WEB = builders.app(replaces=UNIT)
TWO = builders.app("web", 5000, 5001, replaces=UNIT)
SURGE = {"strategy": "surge"}
SERVES = UnitState("loaded", "active", "running", "enabled")
RETIRED = UnitState("loaded", "inactive", "dead", "disabled")
ABSENT = UnitState()
NOTE = json.dumps({"target": "i-1:5000"})
DRAINING = Health(State.DRAINING, "Target.DeregistrationInProgress")
RETURNED = Record.of_previous(UNIT)
PUT_BACK = ["RetireUnit", "StopUnit", "SwitchRelease", "StartUnit", "ProveRelease"]
IN_AGAIN = ["RegisterTarget", "WaitHealthy", "ForgetOut"]
UNDONE = [
    *("MarkBad", "DeregisterTarget", "WaitDrained", "StopUnit", "ReviveUnit", "ProveRevived"),
    *("RegisterTarget", "WaitHealthy", "RecordDeployed"),
]


def adopted(**more: Any) -> Slot:
    """A release took the previous unit's place."""
    given: dict[str, Any] = {"replaces": RETIRED, "previous_name": UNIT}
    return builders.slot(**(given | more))


def untouched(**more: Any) -> Slot:
    """The previous unit serves, as before any deploy."""
    given: dict[str, Any] = {"replaces": SERVES, "previous_name": UNIT}
    return Slot(**(given | more))


def failed() -> Slot:
    """The release was tried, and the previous unit got its place back."""
    stopped = UnitState("loaded", "inactive", "dead", "disabled")
    left = {"unit_state": stopped, "running_release": "", "running_unit_digest": ""}
    return adopted(**left, history=(), bad=frozenset({OLD}), replaces=SERVES)


def returned(**more: Any) -> Slot:
    """The adoption was undone here."""
    past = (*builders.slot().history, RETURNED)
    return replace(failed(), history=past, **more)


def environment(*apps: App, **more: Any) -> Environment:
    return builders.environment(*(apps or (WEB,)), **more)


def seen(*slots: Slot, apps: Sequence[App] = (WEB,), health: Any = None) -> Survey:
    return builders.survey(fleet(*slots), health, apps)


def fleet(*slots: Slot) -> list[HostFacts]:
    return [builders.facts(number, {"web": one}) for number, one in enumerate(slots, start=1)]


def names(found: Sequence[Step]) -> list[str]:
    return [type(step).__name__ for step in found]


def of_host(plan: Plan, number: int) -> list[str]:
    return names([step for step in plan.steps if step.host.name == f"host-{number}"])


HALF = (adopted(), failed(), untouched())


@pytest.mark.parametrize("to", [None, UNIT])
def test_a_half_finished_adoption_goes_back_to_the_previous_unit(to: str | None) -> None:
    plan = rollback.make(environment(), seen(*HALF), to)
    assert plan.title.startswith(f"Roll back web {UNIT} on lab: 3 hosts")
    assert of_host(plan, 1) == UNDONE
    assert of_host(plan, 2) == of_host(plan, 3) == ["ProveStillPrevious"]
    (record,) = [step for step in plan.steps if isinstance(step, RecordDeployed)]
    assert (record.release, record.unit_digest, record.kind) == (UNIT, "", Kind.ROLLBACK)
    (mark,) = [step for step in plan.steps if isinstance(step, MarkBad)]
    assert mark.release == OLD
    assert not plan.changes_nothing


def test_a_unit_that_something_else_starts_is_left_alone_until_it_was_replaced() -> None:
    by_hand = untouched(replaces=replace(SERVES, enabled="disabled"))
    plan = rollback.make(environment(), seen(adopted(), by_hand, by_hand))
    assert of_host(plan, 2) == ["ProveStillPrevious"]
    off = returned(replaces=replace(SERVES, enabled="disabled"))
    plan = rollback.make(environment(), seen(adopted(), off, by_hand))
    assert "ReviveUnit" in of_host(plan, 2), "it would not come back after a boot"


def test_a_finished_adoption_is_undone_batch_by_batch_under_the_policy() -> None:
    plan = rollback.make(environment(), seen(adopted(), adopted()))
    assert [len(batch) for batch in plan.batches] == [1, 1]
    assert all(names(each.steps) == UNDONE for batch in plan.batches for each in batch)
    with pytest.raises(BadInput, match="would leave no target"):
        rollback.make(environment(), seen(adopted()))


def test_a_fleet_that_was_taken_back_only_proves_and_a_second_rollback_has_nothing() -> None:
    back = seen(returned(), failed(), untouched())
    assert rollback.make(environment(), back, UNIT).changes_nothing
    with pytest.raises(BadInput, match=f"nothing was deployed in place of {UNIT}") as raised:
        rollback.make(environment(), back)
    assert str(raised.value).endswith(f"with --to {UNIT} every host goes to it")


def test_the_newest_release_goes_back_to_the_one_before_it_and_not_to_the_previous_unit() -> None:
    past = (Record(OLD, "a" * 12), Record(NEW, builders.unit().digest))
    kept = frozenset(record.kept for record in past)
    two = adopted(
        release=NEW, releases=(OLD, NEW), history=past, kept=kept, unit_digest="", link=NEW
    )
    plan = rollback.make(environment(), seen(two, two))
    assert plan.releases == {"web": OLD}
    assert rollback.make(environment(), seen(two, two), UNIT).releases == {"web": UNIT}


def test_after_an_undo_and_another_deploy_it_is_undone_again() -> None:
    again = (*returned().history, Record(NEW, builders.unit().digest, run="1" * 32))
    slot = adopted(release=NEW, history=again)
    plan = rollback.make(environment(), seen(slot, slot))
    assert plan.releases == {"web": UNIT}


def test_a_host_without_the_unit_is_left_out_and_named() -> None:
    bare = adopted(replaces=ABSENT)
    with pytest.raises(BadInput, match=f"host-2: web: {UNIT} is not on host-2 any more") as raised:
        rollback.make(environment(), seen(adopted(), bare, adopted()))
    assert "--skip-host host-2" in str(raised.value)
    lenient = environment(rollout={"max_failures": 1})
    plan = rollback.make(lenient, seen(adopted(), bare, adopted()))
    assert [host.name for host in plan.left_out] == ["host-2"]


def test_a_unit_that_the_settings_do_not_name_is_refused_by_name() -> None:
    with pytest.raises(BadInput, match=r"other\.service: is not the unit under `replaces:`"):
        rollback.make(environment(), seen(adopted(), adopted()), "other.service")


def test_of_several_apps_only_that_which_replaces_it_goes_back() -> None:
    api = builders.app("api", 5100)
    hosts = [
        builders.facts(number, {"web": adopted(), "api": builders.slot()}) for number in (1, 2)
    ]
    plan = rollback.make(environment(WEB, api), builders.survey(hosts, apps=[WEB, api]), UNIT)
    assert {step.app.name for step in plan.steps} == {"web"}


def test_an_app_that_never_was_adopted_hides_no_run_of_another() -> None:
    api = builders.app("api", 5100)
    past = tuple(Record(release, "a" * 12, run=run) for release, run in ((OLD, "1" * 32),))
    newest = Record(NEW, builders.unit().digest, run="2" * 32)
    kept = frozenset(record.kept for record in (*past, newest))
    slot = builders.slot(NEW, releases=(OLD, NEW), history=(*past, newest), kept=kept)
    hosts = [builders.facts(number, {"web": untouched(), "api": slot}) for number in (1, 2)]
    plan = rollback.make(environment(WEB, api), builders.survey(hosts, apps=[WEB, api]))
    assert plan.releases == {"api": OLD}


def two_slots(first: Slot, second: Slot, health: Mapping[int, Health]) -> Survey:
    """One host whose app has two slots, the first of which has the previous unit's port."""
    facts = builders.facts(1, {"web": first}, spares={"web": second})
    found = builders.survey([facts], apps=[TWO])
    for port in (5000, 5001):
        builders.see(found, TWO.at(port), 1, health.get(port, GONE))
    return replace(found, hosts=tuple(gather.settle(each, [TWO], found) for each in found.hosts))


def second_slot(**more: Any) -> Slot:
    return adopted(**more)


def first_slot(**more: Any) -> Slot:
    """The first slot at rest."""
    return replace(adopted(), unit_state=ABSENT, running_release="", running_unit_digest="", **more)


def with_ports(found: Sequence[Step]) -> list[str]:
    return [f"{type(step).__name__} {step.app.port}" for step in found]


BESIDE = [
    *("ReviveUnit 5000", "ProveRevived 5000", "RegisterTarget 5000", "WaitHealthy 5000"),
    "RecordDeployed 5000",
]
LEFT = ["DeregisterTarget 5001", "WaitDrained 5001", "RetireUnit 5001", "ForgetOut 5001"]


@pytest.mark.parametrize("rollout", [SURGE, {}], ids=["surge", "rolling"])
def test_by_surge_the_previous_unit_starts_beside_the_slot_that_serves(
    rollout: dict[str, str],
) -> None:
    """Adopted by surge, the release has the second port, and the previous unit's port is free."""
    on = two_slots(first_slot(), second_slot(), {5001: HEALTHY})
    plan = rollback.make(environment(TWO, rollout=rollout), on)
    (host_plan,) = plan.batches[0]
    assert with_ports(host_plan.steps) == ["MarkBad 5001", *BESIDE]
    assert with_ports(host_plan.after) == LEFT
    assert not host_plan.switches(TWO), "capacity never drops"


MOVED = [
    *("SwitchRelease 5001", "StartUnit 5001", "ProveRelease 5001", "RegisterTarget 5001"),
    *("WaitHealthy 5001", "ForgetOut 5001"),
]
FREED = ["DeregisterTarget 5000", "WaitDrained 5000", "RetireUnit 5000", "ForgetOut 5000"]


def test_p2_by_surge_a_release_on_the_units_own_port_moves_to_the_other_slot_first() -> None:
    """Each deploy by surge takes the other port: every second release has the unit's own."""
    on = two_slots(adopted(), first_slot(), {5000: HEALTHY})
    move, undo = rollback.make(environment(TWO, rollout=SURGE), on).batches
    assert with_ports(move[0].steps) == MOVED
    assert with_ports(move[0].after) == FREED
    assert with_ports(undo[0].steps) == ["MarkBad 5001", *BESIDE]
    assert with_ports(undo[0].after) == LEFT
    assert not any(each.switches(TWO) for each in (*move, *undo)), "capacity never drops"
    switch = move[0].steps[0]
    assert getattr(switch, "release", "") == OLD


@pytest.mark.parametrize(
    ("first", "second", "health"),
    [
        (adopted(), first_slot(), {5000: UNHEALTHY}),
        (adopted(), first_slot(kept=frozenset()), {5000: HEALTHY}),
        (adopted(unit_digest="e" * 12), first_slot(), {5000: HEALTHY}),
    ],
    ids=["it is sick", "no unit for the other slot", "it is not what was deployed"],
)
def test_one_that_cannot_move_makes_way_as_by_rolling(
    first: Slot, second: Slot, health: dict[int, Health]
) -> None:
    on = two_slots(first, second, health)
    plan = rollback.make(environment(TWO, rollout=SURGE), on, allow_downtime=True)
    (batch,) = plan.batches
    assert names(batch[0].steps) == UNDONE
    assert batch[0].switches(TWO)


@pytest.mark.parametrize("failing", ["ReviveUnit", "ProveRevived", "RegisterTarget", "WaitHealthy"])
def test_p3_where_the_previous_unit_fails_the_release_comes_back(failing: str) -> None:
    on = seen(adopted(), adopted())
    host_plan = rollback.make(environment(), on).batches[0][0]
    step = next(each for each in host_plan.steps if type(each).__name__ == failing)
    way = failed_host.recovery_of(host_plan, step)
    out = ["DeregisterTarget", "WaitDrained"] if failing in UNDONE[-3:-1] else []
    assert names(way.steps) == [*out, *PUT_BACK, *IN_AGAIN]
    assert way.serves
    (again,) = [each for each in way.steps if type(each).__name__ == "ProveRelease"]
    assert getattr(again, "release", "") == OLD


@pytest.mark.parametrize("failing", ["ReviveUnit", "ProveRevived", "WaitHealthy"])
def test_p1_by_surge_a_previous_unit_that_fails_is_withdrawn_and_the_release_serves_on(
    failing: str,
) -> None:
    on = two_slots(first_slot(), second_slot(), {5001: HEALTHY})
    host_plan = rollback.make(environment(TWO, rollout=SURGE), on).batches[0][0]
    step = next(each for each in host_plan.steps if type(each).__name__ == failing)
    way = failed_host.recovery_of(host_plan, step)
    out = ["DeregisterTarget", "WaitDrained"] if failing == "WaitHealthy" else []
    assert names(way.steps) == [*out, "RetireUnit", "ForgetOut"]
    assert str(way.steps[-2]).startswith(f"stop and disable {UNIT}")
    assert {each.app.port for each in way.steps} == {5000}
    assert way.serves
    assert not way.leaves


def test_the_recovery_of_an_undo_has_a_recovery_too() -> None:
    host_plan = rollback.make(environment(), seen(adopted(), adopted())).batches[0][0]
    proof = next(each for each in host_plan.steps if type(each).__name__ == "ProveRevived")
    way = failed_host.recovery_of(host_plan, proof)
    for step in way.steps:
        other = failed_recovery.instead(host_plan, step, is_bad=False)
        assert other is not None
        assert not other.steps


CUT_OFF: dict[str, tuple[Slot, Health, list[str]]] = {
    "while it drained": (
        adopted(out=NOTE),
        DRAINING,
        ["ProveRelease", *IN_AGAIN],
    ),
    "when the release was stopped": (
        adopted(out=NOTE, unit_state=RETIRED, running_release="", running_unit_digest=""),
        GONE,
        [*PUT_BACK[1:], "RegisterTarget", "WaitHealthy", "RecordDeployed"],
    ),
    "when the previous unit was started": (
        replace(failed(), out=NOTE, history=builders.slot().history, bad=frozenset()),
        GONE,
        ["WaitDrained", *PUT_BACK, "RegisterTarget", "WaitHealthy", "RecordDeployed"],
    ),
    "when the previous unit was registered": (
        replace(failed(), out=NOTE, history=builders.slot().history, bad=frozenset()),
        HEALTHY,
        ["ProvePrevious", "WaitHealthy", "RecordDeployed"],
    ),
    "when it was recorded": (returned(), HEALTHY, []),
}


@pytest.mark.parametrize(("left", "health", "expected"), CUT_OFF.values(), ids=CUT_OFF)
def test_p4_an_undo_that_was_cut_off_is_repaired(
    left: Slot, health: Health, expected: list[str]
) -> None:
    on = seen(left, adopted(), health={"host-1": health})
    plan = repair.make(environment(), on)
    found = of_host(plan, 1)
    order = [each for each in found if each not in {"WaitDrained", "RetireUnit", "StopUnit"}]
    wanted = [each for each in expected if each not in {"WaitDrained", "RetireUnit", "StopUnit"}]
    assert order == wanted
    assert ("RetireUnit" in found) == ("RetireUnit" in expected)
    assert of_host(plan, 2) == []
    last = [step for step in plan.steps if isinstance(step, RecordDeployed)]
    if expected[:1] == ["ProvePrevious"]:
        assert [(step.release, step.kind) for step in last] == [(UNIT, Kind.ROLLBACK)]


TAKEN_BACK: dict[str, tuple[Slot, Health, list[str]]] = {
    "it is out, and runs": (
        returned(out=NOTE),
        GONE,
        ["ProvePrevious", *IN_AGAIN],
    ),
    "it is out, and stopped": (
        returned(out=NOTE, replaces=RETIRED),
        GONE,
        ["ReviveUnit", "ProveRevived", *IN_AGAIN],
    ),
    "a boot did not bring it back": (
        returned(replaces=RETIRED),
        UNHEALTHY,
        ["DeregisterTarget", "DrainIfBusy", "ReviveUnit", "ProveRevived", *IN_AGAIN],
    ),
    "it is sick": (returned(), UNHEALTHY, []),
}


@pytest.mark.parametrize(("left", "health", "expected"), TAKEN_BACK.values(), ids=TAKEN_BACK)
def test_p4_what_was_taken_back_is_repaired_like_any_release(
    left: Slot, health: Health, expected: list[str]
) -> None:
    plan = repair.make(environment(), seen(left, adopted(), health={"host-1": health}))
    assert of_host(plan, 1) == expected
    if not expected:
        assert f"host-1: {UNIT} runs and is not healthy; see its journal" in plan.warnings


def test_by_surge_an_undo_that_was_cut_off_leaves_one_slot_in_use() -> None:
    """Not recorded, the release stays in use; recorded, the previous unit does."""
    both = {5000: HEALTHY, 5001: HEALTHY}
    cut = two_slots(first_slot(replaces=SERVES), second_slot(replaces=SERVES), both)
    steps = repair.make(environment(TWO, rollout=SURGE), cut).batches[0][0].steps
    assert with_ports(steps) == [
        *("DeregisterTarget 5000", "WaitDrained 5000", "RetireUnit 5000", "ForgetOut 5000"),
    ]
    past = returned().history
    done = two_slots(
        first_slot(replaces=SERVES, history=past), second_slot(replaces=SERVES, history=past), both
    )
    steps = repair.make(environment(TWO, rollout=SURGE), done).batches[0][0].steps
    assert with_ports(steps) == LEFT


def test_repair_changes_nothing_of_a_half_adopted_fleet_and_says_what_to_type() -> None:
    plan = repair.make(environment(), seen(*HALF), Scope("lab", "repair"))
    assert plan.steps == ()
    (said,) = [text for text in plan.warnings if "To take all" in text]
    assert said == (
        f"web runs {OLD} on host-1 and {UNIT} on host-2, host-3. To take all forward: "
        "inv deploy --env lab --package 1.0.0; to take all back: "
        f"inv rollback --env lab --to {UNIT}"
    )
    assert not any("never deployed" in text for text in plan.warnings)


def test_status_says_what_to_type_and_shows_what_was_taken_back() -> None:
    half = status.overview(environment(), seen(*HALF))
    assert half.exit_code is ExitCode.MIXED
    (note,) = half.notes
    assert f"inv rollback --env lab --to {UNIT}" in note
    back = status.overview(environment(), seen(returned(), returned()))
    assert (back.exit_code, back.notes) == (ExitCode.DONE, ())
    assert [(row.release, row.unit_state) for row in back.rows] == [(UNIT, "active")] * 2
    assert back.versions() == {"web": UNIT}


def test_a_half_adopted_fleet_is_deployed_to_like_any_other() -> None:
    on = seen(*HALF)
    offered = builders.offer(WEB, on.hosts)
    plan = assembly.make(environment(), (offered,), on)
    assert (
        sum("RetireUnit" in names(each.steps) for b in plan.batches for each in b) == len(HALF) - 1
    )
    again = seen(returned(), untouched())
    plan = assembly.make(environment(), (builders.offer(WEB, again.hosts),), again)
    assert all("RetireUnit" in names(each.steps) for b in plan.batches for each in b)
    assert {each.good["web"].release for b in plan.batches for each in b} == {UNIT}


def lane(slot: Slot) -> HostPlan:
    on = seen(slot, slot)
    return host_steps.laid([Goal(on.on(on.hosts[0].host, WEB), NEW, "d" * 12)], environment())


def test_an_adoption_that_fails_after_an_undo_gives_the_place_back_again() -> None:
    for slot in (untouched(), returned()):
        host_plan = lane(slot)
        proof = next(each for each in host_plan.steps if type(each).__name__ == "ProveRelease")
        way = failed_host.recovery_of(host_plan, proof)
        assert names(way.steps) == ["MarkBad", "ReviveUnit", "ProveRevived", *IN_AGAIN]
    dead = lane(returned(replaces=RETIRED))
    proof = next(each for each in dead.steps if type(each).__name__ == "ProveRelease")
    assert "ReviveUnit" in names(failed_host.recovery_of(dead, proof).steps)


def test_on_failure_takes_back_what_this_run_and_an_earlier_one_had_finished() -> None:
    before = seen(adopted(), untouched(), untouched(), untouched())
    offered = builders.offer(WEB, before.hosts, OLD, "[Service]\n")
    plan = assembly.make(environment(), (offered,), before)
    report = Report(plan, {}, deployed=frozenset({("host-2", "web")}))
    assert previous_unit.is_adoption(plan)
    after = seen(adopted(), adopted(), failed(), untouched())
    wanted = previous_unit.with_earlier(environment(), after, plan, good_before(report))
    assert {host: record.release for host, record in wanted["web"].items()} == {
        "host-1": UNIT,
        "host-2": UNIT,
    }
    back = rollback.take_back(environment(), after, wanted)
    assert of_host(back, 1) == of_host(back, 2) == UNDONE
    assert of_host(back, 3) == of_host(back, 4) == []


@pytest.mark.parametrize("before", [Outcome.CURRENT, Outcome.WAITING, Outcome.DONE])
def test_a_host_of_an_earlier_run_that_went_back_is_reported_so(before: Outcome) -> None:
    """It was current, or failed in proving it, and so counts as not reached."""
    now = seen(adopted(), untouched())
    plan = assembly.make(environment(), (builders.offer(WEB, now.hosts),), now)
    first = Report(plan, {"host-1": before, "host-2": Outcome.BACK})
    wanted = {"web": {"host-1": RETURNED}}
    back = rollback.take_back(environment(), now, wanted)
    whole = merged(first, Report(back, {"host-1": Outcome.DONE, "host-2": Outcome.CURRENT}))
    assert whole.outcomes == {"host-1": Outcome.BACK, "host-2": Outcome.BACK}


def test_an_ordinary_deploy_takes_no_earlier_host_back() -> None:
    on = seen(builders.slot(), builders.slot())
    plan = assembly.make(environment(), (builders.offer(WEB, on.hosts),), on)
    assert not previous_unit.is_adoption(plan)
    assert previous_unit.with_earlier(environment(), on, plan, {"web": {}}) == {"web": {}}


def test_the_previous_unit_takes_no_releases_place_among_those_that_are_kept() -> None:
    older = "0.9.0-cccccccccccc"
    past = (Record(older, "a" * 12), Record(OLD, "b" * 12), RETURNED)
    slot = replace(returned(), history=past, releases=(older, OLD), link="")
    assert staging.superfluous(slot, NEW, 2) == ()


def test_a_worker_gives_its_place_back_with_a_note_on_the_host() -> None:
    jobs = builders.worker(replaces="old-jobs.service")
    slot = builders.slot(replaces=RETIRED, previous_name="old-jobs.service")
    hosts = [builders.facts(1, {"jobs": slot})]
    plan = rollback.make(environment(jobs), builders.survey(hosts, apps=[jobs]))
    assert of_host(plan, 1) == [
        *("MarkBad", "NoteOut", "StopUnit", "ReviveUnit", "ProveRevived", "RecordDeployed"),
    ]
    (host_plan,) = plan.batches[0]
    way = failed_host.recovery_of(host_plan, host_plan.steps[-2])
    assert names(way.steps) == [*PUT_BACK, "ForgetOut"]
