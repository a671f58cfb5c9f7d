"""(settings, survey) → the plan that takes one host out and back in, to measure it. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from deploy.errors import BadInput
from deploy.folding import folded
from deploy.observe.watch import NoteObservation, WatchDraining, WatchServing
from deploy.plan import assembly
from deploy.plan.host_plan import HostPlan
from deploy.steps import shorter_drain
from deploy.steps.answers import ProvePrevious
from deploy.steps.records import ForgetOut
from deploy.steps.target import DeregisterTarget, RegisterTarget, WaitHealthy
from deploy.steps.verify import ProveRelease
from deploy.survey.question import Questions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.aws.inventory import Host
    from deploy.plan.plan import Plan
    from deploy.settings.environment import Environment
    from deploy.steps.base import Step
    from deploy.survey.app_on_host import AppOnHost
    from deploy.survey.facts import Survey

ROUNDS = 2
SERVING_SECONDS = 3.0
"""How long requests are counted at least before a target is taken out."""


def refuse_several(hosts: Sequence[Host]) -> None:
    """Raise BadInput where more than one host is asked for."""
    if len(hosts) > 1:
        names = ", ".join(host.name for host in hosts)
        raise BadInput(f"--host names several hosts ({names}); one is observed at a time")


def make(environment: Environment, survey: Survey, *, allow_downtime: bool = False) -> Plan:
    """The plan for the one host and the one app that are asked for.

    Raises BadInput where they are none or several, where the host serves neither what was deployed
    there nor the unit that the app replaces, or where too few others would be left in service.
    """
    if len(environment.asked_apps) > 1:
        names = ", ".join(app.name for app in environment.asked_apps)
        raise BadInput(f"one app is observed at a time: say which with --app ({names})")
    if survey.unreachable:
        raise BadInput(*folded({name: (why,) for name, why in survey.unreachable.items()}))
    (facts,), (app,) = survey.hosts, environment.asked_apps
    on = survey.on(facts.host, app)
    if app.is_worker:
        raise BadInput(f"{app.name} is a worker: it has no target group, so nothing is measured")
    if not (_previous(on) or (on.slot.deployed and on.slot.is_as_deployed and on.serves)):
        raise BadInput(
            f"{on.host}: {app.name} is {on.health}, and it runs "
            f"{on.slot.running_release or 'no release of ours'}: only a host that serves what was "
            "deployed there, or the unit under `replaces:`, can be observed; name another one with "
            "--host, or see inv status"
        )
    rollout = environment.rollout.model_copy(update={"window": None})
    made = assembly.assemble(
        environment.model_copy(update={"rollout": rollout}),
        ("Observe", {app.name: _previous(on) or on.slot.running_release}),
        {},
        (),
        survey,
        only=tuple((_round(on, environment),) for _ in range(ROUNDS)),
        allow_downtime=allow_downtime,
    )
    return replace(made, tolerated=0)


def _previous(on: AppOnHost) -> str:
    """The unit that the app replaces, where that serves: before any deploy, or again since."""
    slot = on.slot
    is_its_turn = slot.deployed is None or slot.runs_deployed
    is_untouched = is_its_turn and not (slot.out or slot.unit_state.is_running)
    return on.previous_unit if is_untouched and on.serves else ""


def _round(on: AppOnHost, environment: Environment) -> HostPlan:
    """Out, drained for the whole delay, proven, in again; the service runs on."""
    host, app = on.host, on.app
    drain_seconds = shorter_drain.full_seconds(on, environment)
    asked, previous = Questions.of(on), _previous(on)
    proof: Step = ProveRelease(host, app, on.slot.running_release, asked)
    if previous:
        proof = ProvePrevious(host, app, previous, asked)
    intervals = tuple(each.interval_seconds for each in on.groups)
    return HostPlan(
        host,
        (
            WatchServing(host, app, SERVING_SECONDS, intervals),
            DeregisterTarget(host, app, was_healthy=True, sees_out=False),
            WatchDraining(host, app, drain_seconds),
            proof,
            RegisterTarget(host, app),
            WaitHealthy(host, app),
            ForgetOut(host, app),
            NoteObservation(host, app, drain_seconds),
        ),
        drains={app.name: drain_seconds},
    )
