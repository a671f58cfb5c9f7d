"""Makes a plan from candidates and a survey: order, batches, minimums, warnings. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from deploy.plan import advice, capacity, host_steps, order
from deploy.plan.capacity import InService
from deploy.plan.host_plan import Goal, HostPlan, out_at_once
from deploy.plan.plan import Plan, title, waiting_seconds
from deploy.plan.staging import is_current, staged
from deploy.steps.rehearsal import RehearseRelease
from deploy.survey import check, foreign_targets
from deploy.survey.app_on_host import is_mixed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from deploy.aws.inventory import Host
    from deploy.plan.candidate import Offer
    from deploy.settings.environment import Environment
    from deploy.steps.base import Step
    from deploy.survey.facts import Survey


def make(
    environment: Environment,
    offers: tuple[Offer, ...],
    survey: Survey,
    *,
    allow_downtime: bool = False,
) -> Plan:
    """The plan for these offers on the surveyed hosts.

    Raises BadInput for a plan that would leave less in service than the policy wants.
    """
    staging: list[HostPlan] = []
    goals: dict[str, tuple[Goal, ...]] = {}
    for facts in survey.hosts:
        due: list[Goal] = []
        prepared: list[Step] = []
        for offer in offers:
            on = survey.on(facts.host, offer.app)
            goal = Goal(on, offer.package.release.id, offer.unit(on).digest)
            is_due = not is_current(offer, on)
            prepared += staged(offer, on, goal if is_due else None)
            if is_due:
                due.append(goal)
        goals[facts.host.name] = tuple(due)
        if prepared:
            staging.append(HostPlan(facts.host, tuple(prepared)))
    releases = {offer.app.name: offer.package.release.id for offer in offers}
    warned = [text for offer in offers for text in offer.warnings]
    warned += advice.replaced(offers, survey)
    for app in (offer.app for offer in offers):
        new = [on.host.name for on in survey.everywhere(app) if on.is_new]
        if new:
            groups = ", ".join(app.group_names)
            then = f": registered in {groups} once the release is proven" if groups else ""
            warned.append(f"{', '.join(new)}: new for {app.name}{then}")
    made = assemble(
        environment,
        ("Deploy", releases),
        goals,
        tuple(staging),
        survey,
        allow_downtime=allow_downtime,
        warned=tuple(warned),
    )
    made = replace(made, packages={offer.app.name: offer.package for offer in offers})
    return _rehearsed(made, environment, offers, survey)


def _rehearsed(
    made: Plan, environment: Environment, offers: tuple[Offer, ...], survey: Survey
) -> Plan:
    """The plan whose first batch tries to start releases, where the settings say so.

    Surge has no need of it: its new slot is started beside the old one anyway.
    """
    switching = (
        {each.host.name for each in batch if any(map(each.switches, made.apps.values()))}
        for batch in made.batches
    )
    first: set[str] = next(filter(None, switching), set())
    staging: list[HostPlan] = []
    warned: list[str] = []
    for host_plan in made.staging:
        host, free_kb = host_plan.host, survey.facts_of(host_plan.host).free_memory_kb
        trials: list[Step] = []
        for offer in offers:
            on = survey.on(host, offer.app)
            if host.name not in first & offer.starts.keys() or is_current(offer, on):
                continue
            if host_steps.surges(on, environment):
                continue
            if on.slot.memory_kb > free_kb:
                warned.append(f"{host}: {offer.app.name} is not started before: no memory for two")
                continue
            release, asked = offer.package.release.id, check.of_rehearsal(on)
            trials.append(RehearseRelease(host, on.app, release, offer.starts[host.name], asked))
        staging.append(replace(host_plan, steps=(*host_plan.steps, *trials)))
    return replace(made, staging=tuple(staging), warnings=(*made.warnings, *warned))


def assemble(
    environment: Environment,
    purpose: tuple[str, dict[str, str]],
    goals: Mapping[str, tuple[Goal, ...]],
    staging: tuple[HostPlan, ...],
    survey: Survey,
    *,
    allow_downtime: bool = False,
    warned: tuple[str, ...] = (),
    first: tuple[HostPlan, ...] = (),
    moves: tuple[HostPlan, ...] = (),
    only: tuple[tuple[HostPlan, ...], ...] = (),
    returns: bool = False,
) -> Plan:
    """The plan that takes hosts to their goals (by host name), batch by batch.

    purpose: the verb for the title, and the release of each app; first: host plans that go before
    all others, together, since they take nothing out; moves: those that go together once slots that
    were left beside others are ended, and take nothing out either; only: batches in place of those
    to the goals; returns: whether hosts that are out, and go where they were, go together before
    the others. Raises BadInput for a plan that would leave less in service than the policy wants.
    """
    rollout = environment.rollout
    out, goals = order.out_apart(goals) if returns else ({}, goals)
    back = [host_steps.laid(goals_there, environment) for goals_there in out.values()]
    busy = {host_plan.host for host_plan in first}
    first = (*first, *(host_plan for host_plan in back if host_plan.host not in busy))
    then = tuple(host_plan for host_plan in back if host_plan.host in busy)
    apps = tuple(app for app in environment.apps if app.name in purpose[1])
    sick, goals = order.sick_apart(goals)
    due = [facts for facts in survey.hosts if goals.get(facts.host.name)]
    early = tuple(
        host_steps.laid(sick[facts.host.name], environment)
        for facts in survey.hosts
        if facts.host.name in sick
    )
    in_service = {
        app.name: [InService.of(app, group, survey) for group in survey.groups[app.name]]
        for app in environment.apps
    }
    canary = all(each.is_complete for app in apps for each in in_service[app.name])
    ordered = order.order(rollout, due, survey, apps, canary=canary)
    cut = [
        tuple(host_steps.laid(goals[facts.host.name], environment) for facts in batch)
        for batch in order.batches(rollout, ordered, len(survey.hosts))
    ]
    ended = tuple(
        host_plan
        for facts in survey.hosts
        if (host_plan := _ended(facts.host, environment, survey))
    )
    # What is ended beside a slot in use waits for no other host, which may fail before.
    busy = {host_plan.host for host_plan in (*first, *then)}
    first = (*first, *(host_plan for host_plan in ended if host_plan.host not in busy))
    ended = tuple(host_plan for host_plan in ended if host_plan.host in busy)
    batches = only or tuple(batch for batch in (first, then, ended, moves, early, *cut) if batch)
    # A window is for hosts that leave the load balancer: what goes before them takes nothing out.
    window = rollout.window if only or cut else None
    together = [*batches[:-1], *order.windows(batches[-1], window)] if batches else []
    switched = [
        (
            app,
            [
                [host_plan.host for host_plan in batch if host_plan.switches(app)]
                for batch in together
            ],
        )
        for app in apps
    ]
    capacity.refuse_outage(rollout, switched, survey, allow_downtime=allow_downtime)
    verb, releases = purpose
    return Plan(
        environment=environment.name,
        verb=verb,
        title=title(verb, releases, environment, len(survey.hosts)),
        releases=releases,
        hosts=tuple(facts.host for facts in survey.hosts),
        staging=staging,
        batches=batches,
        warnings=(
            *advice.warnings(environment, apps, survey),
            *warned,
        ),
        seconds=waiting_seconds(batches, survey.groups, window),
        minimums=tuple(
            {}
            if allow_downtime
            else _minimums(environment, batch, in_service, window if batch is batches[-1] else 0)
            for batch in batches
        ),
        rollout=rollout,
        in_service={now.group.name: now for each in in_service.values() for now in each},
        tolerated=rollout.max_failures.hosts(len(survey.everyone)),
        window=window or 0,
        mixed=any(is_mixed(survey.everywhere(app)) for app in apps),
        out=frozenset(
            facts.host.name
            for facts in survey.hosts
            for app in environment.apps
            if not survey.on(facts.host, app).is_healthy
        )
        | {host.name for host in survey.left_out if not order.is_served(host, environment, survey)},
        left_out=survey.left_out,
        foreign=frozenset(map(str, foreign_targets.find(survey, environment.apps))),
        apps={app.name: app for app in apps},
        slots={(f.host.name, app.name): f.at(app) for f in survey.hosts for app in apps},
        running={
            (on.host.name, app.name): on
            for app in environment.apps
            for on in survey.everywhere(app)
        },
    )


def _ended(host: Host, environment: Environment, survey: Survey) -> HostPlan | None:
    """What ends the slots that a deploy left beside those in use on a host."""
    apps = [survey.on(host, app) for app in environment.apps]
    steps = tuple(step for on in apps for step in host_steps.left_over(on, environment))
    if not steps:
        return None
    surged = frozenset(on.app.name for on in apps)
    return HostPlan(host, steps, surged=surged, served=host_steps.serving(apps))


def _minimums(
    environment: Environment,
    batch: tuple[HostPlan, ...],
    in_service: Mapping[str, Sequence[InService]],
    window: int | None,
) -> dict[str, int]:
    """What must stay in service in each group, by its name, of the apps that the batch switches.

    Nothing of a group in which no target is healthy.

    window: how many hosts of it work at a time; 0 or None for all of them.
    """
    found: dict[str, int] = {}
    for app in environment.apps:
        size = out_at_once(batch, app, window or 0)
        for now in in_service[app.name]:
            if size and now.healthy:
                found[now.group.name] = now.minimum(environment.rollout, size)
    return found
