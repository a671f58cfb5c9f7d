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
from deploy.recovery import failed_host, failed_recovery, repair, rollback, shared_target
from deploy.settings.scope import Scope
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
LEGACY = UnitState("loaded", "active", "running", "enabled")
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


RANKS = ["ProveProxy", "RegisterTarget", "WaitHealthy"]


def is_entered_last(steps: Sequence[Step]) -> bool:
    """Whether no app is changed, and the proxy not asked, after the target was entered."""
    names = [type(step).__name__ for step in steps if type(step).__name__ != "MarkBad"]
    ranks = [RANKS.index(name) + 1 if name in RANKS else 4 * (name in ENTRY) for name in names]
    return ranks == sorted(ranks)


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


TOUCHED = [
    f"{step} {app}"
    for step in ("StopUnit", "SwitchRelease", "ProveRelease")
    for app in ("web", "api")
]
OF_THE_TARGET = ["ProveProxy web", "RegisterTarget web", "RegisterTarget api", "WaitHealthy web"]


@pytest.mark.parametrize("failing", [*TOUCHED, *OF_THE_TARGET])
def test_where_one_fails_the_target_goes_in_when_all_are_whole(failing: str) -> None:
    plan = laid(*APPS)
    recovery = failed_host.recovery_of(plan, step_of(plan, failing))
    assert recovery.serves
    assert is_entered_last(recovery.steps)
    found = named(recovery.steps)
    assert [each for each in found if each.split()[0] in RANKS] == [
        *("ProveProxy web", "RegisterTarget web", "WaitHealthy web")
    ], "once, for all of them"
    assert {found[-1], found[-2]} & {"ForgetOut web", "RecordDeployed web"}
    assert {found[-1], found[-2]} & {"ForgetOut api", "RecordDeployed api"}


def test_where_their_target_fails_all_of_them_go_back_and_none_is_blamed() -> None:
    plan = laid(*APPS)
    for failing in OF_THE_TARGET:
        found = named(failed_host.recovery_of(plan, step_of(plan, failing)).steps)
        assert {"SwitchRelease web", "SwitchRelease api"} <= {*found}
        assert not [each for each in found if each.startswith("MarkBad")]
        is_in = failing.startswith(("RegisterTarget", "WaitHealthy"))
        assert (found[:2] == ["DeregisterTarget web", "WaitDrained web"]) is is_in


def test_one_that_is_proven_stays_where_another_fails() -> None:
    plan = laid(*APPS)
    found = named(failed_host.recovery_of(plan, step_of(plan, "ProveRelease api")).steps)
    assert "MarkBad api" in found
    assert "StopUnit web" not in found
    assert found[-2:] == ["RecordDeployed web", "ForgetOut api"]


def test_one_that_is_deployed_again_and_fails_gives_way_to_an_older_release() -> None:
    past = (Record(OLD, "c" * 12), Record(NEW, "d" * 12))
    again = at_rest(API, history=past, kept=frozenset(each.kept for each in past))
    plan = laid(*APPS, api=again)
    recovery = failed_host.recovery_of(plan, step_of(plan, "ProveRelease api"))
    assert recovery.serves
    assert [str(s) for s in recovery.steps[-2:]] == [f"record web {NEW}", f"record api {OLD}"]


@pytest.mark.parametrize("failing", ["ProveProxy web", "RegisterTarget web", "ProveRelease web"])
def test_a_recovery_that_fails_too_ends_and_leaves_the_target_out(failing: str) -> None:
    """Seen on paper: the same steps came again and again."""
    plan = laid(*APPS)
    todo = list(failed_host.recovery_of(plan, step_of(plan, failing)).steps)
    for name in ("ProveRelease web", "ProveProxy web", "RegisterTarget web", "WaitHealthy web"):
        back = next((step for step in reversed(todo) if named([step]) == [name]), None)
        if back is None:
            continue
        other = failed_recovery.instead(plan, back, is_bad=True)
        assert other
        assert not other.serves
        is_in = name.startswith(("RegisterTarget", "WaitHealthy"))
        assert named(other.steps) == (["DeregisterTarget web"] if is_in else [])
        left = shared_target.after(todo[todo.index(back) + 1 :], back, other)
        assert not [each for each in named(left) if each.split()[0] in ENTRY]


def test_one_that_was_dead_before_keeps_the_target_out() -> None:
    survey = seen(GONE, web=dead(WEB), api=dead(API))
    goals = [Goal(survey.on(builders.host(), app), NEW, "d" * 12) for app in APPS]
    plan = host_steps.laid(goals, builders.environment(*APPS))
    first = step_of(plan, "ProveRelease web")
    recovery = failed_host.recovery_of(plan, first)
    assert not recovery.serves
    assert not [each for each in named(recovery.steps) if each.split()[0] in ENTRY]


def test_a_new_one_that_fails_does_not_take_the_others_out() -> None:
    """Before the deploy the host served exactly so."""
    plan = laid(*APPS, api=Slot())
    recovery = failed_host.recovery_of(plan, step_of(plan, "ProveRelease api"))
    assert recovery.serves
    found = named(recovery.steps)
    assert found[:2] == ["RetireUnit api", "ForgetOut api"]
    assert found[-3:] == ["RegisterTarget web", "WaitHealthy web", "RecordDeployed web"]
    alone = laid(API, api=Slot())
    recovery = failed_host.recovery_of(alone, step_of(alone, "ProveRelease api"))
    assert not recovery.serves, "nothing of the plan is left to enter the target"


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
            *(
                "ProveRelease api",
                "ForgetOut api",
                "StopUnit web",
                "SwitchRelease web",
                "StartUnit web",
            ),
            *("ProveRelease web", "ProveProxy web", "RegisterTarget web", "WaitHealthy web"),
            "RecordDeployed web",
        ],
    ),
    "both run, and are out": (
        {"web": at_rest(WEB, out=NOTE), "api": at_rest(API, out=NOTE)},
        GONE,
        [
            *("ProveRelease web", "ProveRelease api", "ProveProxy web", "ProveProxy api"),
            *("RegisterTarget web", "RegisterTarget api", "WaitHealthy web", "WaitHealthy api"),
            *("ForgetOut web", "ForgetOut api"),
        ],
    ),
    "one was never here": (
        {"api": Slot(), "web": at_rest(WEB, out=NOTE)},
        GONE,
        [
            *("ProveRelease web", "ProveProxy web", "RegisterTarget web", "WaitHealthy web"),
            "ForgetOut web",
        ],
    ),
    "one began for the first time and was not proven": (
        {"api": builders.slot(NEW, history=(), out=NOTE), "web": at_rest(WEB, out=NOTE)},
        GONE,
        [
            *("ProveRelease web", "RetireUnit api"),
            *("ProveProxy web", "RegisterTarget web", "WaitHealthy web"),
            *("ForgetOut web", "ForgetOut api"),
        ],
    ),
    "one runs as the unit that it replaces": (
        {"api": Slot(replaces=LEGACY), "web": at_rest(WEB, out=NOTE)},
        GONE,
        [
            *("ProveRelease web", "ProveProxy web", "RegisterTarget web", "WaitHealthy web"),
            "ForgetOut web",
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


DOWN = {
    "stopped": (dead(API), True),
    "started again and not proven": (at_rest(API, out=NOTE), True),
    "as deployed": (at_rest(API), False),
    "never here": (Slot(), False),
    "the unit that it replaces": (Slot(replaces=LEGACY), False),
}


@pytest.mark.parametrize(("other", "is_down"), DOWN.values(), ids=DOWN)
def test_one_app_alone_is_refused_where_the_other_would_not_serve(
    other: Slot, *, is_down: bool
) -> None:
    app = replace_app(API, replaces="old.service") if other.replaces.is_running else API
    environment = builders.environment(WEB, app)
    survey = seen(GONE, api=other)

    def moves(on: Any) -> bool:
        return bool(on.app.name == "web")

    problems = fitness.partners_down(environment, survey, moves)
    assert bool(problems) is is_down
    if is_down:
        said = "host-1: api, which shares the target on port 80, does not run"
        assert said in problems["host-1"][0]
    assert fitness.partners_down(environment, survey, lambda _: True) == {}, "control: both go"
    assert fitness.partners_down(environment, survey, lambda _: False) == {}


def test_a_rollback_of_one_is_refused_where_the_other_is_down() -> None:
    """Seen on paper: a killed deploy had stopped it, and the target was registered."""
    history = (
        Record(OLD, builders.unit("api@5001.service").digest),
        Record(NEW, "d" * 12, run="r2"),
    )
    kept = frozenset(record.kept for record in history)
    now = at_rest(API, history=history, kept=kept, link=NEW, running_release=NEW)
    with pytest.raises(BadInput, match="host-1: web, which shares the target"):
        rollback.make(
            builders.environment(*APPS).model_copy(update={"beside": ("web",)}),
            seen(GONE, web=dead(WEB), api=now),
            None,
            scope=Scope("lab", "rollback"),
            allow_downtime=True,
        )


def test_a_check_with_a_port_of_its_own_asks_no_proxy() -> None:
    made = builders.survey(
        [builders.facts(1, {app.name: at_rest(app) for app in APPS})],
        apps=APPS,
        health_port="9000",
    )
    goals = [Goal(made.on(builders.host(), app), NEW, "d" * 12) for app in APPS]
    plan = host_steps.laid(goals, builders.environment(*APPS))
    assert not [each for each in named(plan.steps) if each.startswith("ProveProxy")]


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
