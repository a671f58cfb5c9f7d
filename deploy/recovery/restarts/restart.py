"""(settings, survey) → the plan that starts again what each host runs, host by host. Pure.

For what a release reads only when it starts, such as its `environment_file:`. The plan is that of a
rollback to the release that runs: nothing is uploaded, the unit is the stored one, and each host
goes out, is started, proven and registered as in a deploy.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from deploy.plan import assembly, exclusion, fitness, host_steps
from deploy.plan.host_plan import Goal, HostPlan
from deploy.recovery import stored_units
from deploy.settings.scope import Scope
from deploy.steps.records import RecordDeployed, RecordRestarted
from deploy.steps.unit import SwitchRelease

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.hosts.records import Record
    from deploy.plan.exclusion import Problems
    from deploy.plan.plan import Plan
    from deploy.settings.environment import Environment
    from deploy.steps.base import Step
    from deploy.survey.app_on_host import AppOnHost
    from deploy.survey.facts import Survey

VERB = "Restart"


def make(
    environment: Environment,
    survey: Survey,
    *,
    scope: Scope | None = None,
    problems: Problems | None = None,
    allow_downtime: bool = False,
) -> Plan:
    """The plan that restarts the apps that are asked for, on every host.

    By `strategy: surge` the same release is started in the other slot. A host on which something
    else runs than what was deployed last is left out, as one failure.

    Args:
        environment: The settings of the apps that are asked for.
        survey: All hosts that are asked for.
        scope: What the command was asked about, for the commands that errors suggest.
        problems: What is wrong with hosts, beside what they run.
        allow_downtime: Whether a batch may leave less in service than the policy wants.

    Raises:
        BadInput: More hosts cannot be restarted than may fail, or a batch would leave less in
            service than the policy wants.
    """
    survey = stored_units.rendered(environment, survey)
    asked = scope or Scope(environment.name, "restart")
    found = exclusion.joined(
        problems or {},
        fitness.unfit(environment.apps, survey),
        fitness.cramped(environment, survey),
        fitness.partners_down(
            environment, survey, lambda on: on.app.name not in environment.beside
        ),
        *(_unsettled(on, environment, asked) for on in _asked(environment, survey)),
    )
    seen = exclusion.leave_out(environment, survey, found, asked)
    goals: dict[str, tuple[Goal, ...]] = {}
    staging: list[HostPlan] = []
    for facts in seen.hosts:
        due: list[Goal] = []
        steps: list[Step] = []
        for on in (seen.on(facts.host, app) for app in environment.asked_apps):
            record = _running(on)
            stage = stored_units.staged(host_steps.landing(on, environment), record, facts.systemd)
            steps += [stage] if stage else []
            digest = stage.units[0].digest if stage else record.unit_digest
            due.append(Goal(on, record.release, digest, is_new=False))
        goals[facts.host.name] = tuple(due)
        if steps:
            staging.append(HostPlan(facts.host, tuple(steps)))
    made = assembly.assemble(
        environment,
        (VERB, _releases(environment, seen)),
        goals,
        tuple(staging),
        seen,
        allow_downtime=allow_downtime,
    )
    batches = (tuple(_same(each, seen, environment) for each in batch) for batch in made.batches)
    return replace(made, batches=tuple(batches))


def _asked(environment: Environment, survey: Survey) -> list[AppOnHost]:
    """Each app that is asked for, on each host."""
    return [on for app in environment.asked_apps for on in survey.everywhere(app)]


def _unsettled(on: AppOnHost, environment: Environment, scope: Scope) -> Problems:
    """Why an app on a host cannot be started again as it is; nothing where it can."""
    why = _problem(on, environment, scope.of_app(on.app.name))
    return {on.host.name: (f"{on.host}: {on.app.name} {why}",)} if why else {}


def _problem(on: AppOnHost, environment: Environment, scope: Scope) -> str:
    last = on.slot.deployed
    if on.slot.runs_previous or (last and last.is_previous):
        return (
            f"has not taken the place of {on.app.settings.replaces}, which Changeover does not "
            f"restart; deploy the app first: {scope.command('deploy')}"
        )
    if last is None:
        return f"was never deployed here; deploy it first: {scope.command('deploy')}"
    if on.slot.out or not on.slot.runs_deployed:
        return (
            f"does not run {last.release}, which was deployed last; repair it first: "
            f"{scope.command('repair')}"
        )
    if not host_steps.landing(on, environment).slot.can_be_given(last):
        again = scope.command("deploy", "--package", last.version)
        return f"{last.release}: its files or its unit are gone; deploy its package: {again}"
    return ""


def _running(on: AppOnHost) -> Record:
    """What an app runs on a host, of which `_problem` found that it runs what was deployed last."""
    if on.slot.deployed is None:
        raise ValueError(f"{on.app.name} was never deployed on {on.host}")
    return on.slot.deployed


def _releases(environment: Environment, survey: Survey) -> dict[str, str]:
    """By app, what its hosts run."""
    return {
        app.name: ", ".join(sorted({_running(on).release for on in survey.everywhere(app)}))
        for app in environment.asked_apps
    }


def _same(host_plan: HostPlan, survey: Survey, environment: Environment) -> HostPlan:
    """The host plan to the release that its host runs already.

    Where it fails, the same is tried once more: the release is known to be good, so it gets no
    mark. And the history says what was deployed, so a restart adds nothing to it.
    """
    switched = {each.app.name for each in host_plan.steps if isinstance(each, SwitchRelease)}
    good = {
        app.name: _running(survey.on(host_plan.host, app))
        for app in environment.asked_apps
        if app.name in switched
    }
    steps = tuple(_recorded(step, good) for step in host_plan.steps)
    return replace(host_plan, steps=steps, good=good)


def _recorded(step: Step, good: Mapping[str, Record]) -> Step:
    """The step; without a new line in the history, where that has this release and this unit."""
    if not isinstance(step, RecordDeployed):
        return step
    last = good.get(step.app.name)
    if last is None or (last.release, last.unit_digest) != (step.release, step.unit_digest):
        return step  # a unit was made for a slot that the app did not have then
    return RecordRestarted(step.host, step.app, step.release, step.unit_digest, step.kind)
