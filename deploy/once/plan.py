"""Adds to a deploy's plan the command that one host runs for a release before the first batch."""

from __future__ import annotations

import shlex
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from deploy.errors import BadInput, DeployError
from deploy.hosts.once import ledger, scripts
from deploy.hosts.once.evidence import Standing
from deploy.hosts.scripts.base import home
from deploy.once import refusal
from deploy.once.refusal import Begun
from deploy.once.step import RunOnce, SkipOnce
from deploy.plan.host_plan import HostPlan
from deploy.steps.staging import StageUnits
from deploy.steps.unit import SwitchRelease
from deploy.survey import unit_state
from deploy.unit import staged
from deploy.unit.variables import command_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.hosts.once.evidence import Evidence
    from deploy.hosts.ssh.remote import Remote
    from deploy.plan.plan import Plan
    from deploy.settings.app import App
    from deploy.settings.scope import Scope
    from deploy.survey.slot import UnitState

LOOK_SECONDS = 15.0


def completed(
    plan: Plan, remotes: Mapping[str, Remote], scope: Scope, answer: str | None = None
) -> Plan:
    """Return the plan with what is run once for its releases.

    remotes: all hosts of the environment; answer: as `--run-once` gives it.

    Raises:
        BadInput: A command was started and is not known to have ended well, and there is no answer.
        Unreachable: Too few hosts answer to know.
    """
    if answer and not any(app.run_once for app in plan.apps.values()):
        raise BadInput(f"--run-once {answer}: no app of this deploy has `run_once:`; leave it out")
    for app in plan.apps.values():
        if app.run_once and due(plan, app):
            evidence = ledger.read(plan.environment, remotes, app.name, plan.releases[app.name])
            begun = _begun(plan, app, evidence, remotes)
            plan = decided(plan, app, evidence, begun, scope, answer)
    return plan


def decided(
    plan: Plan,
    app: App,
    evidence: Evidence,
    begun: Begun | None,
    scope: Scope,
    answer: str | None,
) -> Plan:
    """Return the plan with an app's command, or with a note that it was run. Pure.

    begun: the command that was started and is not known to have ended well, if there is one. The
    errors are those of `completed`.
    """
    standing, release = evidence.standing, plan.releases[app.name]
    if standing is Standing.UNKNOWN:
        raise refusal.unknown(plan.environment, evidence)
    if standing is Standing.DONE:
        note = f"{app.name}: `{app.run_once}` is not run for {release}: {evidence.record}"
        return replace(plan, notes=(*plan.notes, note))
    if begun and begun.is_running:
        raise refusal.still_running(begun)
    if begun and answer is None:
        raise refusal.unanswered(begun, scope)
    choices = tuple(
        HostPlan(
            each.host,
            (
                SkipOnce(each.host, each.app, release)
                if answer == "skip"
                else RunOnce(each.host, each.app, release, _unit_text(plan, each)),
            ),
        )
        for each in due(plan, app)
    )
    return replace(plan, once=(*plan.once, choices))


def due(plan: Plan, app: App) -> tuple[SwitchRelease, ...]:
    """Where an app's release is to be started, in the order of the batches."""
    return tuple(
        step
        for batch in plan.batches
        for host_plan in batch
        for step in host_plan.steps
        if isinstance(step, SwitchRelease)
        and step.app.name == app.name
        and step.release == plan.releases[app.name]
    )


def _begun(plan: Plan, app: App, evidence: Evidence, remotes: Mapping[str, Remote]) -> Begun | None:
    """The command that was started, and what its host shows of it; None where there is none."""
    record = evidence.record
    if record is None or evidence.standing is not Standing.STARTED:
        return None
    state: UnitState | None = None
    if remote := remotes.get(record.host):
        script = unit_state.shown(scripts.unit_name(app.name, record.run))
        with suppress(DeployError):
            state = remote.ask(script, LOOK_SECONDS)
    return Begun(app.name, plan.releases[app.name], str(app.run_once), record, state)


def _unit_text(plan: Plan, switch: SwitchRelease) -> str:
    """The unit that runs the app's command as its service in that slot would run."""
    app, name = switch.app.settings, switch.app.name
    (unit,) = (
        unit
        for host_plan in plan.staging
        for step in host_plan.steps
        if isinstance(step, StageUnits) and (step.host, step.app.name) == (switch.host, name)
        for unit in step.units
        if unit.name == switch.app.unit_name
    )
    port = str(switch.app.port)
    words = tuple(word.replace("{port}", port) for word in shlex.split(app.run_once or ""))
    in_package = words[0].removeprefix("./") in plan.packages[name].files
    command = command_line(name, words, in_package=in_package, key=f"{name}: run_once")
    path = f"{home(name)}/releases/{switch.release}"
    return staged.job(unit, path, command, app.run_once_timeout_seconds)
