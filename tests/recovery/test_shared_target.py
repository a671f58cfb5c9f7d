"""Apps behind one proxy share a target: it is in while all of them serve, and never before."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import builders
import pytest
from builders import HEALTHY, NEW, OLD

from deploy.aws.targets import GONE, Health, State
from deploy.errors import BadInput
from deploy.hosts.notes import Note
from deploy.hosts.records import Record
from deploy.plan import assembly, fitness, host_steps
from deploy.plan.host_plan import Goal, HostPlan
from deploy.recovery import failed_host, repair, shared_target
from deploy.survey.question import Questions
from deploy.survey.slot import Slot, UnitState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.plan.plan import Plan
    from deploy.settings.app import App
    from deploy.steps.base import Step
    from deploy.survey.facts import Survey

WEB = builders.app("web", 5000, target_port=80, target_group="edge")
API = builders.app("api", 5001, target_port=80, target_group="edge")
APPS = (WEB, API)
ENTRY = {"ProveProxy", "RegisterTarget", "WaitHealthy", "ForgetOut", "RecordDeployed", "Soak"}
NOTE = Note("edge", "i-1:80", "2026-11-29T00:00:00Z").as_line()
DRAINING = Health(State.DRAINING, "Target.DeregistrationInProgress")


def at_rest(app: App, **more: Any) -> Slot:
    """The old release at rest, the new one staged beside it."""
    own = builders.unit(f"{app.name}@{app.ports[0]}.service")
    kept = frozenset({Record(OLD, own.digest).kept})
    return builders.slot(OLD, own, **({"releases": (OLD, NEW), "kept": kept} | more))


def dead(app: App, **more: Any) -> Slot:
    """Stopped within a deploy."""
    stopped = UnitState("loaded", "inactive", "dead", "enabled")
    given = {"unit_state": stopped, "running_release": "", "running_unit_digest": "", "out": NOTE}
    return at_rest(app, **(given | more))


def seen(health: Health = HEALTHY, **slots: Slot) -> Survey:
    own = {app.name: slots.get(app.name, at_rest(app)) for app in APPS}
    made = builders.survey([builders.facts(1, own)], {"host-1": health}, APPS)
    return replace(made, partners={"web": ("api",), "api": ("web",)})


def laid(*apps: App, **slots: Slot) -> HostPlan:
    survey = seen(HEALTHY, **slots)
    goals = [Goal(survey.on(builders.host(), app), NEW, "d" * 12) for app in apps]
    return host_steps.laid(goals, builders.environment(*APPS))


def named(steps: Sequence[Step]) -> list[str]:
    return [f"{type(step).__name__} {step.app.name}" for step in steps]


def is_entered_last(steps: Sequence[Step]) -> bool:
    """Whether no step that changes an app comes after the first that enters the target."""
    kinds = [type(step).__name__ in ENTRY for step in steps]
    return kinds == sorted(kinds)


def step_of(host_plan: HostPlan, name: str) -> Step:
    return next(step for step in host_plan.steps if named([step]) == [name])


def test_the_target_goes_out_once_all_apps_are_switched_and_it_goes_in_once() -> None:
    plan = laid(*APPS)
    assert named(plan.steps) == [
        *("DeregisterTarget web", "DeregisterTarget api", "WaitDrained web", "WaitDrained api"),
        *("StopUnit web", "SwitchRelease web", "StartUnit web", "ProveRelease web"),
        *("StopUnit api", "SwitchRelease api", "StartUnit api", "ProveRelease api"),
        *("ProveProxy web", "ProveProxy api"),
        *("RegisterTarget web", "RegisterTarget api", "WaitHealthy web", "RecordDeployed web"),
        *("WaitHealthy api", "RecordDeployed api"),
    ]


@pytest.mark.parametrize(
    "failing",
    [
        f"{step} {app}"
        for step in ("StopUnit", "SwitchRelease", "ProveRelease")
        for app in ("web", "api")
    ],
)
def test_where_one_fails_the_target_goes_in_when_all_are_whole(failing: str) -> None:
    plan = laid(*APPS)
    recovery = failed_host.recovery_of(plan, step_of(plan, failing))
    assert recovery.serves
    assert is_entered_last(recovery.steps)
    found = named(recovery.steps)
    for app in ("web", "api"):
        assert f"RegisterTarget {app}" in found


def test_control_an_app_with_a_target_of_its_own_goes_in_before_another_is_whole() -> None:
    apart = tuple(
        replace_app(app, target_port=None, target_group=f"{app.name}-lab") for app in APPS
    )
    facts = builders.facts(1, {app.name: at_rest(app) for app in apart})
    survey = builders.survey([facts], apps=apart)
    goals = [Goal(survey.on(builders.host(), app), NEW, "d" * 12) for app in apart]
    plan = host_steps.laid(goals, builders.environment(*apart))
    recovery = failed_host.recovery_of(plan, step_of(plan, "StopUnit web"))
    assert named(recovery.at_once) == ["RegisterTarget api"]


def replace_app(app: App, **more: Any) -> App:
    return app.model_copy(update=more)


@pytest.mark.parametrize("failing", ["StopUnit web", "ProveRelease web", "ProveRelease api"])
def test_where_one_has_nothing_to_go_back_to_the_target_stays_out(failing: str) -> None:
    lost = failing.split()[1]
    app = next(each for each in APPS if each.name == lost)
    plan = laid(*APPS, **{lost: at_rest(app, releases=(NEW,), kept=frozenset())})
    recovery = failed_host.recovery_of(plan, step_of(plan, failing))
    assert not recovery.serves
    assert not [each for each in named(recovery.steps) if each.split()[0] in ENTRY]


def test_where_nothing_was_touched_it_goes_in_at_once() -> None:
    plan = laid(*APPS)
    recovery = failed_host.recovery_of(plan, step_of(plan, "WaitDrained web"))
    assert named(recovery.at_once) == ["RegisterTarget web", "RegisterTarget api"]


def test_a_recovery_that_fails_keeps_the_target_out() -> None:
    plan = laid(*APPS)
    recovery = failed_host.recovery_of(plan, step_of(plan, "ProveRelease web"))
    todo = list(recovery.steps)
    back = next(step for step in todo if named([step]) == ["ProveRelease web"])
    other = failed_host.instead(plan, back, is_bad=True)
    assert other
    assert not other.serves
    left = shared_target.after(todo[todo.index(back) + 1 :], back, other)
    assert not [each for each in named(left) if each.split()[0] in ENTRY]


def test_a_batch_counts_a_host_as_out_whichever_app_is_switched_there() -> None:
    plan = laid(API)
    assert plan.switches(API)
    assert plan.switches(WEB)
    assert not plan.switches(builders.app("web", 5000))


LEFT: dict[str, tuple[dict[str, Slot], Health, list[str]]] = {
    "both stopped": (
        {"web": dead(WEB), "api": dead(API)},
        GONE,
        [
            *("StopUnit web", "SwitchRelease web", "StartUnit web", "ProveRelease web"),
            *("StopUnit api", "SwitchRelease api", "StartUnit api", "ProveRelease api"),
            *("ProveProxy web", "ProveProxy api"),
            *("RegisterTarget web", "RegisterTarget api", "WaitHealthy web", "RecordDeployed web"),
            *("WaitHealthy api", "RecordDeployed api"),
        ],
    ),
    "one stopped, the other was not asked for": (
        {"web": dead(WEB)},
        GONE,
        [
            *("ProveRelease api", "StopUnit web", "SwitchRelease web", "StartUnit web"),
            *("ProveRelease web", "ProveProxy web", "RegisterTarget web", "WaitHealthy web"),
            "RecordDeployed web",
        ],
    ),
    "both run, and are out": (
        {"web": at_rest(WEB, out=NOTE), "api": at_rest(API, out=NOTE)},
        GONE,
        [
            *("ProveRelease web", "ProveRelease api"),
            *("ProveProxy web", "RegisterTarget web", "WaitHealthy web", "ForgetOut web"),
            *("ProveProxy api", "RegisterTarget api", "WaitHealthy api", "ForgetOut api"),
        ],
    ),
    "one is lost": (
        {"web": dead(WEB, releases=(), kept=frozenset())},
        GONE,
        [],
    ),
}


@pytest.mark.parametrize(("slots", "health", "expected"), LEFT.values(), ids=LEFT)
def test_repair_enters_the_target_when_all_behind_it_are_whole(
    slots: dict[str, Slot], health: Health, expected: list[str]
) -> None:
    plan = repair.make(builders.environment(*APPS), seen(health, **slots))
    assert named(plan.steps) == expected


def test_a_note_of_one_says_that_nobody_took_the_other_out_by_hand() -> None:
    out = seen(GONE, web=dead(WEB))
    assert out.on(builders.host(), API).taken_out == ()
    alone = replace(out, partners={})
    assert [group.name for group in alone.on(builders.host(), API).taken_out] == ["edge"]


def test_one_app_alone_is_refused_where_the_other_would_not_serve() -> None:
    environment = builders.environment(*APPS).model_copy(update={"beside": ("api",)})
    assert fitness.beside(environment, seen()) == {}
    problems = fitness.beside(environment, seen(GONE, api=dead(API)))
    assert "host-1: api, which shares the target on port 80, does not run" in problems["host-1"][0]


def test_an_app_is_asked_its_own_question_and_the_proxy_that_of_the_load_balancer() -> None:
    api = replace_app(API, health=API.health.model_copy(update={"path": "/ready", "expect": "204"}))
    survey = builders.survey([builders.facts(1, {"api": Slot()})], apps=[api])
    found = Questions.of(survey.on(builders.host(), api))
    assert found.shown(5001) == "GET :5001/ready gives 204, GET :80/health gives 200"


def test_a_policy_counts_the_hosts_of_both_apps() -> None:
    """P2: web is due on one host and api on the other; together that is two of three hosts."""
    facts = [
        builders.facts(number, {app.name: at_rest(app) for app in APPS}) for number in (1, 2, 3)
    ]
    survey = replace(builders.survey(facts, apps=APPS), partners={"web": ("api",), "api": ("web",)})
    goals = {
        facts[0].host.name: (Goal(survey.on(facts[0].host, WEB), NEW, "d" * 12),),
        facts[1].host.name: (Goal(survey.on(facts[1].host, API), NEW, "d" * 12),),
    }
    environment = builders.environment(*APPS, batch=2, rollout={"min_in_service": 2})

    def made() -> Plan:
        purpose = ("Deploy", {"web": NEW, "api": NEW})
        return assembly.assemble(environment, purpose, goals, (), survey)

    with pytest.raises(BadInput, match="would leave 1 targets of edge in service"):
        made()
