"""(settings, survey) → the plan that recovers from an interrupted deploy. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from deploy.aws.targets import State
from deploy.errors import BadInput
from deploy.hosts.notes import Note
from deploy.plan import assembly, exclusion, host_steps
from deploy.plan.host_plan import Goal, HostPlan
from deploy.settings.scope import Scope
from deploy.steps import verify
from deploy.steps.records import ForgetOut, RecordDeployed
from deploy.steps.staging import RemoveReleases
from deploy.steps.target import DeregisterTarget, RegisterTarget, WaitDrained, WaitHealthy
from deploy.steps.unit import ReviveUnit
from deploy.steps.verify import ProveRelease, ProveRevived

if TYPE_CHECKING:
    from deploy.plan.plan import Plan
    from deploy.settings.app import App
    from deploy.settings.environment import Environment
    from deploy.steps.base import Step
    from deploy.survey.facts import HostFacts, Slot, Survey


def make(given: Environment, survey: Survey, scope: Scope | None = None) -> Plan:
    """The plan that repairs every host that it can, and names the others.

    Hosts that serve, and that only a switch would repair, wait where too few others are in
    service: what one host reports of itself never keeps others from being repaired. Raises
    BadInput where nothing can be done.
    """
    asked = scope or Scope(given.name, "repair")
    seen = exclusion.leave_out(given, survey, {}, asked, any_number=True)
    try:
        return _made(given, seen)
    except BadInput as error:
        rest = tuple(facts for facts in seen.hosts if not _serves(facts, given, seen))
        waits = {f.host: f"it serves, and waits: {error}" for f in seen.hosts if f not in rest}
        if not rest:
            raise
        made = _made(given, replace(seen, hosts=rest, left_out=seen.left_out | waits))
        if not made.steps:
            raise
        return made


def _serves(facts: HostFacts, environment: Environment, survey: Survey) -> bool:
    """Whether an app that is not as deployed is in service on the host all the same."""
    return any(
        survey.health_of(facts.host, facts.at(app)).state is State.HEALTHY
        and not is_whole(facts.slots[app.name])
        for app in environment.apps
    )


def _made(given: Environment, survey: Survey) -> Plan:
    """Hosts that were left out go back in, on a release that is proven first.

    That is the one that runs, where it is what was deployed last or was registered since (which
    only a proven one is); otherwise the one that was deployed last. Raises BadInput where a
    batch would leave less in service than the policy wants. What is out is repaired where it is,
    in the slot in use; a slot that was left beside it is ended.
    """
    rollout = given.rollout.model_copy(update={"strategy": "rolling"})
    environment = given.model_copy(update={"rollout": rollout})
    goals: dict[str, tuple[Goal, ...]] = {}
    staging: list[HostPlan] = []
    first: list[HostPlan] = []
    lost: list[str] = []
    for facts in survey.hosts:
        partial: list[Step] = []
        repaired: list[Step] = []
        due: list[Goal] = []
        for app in (facts.at(each) for each in environment.apps):
            slot = facts.slots[app.name]
            if slot.partial:
                partial.append(RemoveReleases(facts.host, app, ()))
            if is_whole(slot) and survey.health_of(facts.host, app).state is State.HEALTHY:
                continue
            found = _mended(environment, facts, app, survey)
            last = slot.deployed
            if found:
                repaired += found
            elif last and slot.can_run(last) and not is_sick(slot, facts, app, survey):
                due.append(Goal(app, last.release, last.unit))
            else:
                lost.append(f"{facts.host}: {_why_lost(slot, app)}")
        goals[facts.host.name] = tuple(due)
        if partial:
            staging.append(HostPlan(facts.host, tuple(partial)))
        if repaired:
            first.append(HostPlan(facts.host, tuple(repaired), apart=True))
    names = {app.name: "as last deployed" for app in environment.apps}
    made = assembly.assemble(
        environment,
        ("Repair", names),
        goals,
        tuple(staging),
        survey,
        warned=tuple(lost),
        first=tuple(first),
    )
    return replace(made, tolerated=made.tolerated + len(made.left_out))


def is_whole(slot: Slot) -> bool:
    """Whether nothing is left of a deploy: no note, and what runs is what was deployed last."""
    last = slot.deployed
    if not slot.out and last is None:
        return not slot.unit.is_loaded
    return last is not None and not slot.out and slot.runs(last.release, last.unit)


def is_sick(slot: Slot, facts: HostFacts, app: App, survey: Survey) -> bool:
    """Whether all is as deployed and registered, and the service itself is not well."""
    return is_whole(slot) and survey.health_of(facts.host, app).may_receive


def _why_lost(slot: Slot, app: App) -> str:
    if slot.deployed is None:
        return f"{app.name} was never deployed here, so there is nothing to go back to; deploy it"
    if is_whole(slot):
        return f"{app.name} runs as deployed and is not healthy; see its journal"
    return f"{app.name} {slot.deployed.release} is not here any more; deploy a package"


def _mended(
    environment: Environment, facts: HostFacts, app: App, survey: Survey
) -> tuple[Step, ...]:
    """The steps for what needs no switch; none where it does, or nothing can be done."""
    slot, host, group = facts.slots[app.name], facts.host, survey.groups[app.name]
    health = survey.health_of(host, app)
    question = verify.question(app, group)
    last = slot.deployed
    if last and slot.runs(last.release, last.unit):
        proven = ProveRelease(host, app, last.release, *question)
        if health.may_receive:
            return (proven, WaitHealthy(host, app), ForgetOut(host, app)) if slot.out else ()
        wait = _address_drained(environment, facts, app, survey)
        again = (RegisterTarget(host, app), WaitHealthy(host, app), ForgetOut(host, app))
        return (*wait, proven, *again)
    is_steady = (
        slot.unit.active == "active"
        and slot.link == slot.running_release != ""
        and slot.running_unit == slot.unit_digest
    )
    if is_steady and health.state in {State.HEALTHY, State.INITIAL}:
        release, unit = slot.running_release, slot.running_unit
        return (
            ProveRelease(host, app, release, *question),
            WaitHealthy(host, app),
            RecordDeployed(host, app, release, unit),
        )
    if app.replaces and slot.replaces.is_loaded and last is None and _was_out(slot):
        if slot.replaces.is_running and not slot.unit.is_running and health.may_receive:
            revived = ProveRevived(host, app, app.replaces, *question)
            return (revived, WaitHealthy(host, app), ForgetOut(host, app))
        return (
            *_taken_out(environment, facts, app, survey),
            *_address_drained(environment, facts, app, survey),
            ReviveUnit(host, app, app.replaces),
            ProveRevived(host, app, app.replaces, *question),
            RegisterTarget(host, app),
            WaitHealthy(host, app),
            ForgetOut(host, app),
        )
    return ()


def _taken_out(
    environment: Environment, facts: HostFacts, app: App, survey: Survey
) -> tuple[Step, ...]:
    """What is registered and sick may still be sent requests: it leaves before it is stopped."""
    if not survey.health_of(facts.host, app).may_receive:
        return ()
    drain = host_steps.drain_seconds(survey.groups[app.name], environment)
    return (
        DeregisterTarget(facts.host, app, was_healthy=False),
        WaitDrained(facts.host, app, drain),
    )


def _address_drained(
    environment: Environment, facts: HostFacts, app: App, survey: Survey
) -> tuple[Step, ...]:
    """An address that still drains cannot be registered before its delay is over (ALB guide)."""
    group, health = survey.groups[app.name], survey.health_of(facts.host, app)
    if group.target_type == "ip" and health.state is State.DRAINING:
        return (WaitDrained(facts.host, app, host_steps.drain_seconds(group, environment)),)
    return ()


def _was_out(slot: Slot) -> bool:
    """Whether a readable note says that we took the target out."""
    return Note.parse(slot.out) is not None
