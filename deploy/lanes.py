"""What is done on one host, in order: the lanes of which plans are made. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from deploy import quiet
from deploy.balancer import State
from deploy.enrolment import DeregisterTarget, RegisterTarget, Soak, WaitDrained, WaitHealthy
from deploy.proof import ProveRelease
from deploy.quiet import WaitQuiet
from deploy.recording import MarkBad, RecordDeployed
from deploy.switching import RetireUnit, StartUnit, StopUnit, SwitchRelease

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from deploy.balancer import TargetGroup
    from deploy.inventory import Host
    from deploy.records import Record
    from deploy.settings import App, Environment
    from deploy.steps import Step
    from deploy.survey import HostFacts, Slot, Survey


@dataclass(frozen=True)
class Goal:
    """What an app's slot on one host shall run: a release, under the unit with this digest.

    disgraced: the release that is left because it is bad, to be marked so; empty for none.
    """

    app: App
    release: str
    unit: str
    disgraced: str = ""


@dataclass(frozen=True)
class Lane:
    """One host's steps, in order.

    good: for each app, what the host can go back to where a step fails; drains: for each app,
    the seconds that its target drains on the way back.
    """

    host: Host
    steps: tuple[Step, ...]
    good: Mapping[str, Record] = field(default_factory=dict)
    drains: Mapping[str, float] = field(default_factory=dict)

    def switches(self, app: App) -> bool:
        """Whether the app is taken out and switched in this lane."""
        return any(
            isinstance(step, SwitchRelease) and step.app.name == app.name for step in self.steps
        )


def rolled(
    goals: Iterable[Goal], facts: HostFacts, survey: Survey, environment: Environment
) -> Lane:
    """One host's rolling steps; the apps' drains, and their ways back in, overlap."""
    out: list[Step] = []
    waits: list[Step] = []
    switch: list[Step] = []
    enrol: list[Step] = []
    see: list[Step] = []
    good: dict[str, Record] = {}
    drains: dict[str, float] = {}
    host = facts.host
    for goal in goals:
        app, group, slot = goal.app, survey.groups[goal.app.name], facts.slots[goal.app.name]
        health = survey.health_of(host, app)
        if goal.disgraced:
            out.append(MarkBad(host, app, goal.disgraced))
        if health.may_receive:
            is_healthy = health.state is State.HEALTHY
            out.append(DeregisterTarget(host, app, was_healthy=is_healthy))
        drains[app.name] = drain_seconds(group, environment)
        if health.reason != "Target.NotRegistered":
            waits.append(drained(host, app, group, environment, slot))
        if app.replaces and (slot.replaces.is_running or slot.replaces.enabled == "enabled"):
            switch.append(RetireUnit(host, app, app.replaces))
        if slot.unit.is_loaded:
            switch.append(StopUnit(host, app))
        switch += entered(host, goal, group)
        enrol.append(RegisterTarget(host, app))
        see.append(WaitHealthy(host, app))
        soak = max(environment.rollout.soak_seconds, group.slow_start_seconds)
        if soak:
            see.append(Soak(host, app, soak))
        see.append(RecordDeployed(host, app, goal.release, goal.unit))
        last = slot.deployed
        if last and slot.can_run(last) and (last.release, last.unit) != (goal.release, goal.unit):
            good[app.name] = last
    return Lane(host, (*out, *waits, *switch, *enrol, *see), good, drains)


def drained(
    host: Host, app: App, group: TargetGroup, environment: Environment, slot: Slot
) -> WaitDrained | WaitQuiet:
    """How an app's target drains on a host: until it is quiet, where that is wanted and can be."""
    seconds = drain_seconds(group, environment)
    if environment.rollout.drain == "quiet" and not quiet.refusal(app, group, slot):
        floor_seconds, quiet_seconds = environment.propagation_seconds, environment.quiet_seconds
        return WaitQuiet(host, app, floor_seconds, quiet_seconds, seconds)
    return WaitDrained(host, app, seconds)


def entered(host: Host, goal: Goal, group: TargetGroup) -> tuple[Step, ...]:
    """The slot takes a release that lies on the host, and proves it."""
    app = goal.app
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
