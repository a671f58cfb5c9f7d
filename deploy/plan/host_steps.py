"""The steps of one host, for its apps' goals and the strategy. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.plan.host_plan import Goal, HostPlan
from deploy.steps import shorter_drain
from deploy.steps.answers import ProveProxy, ProveRevived
from deploy.steps.drain import WaitDrained, WaitQuiet
from deploy.steps.records import ForgetOut, NoteOut, RecordDeployed
from deploy.steps.target import DeregisterTarget, RegisterTarget, Soak, WaitHealthy
from deploy.steps.unit import RetireUnit, ReviveUnit, StartUnit, StopUnit, SwitchRelease
from deploy.steps.verify import ProveRelease, WatchWorker
from deploy.survey import check
from deploy.survey.question import Questions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from deploy.settings.environment import Environment
    from deploy.steps.base import Step
    from deploy.steps.drain import Drain
    from deploy.survey.app_on_host import AppOnHost, SlotOnHost
    from deploy.survey.check import Check


@dataclass
class _Parts:
    """A host plan in the making: what the apps do in turn, so that their waits overlap.

    Workers come before or after all that: no target waits for a worker to end.
    """

    before: list[Step] = field(default_factory=list)
    behind: list[Step] = field(default_factory=list)
    out: list[Step] = field(default_factory=list)
    waits: list[Step] = field(default_factory=list)
    switch: list[Step] = field(default_factory=list)
    through: list[Step] = field(default_factory=list)
    register: list[Step] = field(default_factory=list)
    see: list[Step] = field(default_factory=list)
    leave: list[Step] = field(default_factory=list)
    empty: list[Step] = field(default_factory=list)
    end: list[Step] = field(default_factory=list)


def laid(goals: Sequence[Goal], environment: Environment) -> HostPlan:
    """The steps to the goals of one host; the apps' drains, and their registrations, overlap.

    By the strategy `surge` an app that runs is started anew in its other slot; one that does not
    has nothing to keep in service, and takes the slot in use.
    """
    parts, host = _Parts(), goals[0].on.host
    drains: dict[str, float] = {}
    surged: list[AppOnHost] = []
    new: set[str] = set()
    for goal in goals:
        on, name = goal.on, goal.on.app.name
        if on.slot.deployed is None and not on.is_up:
            new.add(name)
        if goal.failed_release and not on.is_worker:
            parts.out.append(goal.mark)
        if on.is_worker:
            has_begun = any(not each.on.is_worker for each in goals[: goals.index(goal)])
            (parts.behind if has_begun else parts.before).extend(_work(goal, environment))
        elif goal.is_beside or (surges(on, environment) and not goal.is_previous):
            surged.append(on)
            _surge(parts, goal, environment)
        else:
            _roll(parts, goal, environment)
        drains[name] = shorter_drain.full_seconds(on, environment)
    return HostPlan(
        host,
        (
            *parts.before,
            *(*parts.out, *parts.waits, *parts.switch),
            *(*parts.through, *parts.register, *parts.see),
            *parts.behind,
        ),
        {goal.on.app.name: found for goal in goals if (found := goal.before)},
        {goal.on.app.name: found for goal in goals if (found := goal.older)},
        drains,
        (*parts.leave, *parts.empty, *parts.end),
        frozenset(on.app.name for on in surged),
        serving(surged),
        new=frozenset(new),
    )


def serving(apps: Iterable[AppOnHost]) -> frozenset[str]:
    """Those of the apps, by name, whose slot in use is in the load balancer."""
    return frozenset(on.app.name for on in apps if on.may_receive)


def surges(on: AppOnHost, environment: Environment) -> bool:
    """Whether the app's next release takes its other slot, beside what runs.

    A worker has but one: two of them might do the same work twice.
    """
    return (
        environment.rollout.strategy == "surge"
        and not on.is_worker
        and (on.slot.unit_state.is_running or on.slot.replaces.is_running)
    )


def landing(on: AppOnHost, environment: Environment) -> SlotOnHost:
    """The slot that the app's next release takes."""
    return on.spare if on.spare and surges(on, environment) else on


def _roll(parts: _Parts, goal: Goal, environment: Environment) -> None:
    """Out, drained, stopped, switched, proven, in: all in the slot in use."""
    on = goal.on
    if on.may_receive:
        is_noted = bool(on.slot.out)
        parts.out.append(DeregisterTarget(on.host, on.app, on.is_healthy, is_noted=is_noted))
    parts.waits += emptied(on, environment)
    parts.switch += [] if goal.is_previous else _retired(on)
    if on.slot.unit_state.is_loaded:
        parts.switch.append(StopUnit(on.host, on.app))
    _enter(parts, goal, on, environment)


def _work(goal: Goal, environment: Environment) -> list[Step]:
    """A worker is stopped, switched, started and proven; the note comes before all of it."""
    on, host, app = goal.on, goal.on.host, goal.on.app
    bad = [goal.mark] if goal.failed_release else []
    stop = [StopUnit(host, app)] if on.slot.unit_state.is_loaded else []
    asked = check.of(on) if goal.is_new else check.of(on).of_old()
    soak = environment.rollout.soak_seconds
    return [
        *bad,
        NoteOut(host, app),
        *([] if goal.is_previous else _retired(on)),
        *stop,
        *_started(goal, on, asked),
        *([WatchWorker(host, app, soak)] if soak and not goal.is_previous else []),
        RecordDeployed(host, app, goal.release, goal.unit_digest, goal.kind),
    ]


def _surge(parts: _Parts, goal: Goal, environment: Environment) -> None:
    """Started, proven and in, in the other slot; then the old slot drains and stops."""
    old, new = goal.on, goal.on.spare
    if new is None:
        raise ValueError(f"{old.app.name} has no other slot")
    if new.drains_by_address:
        # Its address may not come back before the delay of its last time is over (ALB guide).
        seconds = shorter_drain.full_seconds(new, environment)
        parts.waits.append(WaitDrained(new.host, new.app, seconds, stops_service=False))
    _enter(parts, goal, new, environment)
    if old.may_receive:
        parts.leave.append(DeregisterTarget(old.host, old.app, was_healthy=old.is_healthy))
    parts.empty += emptied(old, environment, heeds_stop=False)
    parts.end += [] if goal.is_previous else _retired(old)
    if old.slot.unit_state.is_loaded:
        parts.end.append(RetireUnit(old.host, old.app, old.unit_name))
    parts.end.append(ForgetOut(old.host, old.app))


def _enter(parts: _Parts, goal: Goal, at: SlotOnHost, environment: Environment) -> None:
    """The release enters a slot: switched, started, proven, registered, healthy, recorded."""
    host, app = at.host, at.app
    parts.switch += _started(goal, at, check.alone(at, environment))
    through = Questions.of_proxy(at)
    if through.each and environment.partners(app.settings):
        parts.through.append(ProveProxy(host, app, through))
    parts.register.append(RegisterTarget(host, app))
    parts.see.append(WaitHealthy(host, app))
    slow_start_seconds = max(group.slow_start_seconds for group in at.groups)
    if soak := max(environment.rollout.soak_seconds, slow_start_seconds):
        parts.see.append(Soak(host, app, soak))
    parts.see.append(RecordDeployed(host, app, goal.release, goal.unit_digest, goal.kind))


def _started(goal: Goal, at: SlotOnHost, asked: Check) -> tuple[Step, ...]:
    """The goal's release, or the previous unit, is started in a slot and proven there."""
    host, app, release = at.host, at.app, goal.release
    if goal.is_previous:
        return (ReviveUnit(host, app, release), ProveRevived(host, app, release, asked))
    # An old release may not know them: they came with the settings of today.
    smoke = Questions.of_smoke(at) if goal.is_new else None
    return (
        SwitchRelease(host, app, release, goal.unit_digest),
        StartUnit(host, app),
        ProveRelease(host, app, release, asked, smoke),
    )


def _retired(at: SlotOnHost) -> list[Step]:
    """The previous unit is removed, where the app takes its place and it is still there."""
    previous, state = at.app.settings.replaces, at.slot.replaces
    is_there = state.is_running or state.enabled == "enabled"
    return [RetireUnit(at.host, at.app, previous)] if previous and is_there else []


def left_over(on: AppOnHost, environment: Environment) -> tuple[Step, ...]:
    """What ends a slot that a deploy left beside the one in use; nothing where it is at rest."""
    spare = on.spare
    if spare is None:
        return ()
    host, app, slot = spare.host, spare.app, spare.slot
    is_up = slot.unit_state.is_running or slot.unit_state.enabled == "enabled"
    # The previous unit lives where the app's first slot is, until a release has taken its place:
    # one that serves has, though a deploy that was cut off may not have recorded it yet.
    is_taken = slot.deployed or on.is_healthy
    before = _retired(spare) if is_taken and spare.is_first else []
    if not (is_up or before or spare.may_receive or slot.out):
        return ()
    found: list[Step] = []
    if spare.may_receive:
        found.append(DeregisterTarget(host, app, was_healthy=spare.is_healthy))
    may_be_busy = slot.unit_state.is_running and (spare.is_draining or slot.out)
    if spare.may_receive or may_be_busy or before:
        found += emptied(spare, environment)
    found += before
    if is_up:
        found.append(RetireUnit(host, app, spare.unit_name))
    return (*found, ForgetOut(host, app))


def emptied(at: SlotOnHost, environment: Environment, *, heeds_stop: bool = True) -> list[Step]:
    """What comes before a unit is stopped: its drain, or a look where only another way leads to it.

    Nothing where none runs, or where what runs never served.
    """
    if at.is_registered:
        drain = drained(at, environment, heeds_stop=heeds_stop)
        return [shorter_drain.unless_idle(at, drain)]
    seconds = environment.propagation_seconds
    look = WaitDrained(at.host, at.app, seconds, heeds_stop, is_out=True)
    return [look] if at.may_have_served else []


def drained(at: SlotOnHost, environment: Environment, *, heeds_stop: bool = True) -> Drain:
    """How the target of an app's slot drains: until it is quiet, where that is wanted and can be.

    heeds_stop: whether it ends when the operator wants an end.
    """
    seconds = shorter_drain.full_seconds(at, environment)
    if environment.rollout.drain == "quiet" and not shorter_drain.refusal(at):
        least = environment.propagation_seconds, environment.quiet_seconds
        return WaitQuiet(at.host, at.app, *least, seconds, heeds_stop)
    return WaitDrained(at.host, at.app, seconds, heeds_stop)
