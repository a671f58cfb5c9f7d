"""(settings, survey) → the plan that starts again what runs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import builders
import pytest
from builders import NEW, OLD, UNHEALTHY

from deploy.errors import BadInput
from deploy.hosts.records import Record
from deploy.recovery import failed_host
from deploy.recovery.restarts import restart
from deploy.steps.records import ForgetOut, MarkBad, RecordDeployed, RecordRestarted
from deploy.steps.unit import RetireUnit, StartUnit, StopUnit, SwitchRelease
from deploy.steps.verify import ProveRelease
from deploy.survey.slot import Slot, UnitState

if TYPE_CHECKING:
    from deploy.plan.plan import Plan
    from deploy.settings.environment import Environment
    from deploy.survey.facts import HostFacts

WEB = builders.app()
TWO_SLOTS = builders.app("web", 5000, 5001)
SURGE = builders.environment(TWO_SLOTS, rollout={"strategy": "surge"})


def fleet(*slots: Slot) -> list[HostFacts]:
    return [builders.facts(number, {"web": one}) for number, one in enumerate(slots, start=1)]


def made(
    *slots: Slot, environment: Environment | None = None, health: Any = None, **more: Any
) -> Plan:
    given = environment or builders.environment(WEB)
    seen = builders.survey(fleet(*slots), health, given.apps)
    return restart.make(given, seen, **more)


def kinds(plan: Plan) -> list[str]:
    return [type(step).__name__ for step in plan.batches[0][0].all_steps]


def surged(*, is_stored: bool = True) -> Plan:
    """Two hosts whose app serves from its first slot."""
    unit = builders.unit()
    spare = Slot(
        releases=(OLD,),
        history=(Record(OLD, unit.digest),),
        kept=frozenset({Record(OLD, unit.digest).kept} if is_stored else set()),
    )
    own = [
        replace(
            builders.facts(number, {"web": builders.slot()}),
            spares={"web": spare},
            ports={"web": 5000},
        )
        for number in (1, 2)
    ]
    return restart.make(SURGE, builders.survey(own, apps=(TWO_SLOTS,)))


def test_every_host_starts_the_release_that_it_runs_batch_by_batch() -> None:
    plan = made(builders.slot(), builders.slot())
    assert len(plan.batches) == 2
    assert plan.staging == ()
    assert kinds(plan) == [
        *("DeregisterTarget", "WaitDrained", "StopUnit", "SwitchRelease", "StartUnit"),
        *("ProveRelease", "RegisterTarget", "WaitHealthy", "RecordRestarted"),
    ]
    assert {step.release for step in plan.steps if isinstance(step, SwitchRelease)} == {OLD}
    assert plan.title.startswith(f"Restart web {OLD} on lab: 2 hosts, rolling, batch 1")
    assert not plan.changes_nothing


def test_hosts_that_run_different_releases_each_start_their_own() -> None:
    plan = made(builders.slot(OLD), builders.slot(NEW))
    switched = {s.host.name: s.release for s in plan.steps if isinstance(s, SwitchRelease)}
    assert switched == {"host-1": OLD, "host-2": NEW}


def test_by_surge_the_same_release_starts_in_the_other_slot_first() -> None:
    plan = surged()
    assert kinds(plan)[:2] == ["SwitchRelease", "StartUnit"]
    assert kinds(plan)[-4:] == ["DeregisterTarget", "WaitDrained", "RetireUnit", "ForgetOut"]
    (switch, *_) = [step for step in plan.steps if isinstance(step, SwitchRelease)]
    assert (switch.app.port, switch.release) == (5001, OLD)
    assert plan.staging == ()


def test_the_history_gets_no_line_since_it_says_what_was_deployed() -> None:
    """It has place for 50: a restart a day would hide what can be gone back to."""
    recorded = [
        step
        for step in made(builders.slot(), builders.slot()).steps
        if isinstance(step, RecordDeployed)
    ]
    assert {type(step) for step in recorded} == {RecordRestarted}
    assert str(recorded[0]) == f"clear the note on web@5000.service: {OLD} serves again"


def test_p2_it_keeps_the_policy() -> None:
    with pytest.raises(BadInput, match="would leave no target"):
        made(builders.slot())
    assert made(builders.slot(), allow_downtime=True).batches


def test_a_sick_host_is_started_again_first() -> None:
    plan = made(builders.slot(), builders.slot(), health={"host-2": UNHEALTHY})
    assert [batch[0].host.name for batch in plan.batches] == ["host-2", "host-1"]


DOWN = UnitState("loaded", "failed", "failed", "enabled")
REFUSED: dict[str, tuple[Slot, str]] = {
    "nothing was deployed": (Slot(), "was never deployed here; deploy it first: inv deploy"),
    "it does not run": (
        builders.slot(unit_state=DOWN),
        f"does not run {OLD}, which was deployed last; repair it first: inv repair",
    ),
    "another release runs": (builders.slot(running_release=NEW), f"does not run {OLD}"),
    "a deploy was cut off": (builders.slot(out="by eve"), f"does not run {OLD}"),
    "its unit is gone": (
        builders.slot(kept=frozenset()),
        f"{OLD}: its files or its unit are gone; deploy its package: "
        "inv deploy --env lab --app web --package 1.0.0",
    ),
    "its files are gone": (builders.slot(releases=()), "its files or its unit are gone"),
    "the previous unit serves": (
        Slot(
            replaces=UnitState("loaded", "active", "running", "enabled"), previous_name="o.service"
        ),
        "which Changeover does not restart; deploy the app first",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_host_that_does_not_run_what_was_deployed_is_one_failure(name: str) -> None:
    slot, expected = REFUSED[name]
    well = builders.slot()
    with pytest.raises(BadInput) as refused:
        made(well, slot, well)
    assert f"host-2: web {expected}" in str(refused.value) or expected in str(refused.value)
    assert "--skip-host host-2" in str(refused.value)
    assert "inv restart --env lab" in str(refused.value)
    lenient = builders.environment(WEB, rollout={"max_failures": 1})
    plan = made(well, slot, well, environment=lenient)
    assert [host.name for host in plan.left_out] == ["host-2"]
    assert {step.host.name for step in plan.steps} == {"host-1", "host-3"}


def test_a_missing_environment_file_is_refused_before_the_first_drain() -> None:
    app = builders.app(environment_file="/etc/web.env")
    environment = builders.environment(app)
    with pytest.raises(BadInput, match=r"environment_file /etc/web\.env does not exist"):
        made(builders.slot(), builders.slot(), environment=environment)
    there = builders.slot(has_environment_file=True)
    assert made(there, there, environment=environment).batches


def test_p3_where_it_fails_the_same_release_is_tried_once_more_and_gets_no_mark() -> None:
    host_plan = made(builders.slot(), builders.slot()).batches[0][0]
    proof = next(step for step in host_plan.steps if isinstance(step, ProveRelease))
    recovery = failed_host.recovery_of(host_plan, proof)
    assert recovery.serves
    assert [type(step) for step in recovery.steps][:4] == [
        *(StopUnit, SwitchRelease, StartUnit, ProveRelease)
    ]
    assert not any(isinstance(step, MarkBad | RetireUnit) for step in recovery.steps)


def test_control_without_what_is_known_to_be_good_it_would_be_marked_and_retired() -> None:
    host_plan = replace(made(builders.slot(), builders.slot()).batches[0][0], good={})
    proof = next(step for step in host_plan.steps if isinstance(step, ProveRelease))
    found = {type(step) for step in failed_host.recovery_of(host_plan, proof).steps}
    assert found == {MarkBad, RetireUnit}


def test_by_surge_a_failure_ends_the_new_slot_and_marks_nothing() -> None:
    host_plan = surged().batches[0][0]
    proof = next(step for step in host_plan.steps if isinstance(step, ProveRelease))
    recovery = failed_host.recovery_of(host_plan, proof)
    assert recovery.serves
    assert [type(step) for step in recovery.steps] == [RetireUnit, ForgetOut]


def test_a_worker_is_started_again_too() -> None:
    jobs = builders.worker()
    unit = builders.unit("jobs@0.service")
    slot = builders.slot(rendered=unit, unit_sha256="", group="jobs")
    hosts = [builders.facts(number, {"jobs": slot}) for number in (1, 2)]
    plan = restart.make(builders.environment(jobs), builders.survey(hosts, apps=(jobs,)))
    assert kinds(plan) == [
        *("NoteOut", "StopUnit", "SwitchRelease", "StartUnit", "ProveRelease", "RecordRestarted"),
    ]


def test_only_the_app_that_is_asked_for_is_started_again() -> None:
    admin = builders.app("admin", 5100)
    slots = {"web": builders.slot(), "admin": builders.slot(NEW)}
    hosts = [builders.facts(number, slots) for number in (1, 2)]
    one = builders.environment(WEB)
    plan = restart.make(one, builders.survey(hosts, apps=(WEB, admin)))
    assert {step.app.name for step in plan.steps} == {"web"}
