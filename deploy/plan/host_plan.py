"""What is done on one host, in order: the lanes of which plans are made. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy.aws.target_groups import State
from deploy.hosts.records import Kind
from deploy.steps import idle_drain
from deploy.steps.idle_drain import WaitQuiet
from deploy.steps.records import ForgetOut, MarkBad, RecordDeployed
from deploy.steps.target import DeregisterTarget, RegisterTarget, Soak, WaitDrained, WaitHealthy
from deploy.steps.unit import RetireUnit, StartUnit, StopUnit, SwitchRelease
from deploy.steps.verify import ProveRelease

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from deploy.aws.inventory import Host
    from deploy.aws.target_groups import TargetGroup
    from deploy.hosts.records import Record
    from deploy.settings.app import App
    from deploy.settings.environment import Environment
    from deploy.steps.base import Step
    from deploy.survey.facts import HostFacts, Slot, Survey


@dataclass(frozen=True)
class Goal:
    """What an app's slot on one host shall run: a release, under the unit with this digest.

    failed_release: the release that is left because it is bad, to be marked so; empty for none;
    kind: what its record says of the switch.
    """

    app: App
    release: str
    unit: str
    failed_release: str = ""
    kind: Kind = Kind.DEPLOY


@dataclass(frozen=True)
class Lane:
    """One host's steps, in order.

    after: what is done when the next batch may begin already: the old slots drain and stop.
    good: for each app, what the host can go back to where a step fails; drains: for each app,
    the seconds that its target drains in a recovery; surged: the apps, by name, whose slot in
    use is not touched until the other one serves; served: those of them whose slot in use is in
    the load balancer, which after a first install that failed it is not; apart: whether one
    app's steps are done whatever becomes of another's.
    """

    host: Host
    steps: tuple[Step, ...]
    good: Mapping[str, Record] = field(default_factory=dict)
    drains: Mapping[str, float] = field(default_factory=dict)
    after: tuple[Step, ...] = ()
    surged: frozenset[str] = frozenset()
    served: frozenset[str] = frozenset()
    apart: bool = False

    @property
    def all_steps(self) -> tuple[Step, ...]:
        """Those of the batch and those after it."""
        return (*self.steps, *self.after)

    def switches(self, app: App) -> bool:
        """Whether the app is out of service while the lane is worked."""
        return app.name not in self.surged and any(
            isinstance(step, SwitchRelease) and step.app.name == app.name for step in self.steps
        )

    @property
    def unseen(self) -> tuple[Step, ...]:
        """What may be done before the lane's turn, since it cannot affect traffic.

        The steps before its first registration, where each of them starts or proves a release
        beside what serves; nothing otherwise.
        """
        beside = (SwitchRelease, StartUnit, ProveRelease)
        enrols = [n for n, step in enumerate(self.steps) if isinstance(step, RegisterTarget)]
        before = self.steps[: enrols[0]] if enrols else ()
        is_unseen = all(isinstance(s, beside) and s.app.name in self.surged for s in before)
        return before if is_unseen else ()

    def may_stop_before(self, step: Step) -> bool:
        """Whether traffic was not affected yet, and nothing registered, when this step begins."""
        before = self.steps[: self.steps.index(step)]
        only_surged = all(each.app.name in self.surged for each in self.steps)
        is_first = not before
        return is_first or (
            only_surged and not any(isinstance(each, RegisterTarget) for each in before)
        )


@dataclass
class _Parts:
    """A lane in the making: what the apps do in turn, so that their waits overlap."""

    out: list[Step] = field(default_factory=list)
    waits: list[Step] = field(default_factory=list)
    switch: list[Step] = field(default_factory=list)
    enrol: list[Step] = field(default_factory=list)
    see: list[Step] = field(default_factory=list)
    leave: list[Step] = field(default_factory=list)
    empty: list[Step] = field(default_factory=list)
    end: list[Step] = field(default_factory=list)


def laid(goals: Iterable[Goal], facts: HostFacts, survey: Survey, environment: Environment) -> Lane:
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
    return Lane(
        host,
        (*parts.out, *parts.waits, *parts.switch, *parts.enrol, *parts.see),
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
    parts.enrol.append(RegisterTarget(host, app))
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
    # A unit of before lives where the app's first slot is, until a release has taken its place:
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
        ProveRelease(host, app, goal.release, *question(app, group)),
    )


def drain_seconds(group: TargetGroup, environment: Environment) -> float:
    """How long a target of the group drains."""
    return max(group.delay_seconds, environment.propagation_seconds)


def question(app: App, group: TargetGroup) -> tuple[str, str]:
    """Path and expected codes of the local probe: the app's, or else the group's own check."""
    return app.health.path or group.health_path, app.health.expect or group.matcher
