"""Refuses a deploy that cannot work, or leaves single hosts out, before any change. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.errors import BadInput
from deploy.plan import exclusion, fitness, host_steps

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from deploy.plan.candidate import OpenedPackage
    from deploy.plan.exclusion import Problems
    from deploy.settings.environment import Environment
    from deploy.settings.scope import Scope
    from deploy.survey.facts import Survey
    from deploy.survey.slot import Slot


def check(
    environment: Environment,
    survey: Survey,
    opened: tuple[OpenedPackage, ...],
    scope: Scope,
    found: Problems,
    *,
    is_default: bool,
) -> Survey:
    """The survey of the hosts that can take these packages; others are left out, each a failure.

    found: what a look at the hosts and at AWS found against them. is_default: whether the packages
    were chosen by default, so that one that failed before is not taken.

    Raises:
        BadInput: A group or a package forbids the deploy, or more hosts than may fail.
    """
    refuse_surge(environment, survey)
    marks = marked(opened, survey, scope) if is_default else {}
    problems = exclusion.joined(
        fitness.unfit(environment.apps, survey),
        fitness.partners_down(
            environment, survey, lambda on: on.app.name not in environment.beside
        ),
        fitness.cramped(environment, survey),
        fitness.other_machine(opened, survey),
        fitness.too_small(opened, survey),
        fitness.other_contents(opened, survey),
        marks,
        found,
    )
    return exclusion.leave_out(environment, survey, problems, scope)


def refuse_surge(environment: Environment, survey: Survey) -> None:
    """Raise BadInput for what keeps two releases of an app from running side by side."""
    problems = list(_surge(environment, survey))
    if problems:
        raise BadInput(*problems)


def _surge(environment: Environment, survey: Survey) -> Iterator[str]:
    if environment.rollout.strategy != "surge":
        return
    added: dict[str, int] = {}
    for app, group in [(a, group) for a in environment.apps for group in survey.groups[a.name]]:
        if group.health_port not in {"traffic-port", ""}:
            yield (
                f"target group {group.name} checks every target's port {group.health_port}, so one "
                "slot would vouch for the other; set its health check port to `traffic-port`, or "
                "`strategy: rolling`"
            )
        # A target that still drains from its last time is listed, and comes back as the same one.
        due = [
            on
            for on in survey.everywhere(app)
            if host_steps.surges(on, environment)
            and on.spare
            and survey.target(group, on.host, on.spare.app) not in survey.health[group.arn]
        ]
        added[group.arn] = added.get(group.arn, 0) + len(due)
    yield from _over_quota(survey, added)


def _over_quota(survey: Survey, added: Mapping[str, int]) -> Iterator[str]:
    """The load balancers that would have more targets, in all groups together, than they may.

    added: by the group's ARN, how many targets come on top for a time.
    """
    groups = {group.arn: group for each in survey.groups.values() for group in each}.values()
    for arn in dict.fromkeys(arn for group in groups for arn in group.load_balancers):
        its = [group for group in groups if arn in group.load_balancers]
        count = sum(len(survey.health[group.arn]) + added.get(group.arn, 0) for group in its)
        if survey.most_targets and count > survey.most_targets:
            balancer = arn.partition(":loadbalancer/")[2] or arn
            yield (
                f"load balancer {balancer} would have {count} targets (in "
                f"{', '.join(group.name for group in its)}), and the account's quota is "
                f"{survey.most_targets}; raise it at AWS, or set `strategy: rolling`"
            )


def marked(opened: Iterable[OpenedPackage], survey: Survey, scope: Scope) -> Problems:
    """The hosts on which the package that was chosen for lack of a name failed before.

    Raises:
        BadInput: It failed on a majority of the hosts that have it.
    """
    refused: list[str] = []
    problems: list[Problems] = []
    for each in opened:
        release, name = each.package.release, each.app.name
        failed = [f.host.name for f in survey.hosts if release.id in f.slots[name].bad]
        has = [f for f in survey.hosts if _has(f.slots[name], release.id)]
        retry = scope.of_app(name).command("deploy", "--package", release.version)
        marks = {f.host.name: f.slots[name].marks.get(release.id) for f in survey.hosts}
        said = {host: str(marks[host]) for host in failed if marks[host]}
        if 2 * len(failed) > len(has):
            refused += [
                f"{name} {release.id} is the newest package, and it failed before on "
                f"{', '.join(failed)}",
                *(f"{host}: {mark}" for host, mark in said.items()),
                "build a better one, or name it to try it again; where it succeeds, the mark is "
                f"removed: {retry}",
            ]
        for host in failed:
            why = f" ({said[host]})" if host in said else ""
            problems.append(
                {
                    host: (
                        f"{host}: {name} {release.id} failed there before{why}; name it to try it "
                        f"again, and where it succeeds the mark is removed: {retry}",
                    )
                }
            )
    if refused:
        raise BadInput(*refused)
    return exclusion.joined(*problems)


def _has(slot: Slot, release: str) -> bool:
    """Whether a release lies on a host, was deployed there, or failed there."""
    recorded = {record.release for record in slot.history}
    return release in {*slot.releases, *slot.bad, *recorded}
