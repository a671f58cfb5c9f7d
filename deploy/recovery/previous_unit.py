"""Steps that return the unit under `replaces:` to service, after a deploy or its undo. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from deploy.aws.targets import GONE, State
from deploy.hosts.notes import Note
from deploy.hosts.records import Kind
from deploy.plan import host_steps
from deploy.plan.host_plan import Goal, HostPlan
from deploy.recovery import shared_target
from deploy.recovery.history import Past
from deploy.steps.answers import ProvePrevious, ProveRevived
from deploy.steps.records import ForgetOut, RecordDeployed
from deploy.steps.target import WaitHealthy
from deploy.steps.unit import RetireUnit, ReviveUnit
from deploy.steps.verify import ProveRelease
from deploy.survey.app_on_host import AppOnHost, SlotOnHost

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from deploy.hosts.records import Record
    from deploy.plan.plan import Plan
    from deploy.settings.environment import Environment
    from deploy.steps.base import Step
    from deploy.survey.check import Check
    from deploy.survey.facts import Survey
    from deploy.survey.slot import Slot


def proof(at: SlotOnHost, record: Record, asked: Check) -> Step:
    """Return the step that proves that a slot runs its record: a release, or the previous unit."""
    if record.is_previous:
        return ProvePrevious(at.host, at.app, record.release, asked)
    return ProveRelease(at.host, at.app, record.release, asked)


def taken_over(on: AppOnHost, asked: Check) -> tuple[Step, ...]:
    """What records an undo that was cut off when the previous unit was in service already.

    Only a proven one is registered. Nothing where that is not so.
    """
    slot, last = on.slot, on.slot.deployed
    states = {each.health.state for each in on.memberships}
    is_in = bool(states) and states <= {State.HEALTHY, State.INITIAL}
    if not (on.is_first and slot.runs_previous and is_in) or last is None or last.is_previous:
        return ()
    return (
        ProvePrevious(on.host, on.app, slot.previous_name, asked),
        WaitHealthy(on.host, on.app),
        RecordDeployed(on.host, on.app, slot.previous_name, "", Kind.ROLLBACK),
    )


def restored(
    on: AppOnHost,
    asked: Check,
    out: Sequence[Step],
    wait: Sequence[Step],
    through: Sequence[Step],
) -> tuple[Step, ...]:
    """What starts the previous unit again where a deploy was cut off that replaces it.

    Nothing where a release was deployed since. out: what takes the target out first; wait: for an
    address that drains; through: what asks the proxy before it goes in.
    """
    host, slot, last = on.host, on.slot, on.slot.deployed
    previous = str(on.app.settings.replaces or "")
    is_its_turn = slot.can_run(last) and last.is_previous if last else _was_out(slot)
    if not (previous and slot.replaces.is_loaded and is_its_turn):
        return ()
    first = on if on.is_first else on.spare or on
    revived = ProveRevived(host, first.app, previous, asked)
    is_up = slot.replaces.is_running and not slot.unit_state.is_running
    if is_up and on.is_first and on.may_receive and not last:
        if on.is_in_every_group:
            return (revived, WaitHealthy(host, on.app), ForgetOut(host, on.app))
        return (*wait, revived, *through, *shared_target.back_in(host, on.app))
    ended = () if on.is_first else (RetireUnit(host, on.app, on.unit_name), ForgetOut(host, on.app))
    return (
        *out,
        *wait,
        *ended,
        ReviveUnit(host, first.app, previous),
        revived,
        *through,
        *shared_target.back_in(host, first.app),
    )


def _was_out(slot: Slot) -> bool:
    """Whether a readable note says that we took the target out."""
    return Note.parse(slot.out) is not None


def aside(on: AppOnHost, environment: Environment) -> tuple[Goal, AppOnHost] | None:
    """By surge, what first takes a release from the previous unit's port to the app's other slot.

    So the previous unit can start beside it, and capacity does not drop. Returns the goal, and the
    app as it is afterwards; None where the release has to make way at once: by rolling, where it
    is not healthy, where it is on the other port already, or where that slot cannot take it.
    """
    last, spare = on.slot.deployed, on.spare
    if spare is None or last is None or last.is_previous or not on.is_first:
        return None
    serves = on.is_healthy and on.slot.runs_deployed
    if not (serves and spare.slot.can_run(last) and host_steps.surges(on, environment)):
        return None
    health = {each.group.arn: each.health for each in on.memberships}
    then = AppOnHost(
        on.host,
        spare.app,
        replace(on.slot, kept=spare.slot.kept),
        tuple(each._replace(health=health[each.group.arn]) for each in spare.memberships),
        spare=SlotOnHost(
            on.host,
            on.app,
            replace(spare.slot, kept=on.slot.kept),
            tuple(each._replace(health=GONE) for each in on.memberships),
        ),
        has_partner_out=on.has_partner_out,
    )
    return Goal(on, last.release, last.unit_digest, is_new=False), then


def moved(goals: Sequence[Goal], environment: Environment) -> HostPlan:
    """The host plan to the goals of `aside`: what was deployed is recorded already."""
    laid = host_steps.laid(goals, environment)
    steps = tuple(
        ForgetOut(step.host, step.app) if isinstance(step, RecordDeployed) else step
        for step in laid.steps
    )
    return replace(laid, steps=steps)


def is_adoption(plan: Plan) -> bool:
    """Whether a plan replaces previous units that serve."""
    return bool(_adopted(plan))


def with_earlier(
    environment: Environment,
    survey: Survey,
    plan: Plan,
    wanted: Mapping[str, Mapping[str, Record]],
) -> dict[str, dict[str, Record]]:
    """What hosts go back to, with those that an earlier run of the same adoption had finished.

    A fleet that was adopted in part would otherwise stay so. Those hosts run the plan's release,
    and before it ran the previous unit. wanted: by app and host name, what the others go back to.
    """
    found = {app: dict(records) for app, records in wanted.items()}
    for app in (each for each in environment.asked_apps if each.name in _adopted(plan)):
        past = Past.of(app, environment, survey)
        for host, stack in past.stacks.items():
            top, below = stack[-1:], stack[-2:-1]
            is_same = [each.release for each in top] == [plan.releases[app.name]]
            for before in (each for each in below if is_same and each.is_previous):
                found[app.name].setdefault(host, before)
    return found


def _adopted(plan: Plan) -> frozenset[str]:
    """The apps, by name, that a plan puts in the place of a previous unit on some host."""
    return frozenset(
        app
        for batch in plan.batches
        for host_plan in batch
        for app, before in host_plan.good.items()
        if before.is_previous and plan.releases.get(app) != before.release
    )
