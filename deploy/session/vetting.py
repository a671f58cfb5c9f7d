"""Asks AWS and the serving releases for reasons against a plan."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from deploy.aws import other_groups
from deploy.errors import BadInput
from deploy.hosts import programs
from deploy.plan import exclusion, fitness
from deploy.plan.plan import MARGIN_SECONDS
from deploy.preview import comparison
from deploy.recovery import longest_path
from deploy.session import scaling
from deploy.survey import foreign_targets, gather, other_targets, serving
from deploy.survey.units import file_variables, ties

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from deploy.aws.api.account import Account
    from deploy.aws.api.lifetime import Lifetime
    from deploy.aws.target_groups import Balancer
    from deploy.hosts.ssh.remote import Remote
    from deploy.plan.candidate import OpenedPackage
    from deploy.plan.exclusion import Problems
    from deploy.plan.plan import Groups, Plan
    from deploy.settings.environment import Environment
    from deploy.survey.facts import Survey
    from deploy.survey.other_targets import OtherTarget


def vetted(
    seen: Survey,
    environment: Environment,
    account: Account,
    remotes: Mapping[str, Remote],
    *,
    join: bool,
) -> tuple[Survey, Problems]:
    """Return the reasons against taking hosts out, by host, and the completed survey.

    That is what serves and does not pass the question of the proof, and ways by which requests
    reach a host that is out. join: whether hosts that were taken out by hand go back in. Raises
    BadInput for targets that are no hosts, and for hosts that can be no targets.
    """
    foreign_targets.refuse_other_vpcs(seen)
    foreign_targets.refuse(environment, seen)
    scaling_notes = scaling.vetted(environment, account, seen.everyone)
    workers = serving.failing_workers(seen, environment.apps, remotes)
    ports = gather.ports_in_danger(seen.hosts, environment.apps)
    tied = ties.notes(seen, environment.apps) + file_variables.notes(seen, environment.apps)
    seen = replace(seen, notes=(*seen.notes, *scaling_notes, *workers, *ports, *tied))
    left = {} if join else fitness.taken_out(environment.apps, seen)
    left = exclusion.joined(left, fitness.without_zone(environment.apps, seen))
    with ThreadPoolExecutor(max_workers=1) as pool:
        looking = pool.submit(_other_targets, seen, environment, account)
        verdict = serving.verdict(seen, environment.apps, remotes)
        found = other_targets.seen(looking.result(), remotes)
    problems = [{each.host.name: (each.problem,)} for each in found if each.problem]
    seen = replace(seen, notes=(*seen.notes, *verdict.notes, *other_targets.notes(found)))
    if environment.other_groups == "ignore":
        note = "other_groups: ignore: whether others send requests was not looked at"
        seen = replace(seen, notes=(*seen.notes, note))
    return seen, exclusion.joined(left, verdict.problems, *problems)


def with_programs(
    problems: Problems, opened: Iterable[OpenedPackage], remotes: Mapping[str, Remote], seen: Survey
) -> Problems:
    """The problems, and those of hosts that lack a program which a package's command needs."""
    asked = {facts.host.name: remotes[facts.host.name] for facts in seen.hosts}
    needs = {each.app.name: each.needs for each in opened}
    return exclusion.joined(problems, programs.lacking(asked, needs))


def _other_targets(
    seen: Survey, environment: Environment, account: Account
) -> tuple[OtherTarget, ...]:
    groups = [group for each in seen.groups.values() for group in each]
    if not groups:  # workers alone: no request reaches them
        return ()
    if environment.other_groups == "ignore":  # what the own groups have needs no call
        return other_targets.find(seen, environment.apps, (), environment.other_ports)
    known = {name for group in groups for name in (group.name, group.arn)}
    known |= {name for app in environment.other_apps for name in app.group_names}
    # A group may have targets in another VPC, whose own groups reach them too.
    vpcs = {group.vpc for group in groups} | {host.vpc for host in seen.everyone if host.vpc}
    others = other_groups.find(account, vpcs, known)
    return other_targets.find(seen, environment.apps, others, environment.other_ports)


def completed(plan: Plan, credentials: Lifetime, remotes: Mapping[str, Remote]) -> Plan:
    """Return the plan with what it changes, which hosts are asked, and with what `noted` adds."""
    return comparison.compared(noted(plan, credentials), remotes)


def noted(plan: Plan, credentials: Lifetime) -> Plan:
    """Return the plan; with a warning where it changes something while the credentials may end."""
    if not (credentials.is_unknown and plan.batches):
        return plan
    note = (
        "it is not known when the AWS session token ends, so nothing checks that it lasts: set "
        "AWS_CREDENTIAL_EXPIRATION beside it, or x_security_token_expires in the credentials file"
    )
    return replace(plan, warnings=(*plan.warnings, note))


def confirm_registration(plan: Plan, groups: Groups, balancer: Balancer) -> None:
    """Raise NotAllowed where a host that the plan takes out could not be put in again.

    A policy may allow the one and forbid the other, and nothing shows it while targets are there.
    """
    apps = {step.app.name for step in plan.steps if step.is_entry}
    for group in {each.arn: each for app in apps for each in groups[app]}.values():
        balancer.confirm_registration(group)


def refuse_late(plan: Plan, groups: Groups, seconds_left: float | None) -> None:
    """Raise BadInput where the AWS credentials may end before the plan has.

    seconds_left: until they end; None where they do not.
    """
    if seconds_left is None or not plan.steps:
        return
    needed = max(plan.seconds, longest_path.of_plan(plan.batches, groups, plan.window))
    if seconds_left >= needed + MARGIN_SECONDS:
        return
    raise BadInput(
        f"the AWS credentials end in {seconds_left / 60:.0f} min, and the plan may need them for "
        f"{(needed + MARGIN_SECONDS) / 60:.0f} min: {plan.seconds / 60:.0f} min of waiting alone, "
        "and longer if a release fails and its hosts go back. Renew them first. With --yes the "
        "batches run that there is time for"
    )
