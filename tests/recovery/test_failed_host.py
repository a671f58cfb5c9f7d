"""Where a host plan stops decides what is done, so that every app of its host ends whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import builders
import pytest
from builders import NEW, OLD
from hypothesis import given
from hypothesis import strategies as st

from deploy.aws.targets import GONE, Health, State
from deploy.hosts.records import Record
from deploy.plan import host_steps
from deploy.plan.host_plan import Goal, HostPlan
from deploy.recovery import failed_host, failed_recovery
from deploy.steps.answers import ProveRevived
from deploy.steps.drain import WaitDrained
from deploy.steps.records import MarkBad, RecordReturned
from deploy.steps.target import RegisterTarget, WaitHealthy
from deploy.steps.unit import SwitchRelease
from deploy.steps.verify import ProveRelease
from deploy.survey.question import Question, Questions
from deploy.survey.slot import Slot, UnitState
from deploy.unit.rendering import RenderedUnit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.settings.app import App
    from deploy.steps.base import Step

WEB, ADMIN = builders.app(), builders.app("admin", 5100)
IN_AGAIN = ["RegisterTarget", "WaitHealthy", "ForgetOut"]
PUT_BACK = ["StopUnit", "SwitchRelease", "StartUnit", "ProveRelease", *IN_AGAIN]
OUT_FIRST = ["DeregisterTarget", "WaitDrained"]


def names(found: Sequence[object]) -> list[str]:
    return [type(step).__name__ for step in found]


def lane_of(
    apps: tuple[App, ...] = (WEB,), health: Health = builders.HEALTHY, **slots: Slot
) -> HostPlan:
    """One host's way to NEW, from OLD where no slot says otherwise."""
    own = {app.name: slots.get(app.name, builders.slot()) for app in apps}
    facts = builders.facts(1, own)
    seen = builders.survey([facts], {"host-1": health}, apps)
    goals = [Goal(seen.on(facts.host, app), NEW, "d" * 12) for app in apps]
    return host_steps.laid(goals, builders.environment(*apps))


def step_of(host_plan: HostPlan, name: str, app: App = WEB) -> Step:
    return next(s for s in host_plan.steps if type(s).__name__ == name and s.app.settings == app)


@pytest.mark.parametrize(
    ("failing", "expected"),
    [
        ("DeregisterTarget", IN_AGAIN),
        ("WaitDrained", IN_AGAIN),
        ("StopUnit", PUT_BACK),
        ("SwitchRelease", PUT_BACK),
        ("StartUnit", ["MarkBad", *PUT_BACK]),
        ("ProveRelease", ["MarkBad", *PUT_BACK]),
        ("RegisterTarget", [*OUT_FIRST, "MarkBad", *PUT_BACK]),
        ("WaitHealthy", [*OUT_FIRST, "MarkBad", *PUT_BACK]),
        ("RecordDeployed", []),
    ],
)
def test_a_release_that_fails_gives_way_to_the_one_deployed_before(
    failing: str, expected: list[str]
) -> None:
    host_plan = lane_of()
    way = failed_host.recovery_of(host_plan, step_of(host_plan, failing))
    assert names(way.steps) == expected
    assert way.serves
    for step in way.steps:
        if isinstance(step, SwitchRelease | ProveRelease):
            assert step.release == OLD


def test_a_release_is_not_marked_for_a_fault_of_the_network() -> None:
    host_plan = lane_of()
    way = failed_host.recovery_of(host_plan, step_of(host_plan, "ProveRelease"), is_bad=False)
    assert names(way.steps) == PUT_BACK


def test_a_mark_names_the_unit_that_the_release_ran_under() -> None:
    host_plan = lane_of()
    way = failed_host.recovery_of(host_plan, step_of(host_plan, "ProveRelease"))
    switched = step_of(host_plan, "SwitchRelease")
    (mark,) = [step for step in way.steps if isinstance(step, MarkBad)]
    assert isinstance(switched, SwitchRelease)
    assert (mark.release, mark.unit_digest) == (switched.release, switched.unit_digest)


NOTHING_GOOD = {
    "nothing was deployed before": Slot(),
    "its files are gone": builders.slot(releases=()),
    "its unit is gone": builders.slot(kept=frozenset()),
    "it is the one that failed": builders.slot(NEW, builders.unit(), unit_digest="d" * 12),
}


@pytest.mark.parametrize("slot", NOTHING_GOOD.values(), ids=NOTHING_GOOD)
def test_without_anything_to_go_back_to_what_never_served_is_ended_and_the_host_stays_out(
    slot: Slot,
) -> None:
    if slot.history and slot.history[-1].release == NEW:
        same = RenderedUnit("web@5000.service", "", "d" * 12)
        slot = builders.slot(NEW, same)
    host_plan = lane_of(web=slot)
    way = failed_host.recovery_of(host_plan, step_of(host_plan, "ProveRelease"))
    assert names(way.steps) == ["MarkBad", "RetireUnit"]
    assert str(way.steps[1]) == "stop and disable web@5000.service"
    assert not way.serves
    way = failed_host.recovery_of(host_plan, step_of(host_plan, "WaitHealthy"))
    assert names(way.steps) == [*OUT_FIRST, "MarkBad", "RetireUnit"]
    assert not way.serves


OLDEST = "0.9.0-999999999999"
AGAIN = ["StopUnit", "SwitchRelease", "StartUnit", "ProveRelease"]
RECORDED = ["RegisterTarget", "WaitHealthy", "RecordReturned"]


def sick_again(*below: str, **more: object) -> Slot:
    """A slot on which NEW, as it is deployed again, was deployed last; below: what was before."""
    same = RenderedUnit("web@5000.service", "", "d" * 12)
    past = tuple(Record(each, "d" * 12) for each in (*below, NEW))
    kept = frozenset(each.kept for each in past)
    given = {"history": past, "releases": (*below, NEW), "kept": kept} | more
    return builders.slot(NEW, same, **given)


LEGACY_AT_REST = UnitState("loaded", "inactive", "dead", "disabled")
GOES_BACK_TO = {
    "the newest below": (sick_again(OLDEST, OLD), OLD),
    "not one that failed here": (sick_again(OLDEST, OLD, bad=frozenset({OLD})), OLDEST),
    "not one that is gone": (sick_again(OLDEST, OLD, releases=(OLDEST, NEW)), OLDEST),
    "not one whose unit is gone": (
        sick_again(OLDEST, OLD, kept=frozenset({Record(OLDEST, "d" * 12).kept})),
        OLDEST,
    ),
    "the newest that lies here, as the last one does not": (
        sick_again(OLDEST, OLD, history=(Record(OLDEST, "d" * 12), Record(OLD, "e" * 12))),
        OLDEST,
    ),
    "nothing where there is but the one": (sick_again(), None),
    "nothing where all others failed": (sick_again(OLD, bad=frozenset({OLD})), None),
}


@pytest.mark.parametrize(("slot", "expected"), GOES_BACK_TO.values(), ids=GOES_BACK_TO)
def test_a_release_that_is_deployed_again_and_fails_gives_way_to_an_older_one(
    slot: Slot, expected: str | None
) -> None:
    host_plan = lane_of(web=slot)
    assert not host_plan.good
    way = failed_host.recovery_of(host_plan, step_of(host_plan, "WaitHealthy"))
    assert way.serves == bool(expected)
    if expected:
        assert names(way.steps) == [*OUT_FIRST, "MarkBad", *AGAIN, *RECORDED]
        entered = [s for s in way.steps if isinstance(s, SwitchRelease | RecordReturned)]
        assert [each.release for each in entered] == [expected, expected]
        # One that serves stays in, though that cannot be written down.
        other = failed_recovery.instead(host_plan, way.steps[-1], is_bad=False)
        assert other is not None
        assert other.serves


def test_a_release_that_is_deployed_again_and_fails_gives_way_to_the_unit_it_replaced() -> None:
    app = builders.app(replaces="legacy.service")
    slot = sick_again(replaces=LEGACY_AT_REST, previous_name="legacy.service")
    host_plan = lane_of((app,), web=slot)
    way = failed_host.recovery_of(host_plan, step_of(host_plan, "ProveRelease", app))
    assert names(way.steps) == ["MarkBad", "ReviveUnit", "ProveRevived", *RECORDED]
    assert way.serves


@pytest.mark.parametrize(("has_failed", "expected"), [(False, None), (True, OLD)])
def test_what_a_repair_starts_gives_way_to_an_older_one_where_it_has_failed_here(
    has_failed: bool, expected: str | None
) -> None:
    bad = frozenset({NEW} if has_failed else ())
    facts = builders.facts(1, {"web": sick_again(OLD, bad=bad)})
    older = Goal(builders.survey([facts]).on(facts.host, WEB), NEW, "d" * 12, is_new=False).older
    assert (older and older.release) == expected


def test_the_unit_that_was_replaced_comes_back_to_the_first_port_alone() -> None:
    app = builders.app("web", 5000, 5001, replaces="legacy.service")
    past = (Record.of_previous("legacy.service"), Record(NEW, "d" * 12))
    sick = sick_again(history=past, replaces=LEGACY_AT_REST, previous_name="legacy.service")
    found = {}
    for port in app.ports:
        facts = builders.facts(1, {"web": sick}, ports={"web": port}, spares={"web": sick})
        on = builders.survey([facts], apps=[app]).on(facts.host, app)
        assert on.is_first == (port == app.ports[0])
        found[port] = Goal(on, NEW, "d" * 12).older
    assert found == {5000: Record.of_previous("legacy.service"), 5001: None}


@pytest.mark.parametrize("failing", ["RetireUnit", "StartUnit", "ProveRelease", "WaitHealthy"])
def test_a_unit_of_before_gets_its_place_back(failing: str) -> None:
    app = builders.app(replaces="legacy.service")
    legacy = UnitState("loaded", "active", "running", "enabled")
    host_plan = lane_of((app,), web=Slot(replaces=legacy))
    way = failed_host.recovery_of(host_plan, step_of(host_plan, failing, app))
    out = OUT_FIRST if failing == "WaitHealthy" else []
    bad = [] if failing == "RetireUnit" else ["MarkBad"]
    assert names(way.steps) == [*out, *bad, "ReviveUnit", "ProveRevived", *IN_AGAIN]
    assert any(
        isinstance(step, ProveRevived) and step.unit_name == app.replaces for step in way.steps
    )
    assert way.serves


def test_a_stopped_lane_goes_back_in_on_what_it_runs_both_apps_first() -> None:
    host_plan = lane_of((WEB, ADMIN))
    way = failed_host.recovery_of(host_plan, step_of(host_plan, "WaitDrained"), still_runs=True)
    assert [(step.app.name, type(step).__name__) for step in way.at_once] == [
        ("web", "RegisterTarget"),
        ("admin", "RegisterTarget"),
    ]
    assert names(way.then) == IN_AGAIN[1:] * 2
    assert [step.app.name for step in way.then] == ["web", "web", "admin", "admin"]


def test_a_host_that_did_not_serve_before_is_not_put_in_on_the_way_back() -> None:
    """P3: a release that failed and still drains does not come back by a Ctrl-C."""
    host_plan = lane_of(health=Health(State.DRAINING, "Target.DeregistrationInProgress"))
    assert "DeregisterTarget" not in names(host_plan.steps)
    way = failed_host.recovery_of(host_plan, step_of(host_plan, "WaitDrained"), still_runs=True)
    assert way.steps == ()
    assert not way.serves


def test_a_host_that_was_unhealthy_goes_back_in_without_a_wait_for_health() -> None:
    host_plan = lane_of(health=builders.UNHEALTHY)
    way = failed_host.recovery_of(host_plan, step_of(host_plan, "WaitDrained"), still_runs=True)
    assert names(way.steps) == ["RegisterTarget", "ForgetOut"]


def test_when_the_first_app_fails_the_untouched_one_goes_in_at_once() -> None:
    host_plan = lane_of((WEB, ADMIN))
    way = failed_host.recovery_of(host_plan, step_of(host_plan, "ProveRelease"))
    assert [(step.app.name, type(step).__name__) for step in way.at_once] == [
        ("admin", "RegisterTarget")
    ]
    assert names([step for step in way.then if step.app.settings == WEB]) == ["MarkBad", *PUT_BACK]
    assert way.serves


def test_when_the_second_app_fails_the_proven_one_goes_in() -> None:
    host_plan = lane_of((WEB, ADMIN))
    way = failed_host.recovery_of(host_plan, step_of(host_plan, "ProveRelease", ADMIN))
    assert names([step for step in way.steps if step.app.settings == WEB]) == [
        "RegisterTarget",
        "WaitHealthy",
        "RecordDeployed",
    ]
    assert names([step for step in way.steps if step.app.settings == ADMIN]) == [
        "MarkBad",
        *PUT_BACK,
    ]


def test_of_two_bad_apps_the_second_finds_its_way_back_too() -> None:
    """Proven on its host and on its way in, it turns out unhealthy for the load balancer."""
    host_plan = lane_of((WEB, ADMIN))
    way = failed_host.recovery_of(host_plan, step_of(host_plan, "WaitHealthy"))
    onward = [step for step in way.steps if step.app.settings == ADMIN]
    assert names(onward) == ["WaitHealthy", "RecordDeployed"]
    other = failed_recovery.instead(host_plan, onward[0], is_bad=True)
    assert other
    assert names(other.steps) == [*OUT_FIRST, "MarkBad", *PUT_BACK]
    assert {step.app.name for step in other.steps} == {"admin"}
    assert other.serves


def test_a_way_back_that_fails_leads_nowhere_else() -> None:
    host_plan = lane_of()
    way = failed_host.recovery_of(host_plan, step_of(host_plan, "ProveRelease"))
    for step in way.steps[1:-1]:
        other = failed_recovery.instead(host_plan, step, is_bad=True)
        assert other
        assert (other.steps, other.serves) == ((), False)


def test_a_note_that_cannot_be_cleared_is_no_reason_to_call_a_host_out() -> None:
    host_plan = lane_of()
    *_, note = failed_host.recovery_of(host_plan, step_of(host_plan, "WaitDrained")).steps
    assert names([note]) == ["ForgetOut"]
    other = failed_recovery.instead(host_plan, note, is_bad=False)
    assert other
    assert (other.steps, other.serves, other.leaves) == ((), True, False)


def test_a_mark_that_cannot_be_made_is_no_reason_to_stay_out() -> None:
    host_plan = lane_of()
    mark = failed_host.recovery_of(host_plan, step_of(host_plan, "ProveRelease")).steps[0]
    assert names([mark]) == ["MarkBad"]
    assert failed_recovery.instead(host_plan, mark, is_bad=True) is None


@pytest.mark.parametrize("health", [builders.HEALTHY, GONE], ids=["served before", "was out"])
def test_what_may_have_served_drains_on_its_way_back_whatever_the_operator_wants(
    health: Health,
) -> None:
    host_plan = lane_of(health=health)
    way = failed_host.recovery_of(host_plan, step_of(host_plan, "WaitHealthy"))
    drains = [step for step in way.steps if isinstance(step, WaitDrained)]
    assert [(drain.seconds, drain.heeds_stop) for drain in drains] == [(20.0, False)]


@given(data=st.data(), health=st.sampled_from([builders.HEALTHY, builders.UNHEALTHY, GONE]))
def test_whatever_fails_no_unproven_release_is_registered(
    data: st.DataObject, health: Health
) -> None:
    host_plan = lane_of((WEB, ADMIN), health)
    failed = data.draw(st.sampled_from(host_plan.steps))
    way = failed_host.recovery_of(host_plan, failed, still_runs=isinstance(failed, WaitDrained))
    done = list(host_plan.steps[: host_plan.steps.index(failed)])
    for step in way.steps:
        if isinstance(step, RegisterTarget):
            mine = [each for each in done if each.app == step.app]
            touched = [n for n, each in enumerate(mine) if isinstance(each, SwitchRelease)]
            proven = [n for n, each in enumerate(mine) if isinstance(each, ProveRelease)]
            assert not touched or (proven and proven[-1] > touched[-1])
        done.append(step)


def test_a_target_that_is_in_already_stays_in_whatever_fails_of_its_repair() -> None:
    asked = Questions((Question("/health", "200"),))
    proof = ProveRelease(builders.host(), WEB.at(5000), OLD, asked)
    host_plan = HostPlan(builders.host(), (proof, WaitHealthy(builders.host(), WEB.at(5000))))
    for step in host_plan.steps:
        way = failed_host.recovery_of(host_plan, step)
        assert (way.steps, way.serves) == ((), True)
    enrolling = HostPlan(builders.host(), (proof, RegisterTarget(builders.host(), WEB.at(5000))))
    assert not failed_host.recovery_of(enrolling, proof).serves
