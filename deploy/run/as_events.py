"""Makes events of plans, steps, failures and reports. Pure."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

from deploy import __version__, ci_system
from deploy.events.event import VERSION, HostFailed, RunBegan, RunEnded, StepBegan, StepEnded
from deploy.events.planned import PlanMade, PlannedBatch, PlannedHost, PlannedStep
from deploy.events.question import QuestionAsked
from deploy.events.recovery import RecoveryBegan
from deploy.events.text import name_of
from deploy.hosts import records
from deploy.plan.plan import batch_seconds, policy
from deploy.preview import event_parts
from deploy.run.report import MEANINGS
from deploy.steps.fleet import Stopped
from deploy.steps.unit import ReviveUnit, SwitchRelease

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from deploy.aws.targets import Health, TargetGroup
    from deploy.errors import DeployError
    from deploy.plan.host_plan import HostPlan
    from deploy.plan.plan import Plan
    from deploy.recovery.recovery import Recovery
    from deploy.run.report import Failure, Report
    from deploy.settings.scope import Scope
    from deploy.steps.base import Step

    Groups = Mapping[str, Sequence[TargetGroup]]
    Runs = dict[str, dict[str, tuple[str, ...]]]


def run_began(scope: Scope, run: str) -> RunBegan:
    """A command that begins now; run: its id."""
    return RunBegan(
        version=VERSION,
        run=run,
        tool=__version__,
        verb=scope.verb,
        environment=scope.environment,
        by=records.author(),
        command=scope.again(),
        address=ci_system.run_address(os.environ),
    )


def plan_made(plan: Plan, groups: Groups, *, shows_values: bool = False) -> PlanMade:
    """A plan; groups: the target groups of each app, which say how long steps wait.

    shows_values: see `event_parts.changes`.
    """
    serving = event_parts.in_service(plan, groups)
    return PlanMade(
        verb=plan.verb,
        title=plan.title,
        releases=dict(plan.releases),
        hosts=tuple(host.name for host in plan.hosts),
        staging=tuple(_host(each, groups) for each in plan.staging),
        batches=tuple(
            PlannedBatch(
                tuple(_host(each, groups) for each in batch),
                dict(plan.minimums[number - 1]) if plan.minimums else {},
                plan.at_a_time(number),
                serving[number - 1],
                batch_seconds(batch, groups, plan.at_a_time(number)),
            )
            for number, batch in enumerate(plan.batches, start=1)
        ),
        in_service={name: len(each.healthy) for name, each in plan.in_service.items()},
        warnings=plan.warnings,
        left_out={host.name: why for host, why in plan.left_out.items()},
        seconds=plan.seconds,
        environment=plan.environment,
        policy=policy(plan.rollout) if plan.rollout else "",
        targets={name: each.size for name, each in plan.in_service.items()},
        changes=event_parts.changes(plan, shows_values=shows_values),
        is_of_workers=plan.is_of_workers,
        before=_before(plan),
        groups={app: tuple(each.name for each in groups.get(app, ())) for app in plan.releases},
        out={
            name: tuple(host.name for host, its in each.targets.items() if its not in each.healthy)
            for name, each in plan.in_service.items()
        },
        tolerated=plan.tolerated,
        once=tuple(_host(choices[0], groups) for choices in plan.once),
        notes=plan.notes,
    )


def _before(plan: Plan) -> dict[str, str]:
    """What most hosts go back to where a step fails, by app: what runs there before."""
    found: dict[str, Counter[str]] = {}
    for batch in plan.batches:
        for host_plan in batch:
            for app, record in host_plan.good.items():
                found.setdefault(app, Counter())[record.release] += 1
    return {app: releases.most_common(1)[0][0] for app, releases in found.items()}


def step_began(step: Step, *, planned: bool) -> StepBegan:
    """A step that begins; planned: whether it is the plan's, not of a recovery."""
    return StepBegan(*_named(step), planned, name_of(type(step)), step.app.port)


def step_ended(
    step: Step,
    seconds: float,
    health: Health | str | None,
    error: DeployError | None,
    *,
    planned: bool,
) -> StepEnded:
    """A step that ended; an error because the operator wanted an end is none."""
    is_stopped = isinstance(error, Stopped)
    said = str(error) if error and not is_stopped else ""
    about, kind = _named(step), name_of(type(step))
    state = str(health or "")
    return StepEnded(*about, seconds, state, said, is_stopped, planned, kind, step.app.port)


def recovery_began(failure: Failure, recovery: Recovery, groups: Groups) -> RecoveryBegan:
    """A step failed on a host, whose recovery begins; groups: see plan_made."""
    planned: tuple[PlannedStep, ...] = ()
    with suppress(Exception):  # no estimate is worth a recovery
        planned = _steps(recovery.steps, groups)
    return RecoveryBegan(
        host=failure.host.name,
        step=failure.step,
        error=failure.error,
        exit_code=failure.exit_code,
        journal=failure.journal,
        health=failure.health,
        steps=tuple(map(str, recovery.steps)),
        goal=_goal(recovery),
        command=failure.command,
        planned=planned,
    )


def _goal(recovery: Recovery) -> str:
    """What a recovery leads to, in words."""
    back = [
        each.release if isinstance(each, SwitchRelease) else each.unit_name
        for each in recovery.steps
        if isinstance(each, SwitchRelease | ReviveUnit)
    ]
    if back:
        return f"it goes back to {' and '.join(dict.fromkeys(back))}"
    if recovery.serves:
        return "it stays in service, or returns to it, on what it runs"
    return "there is nothing to go back to: it stays out of service"


def failed(failure: Failure) -> HostFailed:
    """Return the event of a failure on a host."""
    return HostFailed(
        host=failure.host.name,
        step=failure.step,
        error=failure.error,
        command=failure.command,
        exit_code=failure.exit_code,
        journal=failure.journal,
        health=failure.health,
        undone=failure.undone,
        is_stop=failure.is_stop,
        is_of_release=failure.is_of_release,
    )


def question_asked(
    failure: Failure,
    outcome: str,
    in_service: str,
    options: tuple[str, ...],
    seconds: float,
    policy: str,
    note: str,
) -> QuestionAsked:
    """Return the event of a question about a failed host; see QuestionAsked."""
    return QuestionAsked(
        host=failure.host.name,
        step=failure.step,
        error=failure.error,
        exit_code=failure.exit_code,
        journal=failure.journal,
        health=failure.health,
        outcome=outcome,
        in_service=in_service,
        options=options,
        seconds=seconds,
        policy=policy,
        note=note,
    )


def run_ended(
    report: Report, next_command: str, runs: Runs | None = None, notes: tuple[str, ...] = ()
) -> RunEnded:
    """A report that was corrected by a look at the fleet; next_command: what to type.

    runs: the hosts that run each release, by app, as the look showed it; notes: what else it did.
    """
    code = report.exit_code
    return RunEnded(
        exit_code=int(code),
        meaning=MEANINGS[code],
        seconds=report.seconds,
        outcomes={host: str(outcome) for host, outcome in report.outcomes.items()},
        remarks=report.remarks,
        foreign=tuple(sorted(report.plan.foreign)),
        appeared=report.appeared,
        defects=report.defects,
        next="" if code == 0 else next_command,
        runs=runs or {},
        notes=notes,
    )


def _named(step: Step) -> tuple[str, str, str, str]:
    """Its host, its app, what it does, and what it is part of."""
    return step.host.name, step.app.name, str(step), step.phase.value


def _host(host_plan: HostPlan, groups: Groups) -> PlannedHost:
    steps, after = _steps(host_plan.steps, groups), _steps(host_plan.after, groups)
    return PlannedHost(host_plan.host.name, steps, after)


def _steps(steps: Iterable[Step], groups: Groups) -> tuple[PlannedStep, ...]:
    return tuple(
        PlannedStep(
            step.app.name,
            str(step),
            step.phase.value,
            step.estimated_seconds(groups[step.app.name]),
            name_of(type(step)),
        )
        for step in steps
    )
