"""What a deploy's plan has to run once, where, and when it has to ask first."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import builders
import pytest
from builders import NEW

from deploy.errors import BadInput, Unreachable
from deploy.hosts.once.evidence import Evidence
from deploy.hosts.once.record import OnceRecord, State
from deploy.once import plan as planning
from deploy.once.refusal import Begun
from deploy.once.step import RunOnce, SkipOnce
from deploy.plan import assembly
from deploy.run.as_events import plan_made
from deploy.screen.plan import text
from deploy.settings.scope import Scope
from deploy.survey.slot import UnitState

if TYPE_CHECKING:
    from deploy.plan.plan import Plan

RUN = "ab" * 16
SCOPE = Scope("lab", "deploy", ("--package", "2.0.0"))
NOTHING = Evidence(3)
GROUPS = {"web": (builders.group(),)}
UNIT = "[Service]\nExecStart=/srv/web/current/web\nUser=web\nEnvironment=PORT=5000\nType=notify\n"


def web(*ports: int, **settings: Any) -> Any:
    return builders.app("web", *ports, **({"run_once": "./migrate --port {port}"} | settings))


def made(app: Any, count: int = 3, release: str = builders.OLD, **rollout: Any) -> Plan:
    spares = {"web": builders.slot(unit_state=UnitState(), running_release="")}
    hosts = [
        builders.facts(
            number,
            {"web": builders.slot(release)},
            spares=spares if len(app.ports) > 1 else {},
            free_memory_kb=1024**2,
        )
        for number in range(1, count + 1)
    ]
    environment = builders.environment(app, rollout=rollout)
    survey = builders.survey(hosts, apps=[app])
    offer = builders.offer(app, hosts, text=UNIT)
    package = replace(offer.package, files=frozenset({"web", "migrate"}))
    return assembly.make(environment, (replace(offer, package=package),), survey)


def decided(
    app: Any,
    evidence: Evidence = NOTHING,
    state: UnitState | None = None,
    answer: str | None = None,
) -> Plan:
    plan, record = made(app), evidence.record
    begun = None
    if record and record.state is State.STARTED:
        begun = Begun("web", NEW, app.run_once, record, state)
    return planning.decided(plan, app, evidence, begun, SCOPE, answer)


def shown(state: State) -> Evidence:
    record = OnceRecord(state, RUN, "host-1", "2026-11-29T12:00:00+00:00", "ana@laptop")
    return Evidence(3, {f"host-{number}": record for number in (1, 2, 3)})


def test_the_first_host_of_the_first_batch_does_it_and_others_where_it_is_not_staged() -> None:
    plan = decided(web())
    (choices,) = plan.once
    assert [each.host.name for each in choices] == ["host-1", "host-2", "host-3"]
    assert [type(step) for each in choices for step in each.steps] == [RunOnce] * 3
    assert [step for step in plan.steps if isinstance(step, RunOnce)] == [*choices[0].steps]


def test_p6_it_is_listed_after_the_staging_and_before_the_first_batch() -> None:
    event = plan_made(decided(web()), GROUPS)
    said = f"run `./migrate --port {{port}}` of web {NEW} once (at most 600 s)"
    full = text.of(event, is_full=True).splitlines()
    place = full.index(f"  host-1: {said}")
    assert full.count(f"  host-1: {said}") == 1
    assert full[place - 1] == "Once, when that is done:"
    assert full[place + 1].startswith("Batch 1 of 3")
    folded = text.of(event, 80)
    assert f"When that is done, on host-1: {said}" in " ".join(folded.split())
    assert max(map(len, folded.splitlines())) <= 80


def test_it_is_run_as_the_service_would_be_on_the_staged_release() -> None:
    (step,) = decided(web()).once[0][0].steps
    assert isinstance(step, RunOnce)
    lines = step.unit_text.splitlines()
    for line in ("Type=oneshot", "User=web", "Environment=PORT=5000", "TimeoutStartSec=600"):
        assert line in lines
    assert "ExecStart=/srv/web/current/migrate --port 5000" in lines
    assert not [line for line in lines if "current/web" in line or "notify" in line]


def test_it_runs_with_the_environment_of_the_slot_that_the_release_takes() -> None:
    plan = made(web(5000, 5001), strategy="surge")
    found = planning.decided(plan, plan.apps["web"], NOTHING, None, SCOPE, None)
    (step,) = found.once[0][0].steps
    assert isinstance(step, RunOnce)
    assert "ExecStart=/srv/web/current/migrate --port 5001" in step.unit_text
    assert plan.early, "the control: without it, the first batch begins beside the staging"
    assert found.early == {}, "no new release starts before it"


def test_a_release_that_had_it_run_does_not_run_it_again_and_the_plan_says_so() -> None:
    for state in (State.DONE, State.SKIPPED):
        plan = decided(web(), shown(state))
        assert plan.once == ()
        (note,) = plan.notes
        assert f"is not run for {NEW}: {state} by ana@laptop at 2026-11-29T12:00:00+00:00" in note
        assert f"Note: {note}" in text.of(plan_made(plan, GROUPS))


def test_one_that_was_started_and_is_not_done_is_asked_about() -> None:
    with pytest.raises(BadInput) as caught:
        decided(web(), shown(State.STARTED), UnitState(active="failed", exit_status=3))
    said = str(caught.value)
    assert caught.value.exit_code == 2
    for part in (
        f"of {NEW} was begun on host-1",
        "started by ana@laptop at 2026-11-29T12:00:00+00:00",
        "its host shows that it failed (exit status 3)",
        f"ssh host-1 sudo journalctl -u changeover-once.web.{RUN[:12]}.service",
        "inv deploy --env lab --package 2.0.0 --run-once again",
        "inv deploy --env lab --package 2.0.0 --run-once skip",
    ):
        assert part in said


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (None, "does not answer, so it may still run"),
        (UnitState(active="active"), "shows that it ended well"),
        (UnitState(), "no longer knows how it ended"),
    ],
)
def test_what_its_host_shows_of_it_is_said(state: UnitState | None, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        decided(web(), shown(State.STARTED), state)


@pytest.mark.parametrize("answer", [None, "again", "skip"])
@pytest.mark.parametrize("active", ["activating", "deactivating"])
def test_nothing_is_deployed_and_nothing_run_beside_one_that_still_runs(
    active: str, answer: str | None
) -> None:
    with pytest.raises(BadInput, match="still runs on host-1") as caught:
        decided(web(), shown(State.STARTED), UnitState(active=active), answer)
    assert f"sudo systemctl stop changeover-once.web.{RUN[:12]}.service" in str(caught.value)


@pytest.mark.parametrize(
    ("state", "answer", "kind"),
    [
        (State.STARTED, "again", RunOnce),
        (State.STARTED, "skip", SkipOnce),
        (None, "skip", SkipOnce),
        (None, "again", RunOnce),
        (State.DONE, "again", None),
        (State.DONE, "skip", None),
    ],
)
def test_the_answer_decides_about_one_that_did_not_end_well(
    state: State | None, answer: str, kind: type | None
) -> None:
    plan = decided(web(), shown(state) if state else NOTHING, UnitState(active="failed"), answer)
    assert [type(choices[0].steps[0]) for choices in plan.once] == ([kind] if kind else [])


def test_too_few_hosts_that_answer_are_no_answer() -> None:
    silent = {f"host-{number}": f"host-{number}: gone" for number in (1, 2)}
    with pytest.raises(Unreachable, match="host-1: gone; host-2: gone"):
        decided(web(), Evidence(3, silent=silent))


def test_where_nothing_is_due_no_host_is_asked() -> None:
    without = made(builders.app())
    assert planning.completed(without, {}, SCOPE) is without
    app = web()
    hosts = [builders.facts(1, {"web": builders.slot(NEW, builders.unit(text=UNIT))})]
    survey = builders.survey(hosts, apps=[app])
    offer = builders.offer(app, hosts, text=UNIT)
    current = assembly.make(builders.environment(app), (offer,), survey)
    assert current.batches == ()
    assert planning.completed(current, {}, SCOPE) is current


def test_an_answer_without_a_question_is_refused() -> None:
    with pytest.raises(BadInput, match="no app of this deploy has `run_once:`"):
        planning.completed(made(builders.app()), {}, SCOPE, "again")
