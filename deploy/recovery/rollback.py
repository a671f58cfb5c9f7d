"""(settings, survey) → the plan that takes a fleet back to a release that was good. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from deploy.errors import BadInput
from deploy.folding import short
from deploy.hosts.records import Kind
from deploy.plan import assembly, exclusion, fitness, host_steps
from deploy.plan.host_plan import Goal, HostPlan
from deploy.recovery import newest_run, previous_unit, stored_units
from deploy.recovery.history import Past
from deploy.settings.scope import Scope
from deploy.steps.answers import ProveStillPrevious
from deploy.steps.records import ForgetOut
from deploy.steps.target import WaitHealthy
from deploy.steps.verify import ProveCurrent
from deploy.survey import check

if TYPE_CHECKING:
    from collections.abc import Mapping

    from deploy.hosts.records import Record
    from deploy.plan.exclusion import Problems
    from deploy.plan.plan import Plan
    from deploy.settings.environment import Environment
    from deploy.steps.base import Step
    from deploy.survey.app_on_host import AppOnHost
    from deploy.survey.facts import Survey


def make(
    environment: Environment,
    survey: Survey,
    to: str | None = None,
    *,
    scope: Scope | None = None,
    problems: Problems | None = None,
    allow_downtime: bool = False,
) -> Plan:
    """The plan that undoes the newest run, or takes all hosts to the release that `to` names.

    A majority of the hosts decides what the newest run is and what came before it; a host that
    cannot go there is left out, as one failure. What is left is marked as failed.

    Args:
        environment: The settings of the apps that are asked for.
        survey: All hosts that are asked for.
        to: A release's id or version; None for the newest run.
        scope: What the command was asked about, for the commands that errors suggest.
        problems: What is wrong with hosts, beside their records.
        allow_downtime: Whether a batch may leave less in service than the policy wants.

    Raises:
        BadInput: There is no such release, several runs are the newest, or more hosts cannot go
            back than may fail.
    """
    survey = stored_units.rendered(environment, survey)
    asked = scope or Scope(environment.name, "rollback", ("--to", to) if to else ())
    found = exclusion.joined(problems or {})
    try:
        wanted, missing = decide(environment, survey, to, asked)
    except BadInput:
        # Where hosts cannot be read that the answer may hang on, they are named first.
        exclusion.leave_out(environment, survey, found, asked)
        raise
    down = _partners_down(environment, survey, wanted)
    seen = exclusion.leave_out(environment, survey, exclusion.joined(found, missing, down), asked)
    others = () if to else tuple(newest_run.on_other_releases(environment, seen, wanted, asked))
    few = () if to or others else tuple(newest_run.on_few_hosts(seen, wanted, asked))
    made = back(environment, seen, wanted, warned=(*few, *others), allow_downtime=allow_downtime)
    return replace(made, leaves_mixed=bool(others))


def _partners_down(
    environment: Environment, survey: Survey, wanted: Mapping[str, Mapping[str, Record]]
) -> Problems:
    """The hosts on which an app beside one that goes back would not serve."""
    return fitness.partners_down(
        environment, survey, lambda on: on.host.name in wanted.get(on.app.name, {})
    )


def decide(
    environment: Environment, survey: Survey, to: str | None, scope: Scope
) -> tuple[dict[str, dict[str, Record]], Problems]:
    """Decide what each host is to run, by app and host name, and which hosts cannot.

    Hosts that are not concerned have no record. Raises BadInput as `make` does.
    """
    pasts = {app.name: Past.of(app, environment, survey) for app in environment.asked_apps}
    targets = _named(pasts, to) if to else newest_run.newest_run(pasts, scope)
    problems: list[Problems] = []
    wanted: dict[str, dict[str, Record]] = {app: {} for app in pasts}
    for app, target in targets.items():
        hosts = pasts[app].everyone if to else pasts[app].affected()
        wanted[app], missing = pasts[app].records(hosts, target, is_named=bool(to))
        problems.append(missing)
    return wanted, exclusion.joined(*problems)


def _named(pasts: Mapping[str, Past], to: str) -> dict[str, str]:
    """By app, what `to` names; a previous unit is that of the apps that replace it alone."""
    owners = {app: past for app, past in pasts.items() if past.app.replaces == to}
    if owners:
        return {app: past.named(to) for app, past in owners.items()}
    return {app: past.named(to) for app, past in pasts.items()}


def back(
    environment: Environment,
    survey: Survey,
    wanted: Mapping[str, Mapping[str, Record]],
    *,
    warned: tuple[str, ...] = (),
    allow_downtime: bool = False,
) -> Plan:
    """The plan that takes hosts back to these records, given by app name and host name.

    Hosts without one are left alone; one that runs its record already proves it.
    """
    goals: dict[str, tuple[Goal, ...]] = {}
    staging: list[HostPlan] = []
    moves: list[HostPlan] = []
    for facts in survey.hosts:
        due: list[Goal] = []
        aside: list[Goal] = []
        steps: list[Step] = []
        for app in environment.asked_apps:
            record = wanted[app.name].get(facts.host.name)
            if record is None:
                continue
            on = survey.on(facts.host, app)
            slot = on.slot
            is_alone = not (on.is_worker or environment.partners(app))
            serves = on.is_healthy and (is_alone or not slot.out)
            if serves and slot.runs(record.release, record.unit_digest):
                steps += _proof(on, record)
                continue
            left = "" if slot.runs_previous else slot.running_release or slot.link
            failed_release = left if left != record.release else ""
            if record.is_previous and (moved := previous_unit.aside(on, environment)):
                move, on = moved
                aside.append(move)
            at = host_steps.landing(on, environment)
            stage = stored_units.staged(at, record, facts.systemd)
            steps += [stage] if stage else []
            digest = stage.units[0].digest if stage else record.unit_digest
            wanted_now = (record.release, digest)
            due.append(Goal(on, *wanted_now, failed_release, Kind.ROLLBACK, is_new=False))
        goals[facts.host.name] = tuple(due)
        if aside:
            moves.append(previous_unit.moved(aside, environment))
        if steps:
            staging.append(HostPlan(facts.host, tuple(steps)))
    releases = {
        app: ", ".join(sorted({record.release for record in records.values()}))
        for app, records in wanted.items()
        if records
    }
    purpose = ("Roll back", releases)
    return assembly.assemble(
        environment,
        purpose,
        goals,
        tuple(staging),
        survey,
        allow_downtime=allow_downtime,
        warned=warned,
        moves=tuple(moves),
    )


def _proof(on: AppOnHost, record: Record) -> list[Step]:
    """What sees that a host runs its record already, and serves.

    A note says that a target was to be taken out: where it serves all the same, the note falls.
    """
    asked = check.of(on).of_old()
    kind = ProveStillPrevious if record.is_previous else ProveCurrent
    proof = kind(on.host, on.app, record.release, asked)
    if not on.slot.out:
        return [proof]
    return [proof, WaitHealthy(on.host, on.app), ForgetOut(on.host, on.app)]


def take_back(
    environment: Environment, survey: Survey, wanted: Mapping[str, Mapping[str, Record]]
) -> Plan:
    """`back` after a deploy that failed: every host goes that can, and the others are named.

    Each host that cannot is left where it is: it counts as a failure, and stops no other.
    """
    survey = stored_units.rendered(environment, survey)
    everyone = {host.name: host for host in survey.everyone}
    due = {host for records in wanted.values() for host in records}
    unread = {host: (why,) for host, why in survey.unreachable.items()}
    gone = {
        facts.host.name: (f"{facts.host}: {app.name} {record.release} is not there any more",)
        for facts in survey.hosts
        for app in environment.asked_apps
        if (record := wanted[app.name].get(facts.host.name))
        and not host_steps.landing(survey.on(facts.host, app), environment).slot.can_be_given(
            record
        )
    }
    down = _partners_down(environment, survey, wanted)
    all_ = exclusion.joined(unread, gone, down)
    reasons = {host: whys for host, whys in all_.items() if host in due}
    left = {everyone[host]: short("\n".join(whys)) for host, whys in reasons.items()}
    hosts = tuple(facts for facts in survey.hosts if facts.host.name not in reasons)
    # One that failed before and cannot be read has no part in this, and still is of the fleet.
    others = {everyone[host]: why for host, why in survey.unreachable.items() if host not in due}
    seen = replace(survey, hosts=hosts, unreachable={}, left_out=left | others)
    made = back(environment, seen, wanted)
    return replace(made, left_out=left, tolerated=made.tolerated + len(left))
