"""(settings, survey) → the plan that recovers from an interrupted deploy. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from deploy.aws.targets import State
from deploy.errors import BadInput
from deploy.hosts.release_stack import kind_of
from deploy.plan import assembly, exclusion, fitness, host_steps
from deploy.plan.host_plan import Goal, HostPlan
from deploy.recovery import half_adopted, previous_unit, shared_target
from deploy.settings.scope import Scope
from deploy.steps import shorter_drain
from deploy.steps.answers import ProveProxy
from deploy.steps.base import Phase
from deploy.steps.drain import WaitDrained
from deploy.steps.records import ForgetOut, RecordDeployed
from deploy.steps.rehearsal import EndRehearsal
from deploy.steps.staging import RemoveReleases
from deploy.steps.target import DeregisterTarget, RegisterTarget, WaitHealthy
from deploy.steps.unit import RetireUnit
from deploy.steps.verify import ProveRelease
from deploy.survey import check
from deploy.survey.question import Questions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from deploy.aws.inventory import Host
    from deploy.plan.plan import Plan
    from deploy.settings.environment import Environment
    from deploy.steps.base import Step
    from deploy.survey.app_on_host import AppOnHost
    from deploy.survey.facts import Survey
    from deploy.survey.slot import Slot


def make(given: Environment, survey: Survey, scope: Scope | None = None) -> Plan:
    """The plan that repairs every host that it can, and names the others.

    Hosts that serve, and that only a switch would repair, wait where too few others are in
    service: what one host reports of itself never keeps others from being repaired. Raises
    BadInput where nothing can be done.
    """
    asked = scope or Scope(given.name, "repair")
    seen = exclusion.leave_out(given, survey, {}, asked, any_number=True)
    try:
        return _made(given, seen, asked)
    except BadInput as error:
        rest = tuple(facts for facts in seen.hosts if not _serves(facts.host, given, seen))
        waits = {f.host: f"it serves, and waits: {error}" for f in seen.hosts if f not in rest}
        if not rest:
            raise
        made = _made(given, replace(seen, hosts=rest, left_out=seen.left_out | waits), asked)
        if not made.steps:
            raise
        return made


def _serves(host: Host, environment: Environment, survey: Survey) -> bool:
    """Whether an app that is not as deployed is in service on the host all the same."""
    apps = [survey.on(host, app) for app in environment.apps]
    return any(on.is_healthy and not on.is_worker and not on.slot.is_as_deployed for on in apps)


def _made(given: Environment, survey: Survey, scope: Scope) -> Plan:
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
        apps = [survey.on(facts.host, app) for app in environment.apps]
        partial: list[Step] = [RemoveReleases(o.host, o.app, ()) for o in apps if o.slot.partial]
        partial += [EndRehearsal(o.host, o.app) for o in apps if o.slot.has_rehearsal]
        repaired: list[Step] = []
        due: list[Goal] = []
        for bundle in shared_target.bundles(environment.apps):
            parts = [
                _Part(lost=why, holds_back=True) if why else _part(on, environment)
                for on in apps
                if on.app.settings in bundle
                for why in [fitness.misplaced(survey, on.app.settings, on.host)]
            ]
            found = _entered_last(step for part in parts for step in part.steps)
            lost += [part.lost for part in parts if part.lost]
            if any(part.holds_back for part in parts):
                # Its target stays out, with all apps behind the proxy.
                continue
            own = [part.goal for part in parts if part.goal]
            due += own
            # The goal's own steps enter a target that is shared; what was proven is written down.
            repaired += [s for s in found if not own or s.phase is Phase.RECORD or not s.is_entry]
        goals[facts.host.name] = tuple(due)
        if partial:
            staging.append(HostPlan(facts.host, tuple(partial)))
        if repaired:
            first.append(HostPlan(facts.host, tuple(repaired), apart=True))
    made = assembly.assemble(
        environment,
        ("Repair", {app.name: "as last deployed" for app in environment.apps}),
        goals,
        tuple(staging),
        survey,
        warned=(*lost, *half_adopted.notes(environment, survey, scope)),
        first=tuple(first),
        returns=True,
    )
    return replace(made, tolerated=made.tolerated + len(made.left_out))


def _entered_last(steps: Iterable[Step]) -> list[Step]:
    """The steps of apps that share a target: it is entered when all else is done, kind by kind."""
    given = list(steps)
    kinds = [ProveProxy, RegisterTarget, WaitHealthy, RecordDeployed, ForgetOut]
    if not any(step.app.settings.target_port for step in given):
        return given
    entry = [step for kind in kinds for step in given if isinstance(step, kind) and step.is_entry]
    return [*(step for step in given if not step.is_entry), *entry]


class _Part(NamedTuple):
    """What is done for one app on one host: steps without a switch, a goal, or why nothing is.

    holds_back: whether its place behind a proxy is dead, so that no other app there may serve.
    """

    steps: tuple[Step, ...] = ()
    goal: Goal | None = None
    lost: str = ""
    holds_back: bool = False


def _part(on: AppOnHost, environment: Environment) -> _Part:
    slot, last = on.slot, on.slot.deployed
    has_partners = bool(environment.partners(on.app.settings))
    if has_partners and on.previous_unit and not (last or slot.out):
        return _Part()  # it serves as it did before any deploy
    if on.taken_out:
        groups = ", ".join(group.name for group in on.taken_out)
        return _Part(
            lost=f"{on.host}: {on.app.name} was taken out of {groups} by hand, so it stays out; "
            "a deploy with --join puts it back",
            holds_back=True,
        )
    if slot.is_as_deployed and on.is_healthy:
        return _Part()
    found = _unproven(on, has_partners=has_partners) or _without_switch(on, environment)
    is_sick = slot.is_as_deployed and on.may_receive
    if found:
        return _Part(found)
    if last and slot.can_run(last) and not is_sick:
        return _Part(goal=Goal(on, last.release, last.unit_digest, is_new=False))
    ended = _ended(on, environment)
    # One that never was here is missed by no request.
    is_dead = bool(last or on.is_up) and not is_sick
    return _Part(
        ended,
        lost=f"{on.host}: {_why_lost(slot, on.app.name)}",
        holds_back=has_partners and is_dead and not ended,
    )


def _unproven(on: AppOnHost, *, has_partners: bool) -> tuple[Step, ...]:
    """What ends a first release that was never proven: it may not go on to take work.

    That is a worker's, or one of an app that shares a target, which is in for the others.
    """
    is_first = on.slot.out and on.slot.deployed is None
    is_first = is_first and (on.is_worker or (has_partners and on.slot.unit_state.is_running))
    if not is_first or on.app.settings.replaces:
        return ()
    return (RetireUnit(on.host, on.app, on.unit_name), ForgetOut(on.host, on.app))


def _ended(on: AppOnHost, environment: Environment) -> tuple[Step, ...]:
    """What ends a first release of an app with a target that was never in service.

    systemd would start it again for ever, also after a boot. The note that its target was taken
    out stays, as after a first deploy that failed.
    """
    if not on.is_unproven:
        return ()
    out = (*_taken_out(on, environment), *_address_drained(on, environment))
    return (*out, RetireUnit(on.host, on.app, on.unit_name))


def _why_lost(slot: Slot, app: str) -> str:
    if slot.runs_previous and slot.is_as_deployed:
        return f"{slot.previous_name} runs and is not healthy; see its journal"
    if slot.deployed is None:
        return f"{app} was never deployed here, so there is nothing to go back to; deploy it"
    if slot.is_as_deployed:
        return f"{app} runs as deployed and is not healthy; see its journal"
    return f"{app} {slot.deployed.release} is not here any more; deploy a package"


def _without_switch(on: AppOnHost, environment: Environment) -> tuple[Step, ...]:
    """The steps for what needs no switch; none where it does, or nothing can be done."""
    host, app, slot, last = on.host, on.app, on.slot, on.slot.deployed
    questions = check.alone(on, environment).of_old()
    asked = Questions.of_proxy(on)
    is_shared = bool(asked.each and environment.partners(app.settings))
    through = (ProveProxy(host, app, asked),) if is_shared else ()
    if last and slot.runs_deployed:
        proven = previous_unit.proof(on, last, questions)
        if on.is_in_every_group:
            see = () if on.is_worker else (WaitHealthy(host, app),)
            return (proven, *see, ForgetOut(host, app)) if slot.out else ()
        wait = _address_drained(on, environment)
        return (*wait, proven, *through, *shared_target.back_in(host, app))
    states = {each.health.state for each in on.memberships}
    if slot.is_steady and states:
        release, digest = slot.running_release, slot.running_unit_digest
        record = RecordDeployed(host, app, release, digest, kind_of(slot.history, release, digest))
        if states <= {State.HEALTHY, State.INITIAL}:
            return (ProveRelease(host, app, release, questions), WaitHealthy(host, app), record)
        if on.is_in_every_group and not (last or slot.out):
            return (record,)  # only a proven one is registered: a rollback has to know of it
    out, wait = _taken_out(on, environment), _address_drained(on, environment)
    taken_over = previous_unit.taken_over(on, questions)
    return taken_over or previous_unit.restored(on, questions, out, wait, through)


def _taken_out(on: AppOnHost, environment: Environment) -> tuple[Step, ...]:
    """What is registered and sick leaves before it is stopped; what is out and runs gets a look."""
    if not on.may_receive:
        is_up = on.slot.unit_state.is_running and not on.drains_by_address
        return tuple(host_steps.emptied(on, environment)) if is_up else ()
    drain = WaitDrained(on.host, on.app, shorter_drain.full_seconds(on, environment))
    out = DeregisterTarget(on.host, on.app, was_healthy=False)
    return (out, shorter_drain.unless_idle(on, drain))


def _address_drained(on: AppOnHost, environment: Environment) -> tuple[Step, ...]:
    """An address that still drains cannot be registered before its delay is over (ALB guide)."""
    if not on.drains_by_address:
        return ()
    seconds = shorter_drain.full_seconds(on, environment)
    return (WaitDrained(on.host, on.app, seconds, stops_service=False),)
