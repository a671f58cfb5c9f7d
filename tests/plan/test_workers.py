"""Workers: apps without a load balancer, in batches, in order with the apps on the same hosts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import builders
import pytest
import run_entries
from builders import NEW, OLD

from deploy.aws.targets import GONE
from deploy.errors import BadInput
from deploy.hosts.notes import Note
from deploy.hosts.records import Record
from deploy.observe import rounds
from deploy.plan import assembly, host_steps, preflight
from deploy.plan.host_plan import Goal
from deploy.recovery import failed_host, failed_recovery, repair, rollback
from deploy.run.report import ExitCode
from deploy.screen import status
from deploy.settings.scope import Scope
from deploy.steps import shorter_drain
from deploy.survey.slot import Slot, UnitState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.plan.host_plan import HostPlan
    from deploy.plan.plan import Plan
    from deploy.settings.app import App
    from deploy.survey.facts import Survey

WEB, JOBS = builders.app(), builders.worker()
STOPPED = UnitState("loaded", "inactive", "dead", "enabled")
NOTE = Note("", "jobs@0.service", "2026-11-29T00:00:00Z").as_line()
SWITCHED = ["NoteOut", "StopUnit", "SwitchRelease", "StartUnit", "ProveRelease"]


def names(plan: Sequence[object]) -> list[str]:
    return [type(step).__name__ for step in plan]


def steps(plan: Plan) -> list[tuple[str, str]]:
    return [
        (type(step).__name__, step.app.name)
        for batch in plan.batches
        for host_plan in batch
        for step in host_plan.all_steps
    ]


def seen(*apps: App, **jobs: Slot) -> Survey:
    """One host on which the old releases run."""
    own = {app.name: jobs.get(app.name, builders.slot()) for app in apps}
    return builders.survey([builders.facts(1, own)], apps=apps)


def made(*apps: App, found: Survey | None = None, **settings: object) -> Plan:
    environment = builders.environment(*apps, rollout=settings)
    survey = found or seen(*apps)
    offers = tuple(builders.offer(app, survey.hosts) for app in apps)
    return assembly.make(environment, offers, survey, allow_downtime=True)


def laid(*apps: App, found: Survey | None = None) -> HostPlan:
    survey = found or seen(*apps)
    goals = [Goal(survey.on(builders.host(), app), NEW, "d" * 12) for app in apps]
    return host_steps.laid(goals, builders.environment(*apps))


def test_a_worker_that_is_deployed_again_and_fails_gives_way_to_an_older_release() -> None:
    past = (Record(OLD, "c" * 12), Record(NEW, "d" * 12))
    kept = frozenset(each.kept for each in past)
    slot = builders.slot(NEW, history=past, releases=(OLD, NEW), kept=kept)
    plan = laid(JOBS, found=seen(JOBS, jobs=slot))
    proof = next(step for step in plan.steps if type(step).__name__ == "ProveRelease")
    recovery = failed_host.recovery_of(plan, proof)
    assert recovery.serves
    back = ["MarkBad", "StopUnit", "SwitchRelease", "StartUnit", "ProveRelease", "RecordReturned"]
    assert names(recovery.steps) == back
    assert str(recovery.steps[-1]) == f"record jobs {OLD}"


def test_a_worker_is_stopped_switched_proven_and_never_registered() -> None:
    plan = made(JOBS)
    assert [name for name, _ in steps(plan)] == [*SWITCHED, "RecordDeployed"]
    assert "prove 2.0.0-bbbbbbbbbbbb: it runs, then up 5 s" in run_entries.printed(
        plan, is_full=True
    )


def test_a_soak_sees_a_worker_stay_up() -> None:
    assert [name for name, _ in steps(made(JOBS, soak_seconds=3))][-2:] == [
        "WatchWorker",
        "RecordDeployed",
    ]


@pytest.mark.parametrize("apps", [(WEB, JOBS), (JOBS, WEB)], ids=["web first", "jobs first"])
def test_apps_of_a_host_are_switched_in_the_order_of_the_settings(apps: tuple[App, ...]) -> None:
    switched = [app for name, app in steps(made(*apps)) if name == "SwitchRelease"]
    assert switched == [app.name for app in apps]
    whole = [name for name, _ in steps(made(*apps))]
    is_out = range(whole.index("DeregisterTarget"), whole.index("WaitHealthy"))
    assert whole.index("NoteOut") not in is_out, "no target waits for a worker to end"


def test_a_worker_keeps_its_one_slot_where_the_others_surge() -> None:
    web = builders.app("web", 5000, 5001)
    found = seen(web, JOBS)
    facts = replace(found.hosts[0], spares={"web": Slot()})
    plan = made(web, JOBS, found=replace(found, hosts=(facts,)), strategy="surge")
    assert [name for name, app in steps(plan) if app == "jobs"] == [*SWITCHED, "RecordDeployed"]


def test_a_worker_that_is_current_is_proven_and_left_alone() -> None:
    rendered = builders.unit("jobs@0.service")
    found = seen(JOBS, jobs=builders.slot(NEW, rendered))
    offers = (builders.offer(JOBS, found.hosts, text=rendered.text),)
    plan = assembly.make(builders.environment(JOBS), offers, found)
    assert plan.changes_nothing


def test_workers_do_not_count_as_capacity_and_may_go_all_at_once() -> None:
    hosts = [builders.facts(number, {"jobs": builders.slot()}) for number in (1, 2, 3)]
    survey = builders.survey(hosts, apps=[JOBS])
    offers = (builders.offer(JOBS, hosts),)
    plan = assembly.make(builders.environment(JOBS, batch="100%"), offers, survey)
    assert [len(batch) for batch in plan.batches] == [3]
    assert plan.minimums == ({},)


def test_a_new_worker_needs_no_join() -> None:
    found = seen(JOBS, jobs=Slot())
    assert found.on(builders.host(), JOBS).is_new
    assert found.on(builders.host(), JOBS).taken_out == ()
    assert "host-1: new for jobs" in str(made(JOBS, found=found))


def test_nothing_of_drains_is_said_about_workers() -> None:
    assert shorter_drain.refusals((JOBS,), seen(JOBS)) == []


def test_p10_a_worker_behind_a_shell_is_named_with_what_helps() -> None:
    """Systemd signals the shell alone, and kills the rest when that ends."""
    found = seen(JOBS, jobs=builders.slot(wrapper="dash"))
    (warned,) = [text for text in made(JOBS, found=found).warnings if "SIGTERM" in text]
    assert warned.startswith("jobs: SIGTERM goes to a shell (dash) on host-1, which does not pass")
    assert "`exec`" in warned
    assert not [text for text in made(JOBS).warnings if "SIGTERM" in text]


def test_a_worker_needs_no_second_port_to_surge() -> None:
    environment = builders.environment(JOBS, rollout={"strategy": "surge"})
    preflight.refuse_surge(environment, seen(JOBS))


def test_a_worker_cannot_be_observed() -> None:
    with pytest.raises(BadInput, match="jobs is a worker"):
        rounds.make(builders.environment(JOBS), seen(JOBS))


@pytest.mark.parametrize(
    ("failing", "expected"),
    [
        ("NoteOut", ["ForgetOut"]),
        ("StopUnit", ["StopUnit", "SwitchRelease", "StartUnit", "ProveRelease", "ForgetOut"]),
        (
            "ProveRelease",
            ["MarkBad", "StopUnit", "SwitchRelease", "StartUnit", "ProveRelease", "ForgetOut"],
        ),
    ],
)
def test_a_worker_that_fails_returns_to_its_old_release(failing: str, expected: list[str]) -> None:
    host_plan = laid(JOBS, found=seen(JOBS, jobs=_both()))
    step = next(each for each in host_plan.steps if type(each).__name__ == failing)
    recovery = failed_host.recovery_of(host_plan, step)
    assert names(recovery.steps) == expected
    assert recovery.serves


def test_a_worker_without_a_release_to_go_back_to_takes_no_more_work() -> None:
    host_plan = laid(JOBS, found=seen(JOBS, jobs=Slot()))
    proof = next(each for each in host_plan.steps if type(each).__name__ == "ProveRelease")
    recovery = failed_host.recovery_of(host_plan, proof)
    assert names(recovery.steps) == ["MarkBad", "RetireUnit", "ForgetOut"]
    assert not recovery.serves


def test_an_old_worker_that_does_not_stay_up_either_takes_no_more_work() -> None:
    host_plan = laid(JOBS, found=seen(JOBS, jobs=_both()))
    proof = next(each for each in host_plan.steps if type(each).__name__ == "ProveRelease")
    back = failed_host.recovery_of(host_plan, proof).steps
    again = next(each for each in back if type(each).__name__ == "ProveRelease")
    other = failed_recovery.instead(host_plan, again, is_bad=True)
    assert other
    assert names(other.steps) == ["RetireUnit"]
    assert not other.serves


def test_a_release_that_served_before_is_proven_without_a_command_that_came_later() -> None:
    jobs = builders.worker(health={"command": "jobs --check"})
    host_plan = laid(jobs, found=seen(jobs, jobs=_both()))
    proof = next(each for each in host_plan.steps if type(each).__name__ == "ProveRelease")
    back = failed_host.recovery_of(host_plan, proof).steps
    again = next(each for each in back if type(each).__name__ == "ProveRelease")
    assert "`jobs --check` gives 0" in str(proof)
    assert "it runs" in str(again)


def test_a_worker_that_is_down_neither_goes_apart_nor_costs_the_canary() -> None:
    """It is no capacity: a bad release of it may not start on every host at once."""
    down = builders.slot(unit_state=STOPPED)
    hosts = [builders.facts(n, {"web": builders.slot(), "jobs": down}) for n in (1, 2, 3)]
    survey = builders.survey(hosts, apps=(WEB, JOBS))
    offers = tuple(builders.offer(app, hosts) for app in (WEB, JOBS))
    plan = assembly.make(builders.environment(WEB, JOBS, batch="34%"), offers, survey)
    assert [len(batch) for batch in plan.batches] == [1, 1, 1]


def test_a_running_worker_keeps_no_host_from_being_repaired() -> None:
    """What waits for capacity is what serves requests."""
    out = builders.slot(unit_state=STOPPED, running_release="", running_unit_digest="")
    hosts = [
        builders.facts(1, {"web": out, "jobs": builders.slot(out=NOTE)}),
        builders.facts(2, {"web": builders.slot(unit_digest="e" * 12), "jobs": builders.slot()}),
    ]
    survey = builders.survey(hosts, {"host-1": GONE}, apps=(WEB, JOBS))
    plan = repair.make(builders.environment(WEB, JOBS), survey)
    assert {step.host.name for step in plan.steps} == {"host-1"}


def test_a_worker_that_takes_the_place_of_a_unit_gives_it_back() -> None:
    jobs = builders.worker(replaces="old.service")
    legacy = UnitState("loaded", "active", "running", "enabled")
    host_plan = laid(jobs, found=seen(jobs, jobs=Slot(replaces=legacy)))
    assert names(host_plan.steps)[:2] == ["NoteOut", "RetireUnit"]
    proof = next(each for each in host_plan.steps if type(each).__name__ == "ProveRelease")
    recovery = failed_host.recovery_of(host_plan, proof)
    assert names(recovery.steps) == ["MarkBad", "ReviveUnit", "ProveRevived", "ForgetOut"]


def _both(**more: Any) -> Slot:
    """The old release at rest, a new one beside it."""
    kept = frozenset({Record(OLD, builders.unit().digest).kept})
    return builders.slot(releases=(OLD, NEW), kept=kept, **more)


LEFT: dict[str, tuple[Slot, list[str]]] = {
    "noted alone": (_both(out=NOTE), ["ProveRelease", "ForgetOut"]),
    "stopped": (
        _both(out=NOTE, unit_state=STOPPED, running_release="", running_unit_digest=""),
        [*SWITCHED, "RecordDeployed"],
    ),
    "started anew and not proven": (
        _both(out=NOTE, link=NEW, running_release=NEW, unit_digest="d" * 12),
        [*SWITCHED, "RecordDeployed"],
    ),
    "first install, never proven": (
        builders.slot(NEW, history=(), out=NOTE),
        ["RetireUnit", "ForgetOut"],
    ),
}


@pytest.mark.parametrize(("left", "expected"), LEFT.values(), ids=LEFT)
def test_repair_takes_a_worker_to_what_was_deployed(left: Slot, expected: list[str]) -> None:
    plan = repair.make(builders.environment(JOBS), seen(JOBS, jobs=left))
    assert names(plan.steps) == expected


def test_a_worker_goes_back_as_the_others_do() -> None:
    history = (Record(OLD, builders.unit().digest), Record(NEW, "d" * 12))
    now = _both(history=history, link=NEW, running_release=NEW)
    plan = rollback.make(
        builders.environment(JOBS),
        seen(JOBS, jobs=now),
        OLD,
        scope=Scope("lab", "rollback"),
        allow_downtime=True,
    )
    assert names(plan.steps) == ["MarkBad", *SWITCHED, "RecordDeployed"]


@pytest.mark.parametrize(
    ("slot", "state", "code"),
    [
        (builders.slot(), "running", ExitCode.DONE),
        (builders.slot(unit_state=STOPPED), "stopped", ExitCode.OUT_OF_SERVICE),
        (builders.slot(history=()), "running", ExitCode.FAILED),
    ],
    ids=["well", "stopped", "never recorded"],
)
def test_status_shows_whether_a_worker_runs(slot: Slot, state: str, code: ExitCode) -> None:
    found = status.overview(builders.environment(JOBS), seen(JOBS, jobs=slot))
    (row,) = found.rows
    assert (row.state, row.target, row.reason, found.exit_code) == (state, "", "", code)
