"""The steps of one host, for its apps' goals and the strategy. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.aws.targets import State
from deploy.plan.host_plan import Goal, HostPlan
from deploy.steps import idle_drain, verify
from deploy.steps.idle_drain import WaitQuiet
from deploy.steps.records import ForgetOut, MarkBad, RecordDeployed
from deploy.steps.target import DeregisterTarget, RegisterTarget, Soak, WaitDrained, WaitHealthy
from deploy.steps.unit import RetireUnit, StartUnit, StopUnit, SwitchRelease
from deploy.steps.verify import ProveRelease

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deploy.aws.inventory import Host
    from deploy.aws.targets import TargetGroup
    from deploy.hosts.records import Record
    from deploy.settings.app import App
    from deploy.settings.environment import Environment
    from deploy.steps.base import Step
    from deploy.survey.facts import HostFacts, Slot, Survey


@dataclass
class _Parts:
    """A host plan in the making: what the apps do in turn, so that their waits overlap."""

    out: list[Step] = field(default_factory=list)
    waits: list[Step] = field(default_factory=list)
    switch: list[Step] = field(default_factory=list)
    register: list[Step] = field(default_factory=list)
    see: list[Step] = field(default_factory=list)
    leave: list[Step] = field(default_factory=list)
    empty: list[Step] = field(default_factory=list)
    end: list[Step] = field(default_factory=list)


def laid(
    goals: Iterable[Goal], facts: HostFacts, survey: Survey, environment: Environment
) -> HostPlan:
    """One host's steps to its goals; the apps' drains, and their registrations, overlap.

    By the strategy `surge` an app that runs is started anew in its other slot; one that does not
    has nothing to keep in service, and takes the slot in use.
    """
    parts, host = _Parts(), facts.host
    good: dict[str, Record] = {}
    drains: dict[str, float] = {}
    surged: list[App] = []
    for goal in goals:
        app = goal.app
        slot = facts.slots[app.name]
        if goal.failed_release:
            parts.out.append(MarkBad(host, facts.at(app), goal.failed_release))
        if surges(facts, app, environment):
            surged.append(app)
            _surge(parts, goal, facts, survey, environment)
        else:
            _roll(parts, goal, facts, survey, environment)
        drains[app.name] = drain_seconds(survey.groups[app.name], environment)
        last = slot.deployed
        if last and slot.can_run(last) and (last.release, last.unit) != (goal.release, goal.unit):
            good[app.name] = last
    return HostPlan(
        host,
        (*parts.out, *parts.waits, *parts.switch, *parts.register, *parts.see),
        good,
        drains,
        (*parts.leave, *parts.empty, *parts.end),
        frozenset(app.name for app in surged),
        serving(surged, facts, survey),
    )


def serving(apps: Iterable[App], facts: HostFacts, survey: Survey) -> frozenset[str]:
    """Those of the apps, by name, whose slot in use on the host is in the load balancer."""
    own = [app for app in apps if survey.health_of(facts.host, facts.at(app)).may_receive]
    return frozenset(app.name for app in own)


def surges(facts: HostFacts, app: App, environment: Environment) -> bool:
    """Whether the app's next release takes its other slot, beside what runs."""
    slot = facts.slots[app.name]
    return environment.rollout.strategy == "surge" and (
        slot.unit.is_running or slot.replaces.is_running
    )


def landing(facts: HostFacts, app: App, environment: Environment) -> Slot:
    """The slot that the app's next release takes."""
    slots = facts.spares if surges(facts, app, environment) else facts.slots
    return slots[app.name]


def _roll(
    parts: _Parts, goal: Goal, facts: HostFacts, survey: Survey, environment: Environment
) -> None:
    """Out, drained, stopped, switched, proven, in: all in the slot in use."""
    app, host = facts.at(goal.app), facts.host
    slot, health = facts.slots[app.name], survey.health_of(host, app)
    if health.may_receive:
        parts.out.append(DeregisterTarget(host, app, was_healthy=health.state is State.HEALTHY))
    if health.reason != "Target.NotRegistered":
        parts.waits.append(drained(facts, app, survey, environment))
    parts.switch += _retired(facts, app)
    if slot.unit.is_loaded:
        parts.switch.append(StopUnit(host, app))
    _enter(parts, goal, app, facts, survey, environment)


def _surge(
    parts: _Parts, goal: Goal, facts: HostFacts, survey: Survey, environment: Environment
) -> None:
    """Started, proven and in, in the other slot; then the old slot drains and stops."""
    old, host, group = facts.at(goal.app), facts.host, survey.groups[goal.app.name]
    new = facts.spare(goal.app)
    if new is None:
        raise ValueError(f"{goal.app.name} has no other slot")
    seconds = drain_seconds(group, environment)
    draining = survey.health_of(host, new).state is State.DRAINING
    if group.target_type == "ip" and draining:
        # Its address may not come back before the delay of its last time is over (ALB guide).
        parts.waits.append(WaitDrained(host, new, seconds))
    _enter(parts, goal, new, facts, survey, environment)
    health = survey.health_of(host, old)
    if health.may_receive:
        parts.leave.append(DeregisterTarget(host, old, was_healthy=health.state is State.HEALTHY))
    if health.reason != "Target.NotRegistered":
        parts.empty.append(drained(facts, old, survey, environment, heeds_stop=False))
    parts.end += _retired(facts, old)
    if facts.slots[old.name].unit.is_loaded:
        parts.end.append(RetireUnit(host, old, old.unit))
    parts.end.append(ForgetOut(host, old))


def _enter(
    parts: _Parts, goal: Goal, app: App, facts: HostFacts, survey: Survey, environment: Environment
) -> None:
    """The release enters a slot: switched, started, proven, registered, healthy, recorded."""
    host, group = facts.host, survey.groups[app.name]
    parts.switch += entered(host, goal, group, app)
    parts.register.append(RegisterTarget(host, app))
    parts.see.append(WaitHealthy(host, app))
    soak = max(environment.rollout.soak_seconds, group.slow_start_seconds)
    if soak:
        parts.see.append(Soak(host, app, soak))
    parts.see.append(RecordDeployed(host, app, goal.release, goal.unit, goal.kind))


def _retired(facts: HostFacts, app: App) -> list[Step]:
    """The previous unit is removed, where the app takes its place and it is still there."""
    before = facts.slots[app.name].replaces
    if app.replaces and (before.is_running or before.enabled == "enabled"):
        return [RetireUnit(facts.host, app, app.replaces)]
    return []


def left_over(
    facts: HostFacts, app: App, survey: Survey, environment: Environment
) -> tuple[Step, ...]:
    """What ends a slot that a deploy left beside the one in use; nothing where it is at rest."""
    spare, host = facts.spare(app), facts.host
    if spare is None:
        return ()
    slot, health = facts.spares[app.name], survey.health_of(host, spare)
    is_up = slot.unit.is_running or slot.unit.enabled == "enabled"
    # The previous unit lives where the app's first slot is, until a release has taken its place:
    # one that serves has, though a deploy that was cut off may not have recorded it yet.
    is_taken = slot.deployed or survey.health_of(host, facts.at(app)).state is State.HEALTHY
    before = _retired(facts, spare) if is_taken and spare.port == app.ports[0] else []
    if not (is_up or before or health.may_receive or slot.out):
        return ()
    found: list[Step] = []
    if health.may_receive:
        found.append(DeregisterTarget(host, spare, was_healthy=health.state is State.HEALTHY))
    may_be_busy = slot.unit.is_running or before
    if health.may_receive or (may_be_busy and health.state is State.DRAINING):
        found.append(drained(facts, spare, survey, environment))
    found += before
    if is_up:
        found.append(RetireUnit(host, spare, spare.unit))
    return (*found, ForgetOut(host, spare))


def drained(
    facts: HostFacts,
    app: App,
    survey: Survey,
    environment: Environment,
    *,
    heeds_stop: bool = True,
) -> WaitDrained | WaitQuiet:
    """How the target of an app's slot drains: until it is quiet, where that is wanted and can be.

    heeds_stop: whether it ends when the operator wants an end.
    """
    host, group, slot = facts.host, survey.groups[app.name], facts.slot(app)
    seconds = drain_seconds(group, environment)
    if environment.rollout.drain == "quiet" and not idle_drain.refusal(app, group, slot):
        floor_seconds, quiet_seconds = environment.propagation_seconds, environment.quiet_seconds
        return WaitQuiet(host, app, floor_seconds, quiet_seconds, seconds, heeds_stop)
    return WaitDrained(host, app, seconds, heeds_stop)


def entered(host: Host, goal: Goal, group: TargetGroup, app: App) -> tuple[Step, ...]:
    """A slot takes a release that lies on the host, and proves it; app: in that slot."""
    return (
        SwitchRelease(host, app, goal.release, goal.unit),
        StartUnit(host, app),
        ProveRelease(host, app, goal.release, *verify.question(app, group)),
    )


def drain_seconds(group: TargetGroup, environment: Environment) -> float:
    """How long a target of the group drains."""
    return max(group.delay_seconds, environment.propagation_seconds)
